#include "lazy-controller/api/pages.h"

#include <chrono>

#include <boost/json.hpp>

namespace lazymesh::api {
namespace {

namespace json = boost::json;

double seconds(WallTime time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

}  // namespace

std::string sidecars_page(const std::vector<publish::xds::ClientStatus>& clients) {
  json::array list;
  for (const auto& client : clients) {
    json::object types;
    for (const auto& [name, type] : client.types) {
      types[name] = json::object{{"sent", type.sent},           {"version", type.version},
                                 {"responses", type.responses}, {"acks", type.acks},
                                 {"nacks", type.nacks},         {"last_nack", type.last_nack}};
    }
    json::array pending;
    for (const auto& host : client.pending) pending.emplace_back(host);
    list.push_back(
        json::object{{"node_id", client.node_id},
                     {"peer", client.peer},
                     {"protocol", client.delta ? "delta" : "sotw"},
                     {"workload", client.workload.name.empty() ? "" : client.workload.to_string()},
                     {"mode", std::string(mesh::to_string(client.mode))},
                     {"connected", seconds(client.connected)},
                     {"pending", std::move(pending)},
                     {"types", std::move(types)}});
  }
  return json::serialize(json::object{{"sidecars", std::move(list)}}) + "\n";
}

std::string dependencies_page(const std::vector<mesh::Dependency>& dependencies) {
  json::array list;
  for (const auto& dependency : dependencies) {
    list.push_back(json::object{{"source", dependency.key.source.to_string()},
                                {"host", dependency.key.host},
                                {"port", dependency.key.port},
                                {"protocol", std::string(mesh::to_string(dependency.protocol))},
                                {"reason", std::string(mesh::to_string(dependency.reason))},
                                {"first_seen", seconds(dependency.first_seen)},
                                {"last_seen", seconds(dependency.last_seen)},
                                {"count", dependency.count}});
  }
  return json::serialize(json::object{{"dependencies", std::move(list)}}) + "\n";
}

}  // namespace lazymesh::api
