// lazymesh-xds-client: holds what an xDS server has for one sidecar, as Envoy would over delta ADS,
// without Envoy's memory: wildcard clusters and listeners, the endpoints of each cluster, the
// sidecar's one route configuration. It acknowledges everything, reconnects with the versions that
// it holds, and prints a line of JSON after each response:
// `{"streams","responses","resources":{"cds":n,…},"received":n,"removed":n}`. One thread; ends by a
// signal.
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include "envoy/service/discovery/v3/ads.grpc.pb.h"

namespace {

namespace xds = envoy::service::discovery::v3;

const std::string kTypes = "type.googleapis.com/envoy.config.";
const std::string kClusters = kTypes + "cluster.v3.Cluster";
const std::string kEndpoints = kTypes + "endpoint.v3.ClusterLoadAssignment";
const std::string kListeners = kTypes + "listener.v3.Listener";
const std::string kRoutes = kTypes + "route.v3.RouteConfiguration";
constexpr std::string_view kServiceClusterPrefix = "outbound|";

class Client {
 public:
  Client(const std::string& target, std::string node_id, std::string route_name)
      : node_id_(std::move(node_id)), route_name_(std::move(route_name)) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    stub_ = xds::AggregatedDiscoveryService::NewStub(
        grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments));
  }

  // One stream, until the server ends it; false if it was refused without a word.
  bool run_stream() {
    const auto before = responses_;
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    stream_ = stub_->DeltaAggregatedResources(&context);
    ++streams_;
    subscribe(kClusters, {});
    if (!held_[kEndpoints].empty()) subscribe(kEndpoints, names(kClusters));
    subscribe(kListeners, {});
    subscribe(kRoutes, {route_name_});
    xds::DeltaDiscoveryResponse response;
    while (stream_->Read(&response)) take(response);
    const auto status = stream_->Finish();
    std::cerr << "stream ended: " << status.error_message() << std::endl;
    node_sent_ = false;
    return responses_ > before;
  }

 private:
  std::vector<std::string> names(const std::string& type) {
    std::vector<std::string> all;
    for (const auto& [name, version] : held_[type]) {
      if (name.starts_with(kServiceClusterPrefix)) all.push_back(name);
    }
    return all;
  }

  void subscribe(const std::string& type, const std::vector<std::string>& resource_names) {
    auto request = make(type);
    for (const auto& name : resource_names) request.add_resource_names_subscribe(name);
    for (const auto& [name, version] : held_[type])
      (*request.mutable_initial_resource_versions())[name] = version;
    stream_->Write(request);
  }

  xds::DeltaDiscoveryRequest make(const std::string& type) {
    xds::DeltaDiscoveryRequest request;
    if (!node_sent_) request.mutable_node()->set_id(node_id_);
    node_sent_ = true;
    request.set_type_url(type);
    return request;
  }

  void take(const xds::DeltaDiscoveryResponse& response) {
    auto& held = held_[response.type_url()];
    auto added = make(kEndpoints);
    for (const auto& resource : response.resources()) {
      const bool is_new = held.insert_or_assign(resource.name(), resource.version()).second;
      if (response.type_url() == kClusters && is_new &&
          resource.name().starts_with(kServiceClusterPrefix)) {
        added.add_resource_names_subscribe(resource.name());
      }
    }
    for (const auto& name : response.removed_resources()) {
      held.erase(name);
      if (response.type_url() == kClusters) {
        added.add_resource_names_unsubscribe(name);
        held_[kEndpoints].erase(name);
      }
    }
    auto acknowledgement = make(response.type_url());
    acknowledgement.set_response_nonce(response.nonce());
    stream_->Write(acknowledgement);
    if (added.resource_names_subscribe_size() + added.resource_names_unsubscribe_size() > 0)
      stream_->Write(added);
    ++responses_;
    received_ += static_cast<std::uint64_t>(response.resources_size());
    removed_ += static_cast<std::uint64_t>(response.removed_resources_size());
    print();
  }

  void print() {
    const boost::json::object resources{{"cds", held_[kClusters].size()},
                                        {"eds", held_[kEndpoints].size()},
                                        {"lds", held_[kListeners].size()},
                                        {"rds", held_[kRoutes].size()}};
    std::cout << boost::json::object{{"streams", streams_},
                                     {"responses", responses_},
                                     {"resources", resources},
                                     {"received", received_},
                                     {"removed", removed_}}
              << std::endl;
  }

  std::string node_id_;
  std::string route_name_;
  std::unique_ptr<xds::AggregatedDiscoveryService::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<xds::DeltaDiscoveryRequest, xds::DeltaDiscoveryResponse>>
      stream_;
  bool node_sent_ = false;
  std::uint64_t streams_ = 0, responses_ = 0, received_ = 0, removed_ = 0;
  std::map<std::string, std::map<std::string, std::string>> held_;  // versions by type and name
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"A sidecar's xDS client without the sidecar"};
  std::string target, node_id, route_name = "outbound-http";
  app.add_option("--target", target, "ADDRESS:PORT of the xDS server")->required();
  app.add_option("--node", node_id, "node id")->required();
  app.add_option("--routes", route_name, "name of the route configuration");
  CLI11_PARSE(app, argc, argv);
  Client client(target, node_id, route_name);
  while (client.run_stream()) {
  }
  return 1;
}
