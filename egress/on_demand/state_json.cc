#include "egress/on_demand/state_json.h"

#include <boost/json.hpp>

#include "egress/on_demand/routing.h"

namespace lazymesh::egress {
namespace {

namespace json = boost::json;

std::string_view to_string(Discovery discovery) {
  switch (discovery) {
    case Discovery::kEds:
      return "eds";
    case Discovery::kDns:
      return "dns";
    case Discovery::kOriginalDestination:
      break;
  }
  return "original_destination";
}

json::array strings(const std::vector<std::string>& values) {
  json::array array;
  for (const auto& value : values) array.emplace_back(value);
  return array;
}

json::object stream_json(const Table::Status::Stream& stream) {
  json::object object{{"state", stream.state}, {"last_error", stream.last_error}};
  if (stream.name_space.empty()) return object;
  object["namespace"] = stream.name_space;
  object["cluster_version"] = stream.cluster_version;
  object["clusters"] = stream.clusters;
  object["endpoints"] = stream.endpoints;
  object["routes"] = stream.routes;
  return object;
}

json::object cluster_json(const UpstreamCluster& cluster) {
  json::array endpoints;
  for (const auto& endpoint : cluster.endpoints) {
    endpoints.push_back(
        json::object{{"address", endpoint.address.to_string()}, {"weight", endpoint.weight}});
  }
  return {{"name", cluster.name},
          {"connect_timeout_ms", cluster.connect_timeout.count()},
          {"endpoints", std::move(endpoints)}};
}

json::object common_json(const Table::Status::Entry& entry) {
  json::object object{{"state", entry.state}, {"loops", entry.loops}};
  if (!entry.reason.empty()) object["reason"] = entry.reason;
  if (entry.state == "known") object["idle_seconds"] = entry.idle_seconds;
  return object;
}

json::object caller_json(const CallerKey& key, const Table::Status::Entry& entry) {
  auto object = common_json(entry);
  object["peer"] = key.peer.to_string();
  object["source"] = key.source.to_string();
  if (!key.bound.is_unspecified()) object["bound"] = key.bound.to_string();
  if (entry.caller) object["workload"] = entry.caller->workload.to_string();
  return object;
}

json::object destination_json(const DestinationKey& key, const Table::Status::Entry& entry) {
  auto object = common_json(entry);
  object["caller_namespace"] = key.caller_namespace;
  object["asked"] = key.host.empty() ? key.address.to_string() : key.host;
  object["port"] = key.port;
  const auto& resolved = entry.resolved;
  if (!resolved.cluster.empty()) {
    object["host"] = resolved.host;
    object["namespace"] = resolved.namespace_;
    object["protocol"] = mesh::to_string(resolved.protocol);
    object["discovery"] = to_string(resolved.discovery);
    object["route_configuration"] = resolved.route_configuration;
    json::object unsupported;
    for (const auto& cluster : entry.clusters) {
      if (!cluster.unsupported.empty()) unsupported[cluster.name] = strings(cluster.unsupported);
    }
    if (!entry.routes_unsupported.empty()) {
      unsupported[resolved.route_configuration] = strings(entry.routes_unsupported);
    }
    object["unsupported"] = std::move(unsupported);
  }
  if (entry.destination) {
    json::array clusters{cluster_json(*entry.destination->cluster)};
    for (const auto& cluster : entry.destination->route_clusters) {
      if (cluster != entry.destination->cluster) clusters.push_back(cluster_json(*cluster));
    }
    object["clusters"] = std::move(clusters);
  }
  return object;
}

}  // namespace

std::string state_json(const Table::Status& status) {
  json::object resolver;
  json::array streams;
  for (const auto& stream : status.streams) {
    if (stream.name_space.empty()) {
      resolver = stream_json(stream);
    } else {
      streams.push_back(stream_json(stream));
    }
  }
  json::array callers;
  json::array destinations;
  for (const auto& entry : status.entries) {
    if (const auto* caller = std::get_if<CallerKey>(&entry.key)) {
      callers.push_back(caller_json(*caller, entry));
    } else {
      destinations.push_back(destination_json(std::get<DestinationKey>(entry.key), entry));
    }
  }
  return json::serialize(json::object{{"resolver", std::move(resolver)},
                                      {"streams", std::move(streams)},
                                      {"callers", std::move(callers)},
                                      {"destinations", std::move(destinations)},
                                      {"left_out", status.left_out}});
}

}  // namespace lazymesh::egress
