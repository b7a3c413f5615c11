#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "envoy/service/discovery/v3/ads.grpc.pb.h"
#include "lazymesh/v1/resolver.grpc.pb.h"

namespace lazymesh::test {

/// A control plane on loopback that serves what a test tells it: Resolver and state-of-the-world
/// ADS over real gRPC. A name that it has no answer for is not found; a resource that it does not
/// have is left out. Any thread.
class FakeControlPlane final
    : private v1::Resolver::Service,
      private envoy::service::discovery::v3::AggregatedDiscoveryService::Service {
 public:
  using DiscoveryRequest = envoy::service::discovery::v3::DiscoveryRequest;
  using DiscoveryResponse = envoy::service::discovery::v3::DiscoveryResponse;

  FakeControlPlane() { start(); }
  ~FakeControlPlane() override { stop(); }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  /// Serve on the same port as before.
  void start() {
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort(address(), grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(static_cast<v1::Resolver::Service*>(this));
    builder.RegisterService(
        static_cast<envoy::service::discovery::v3::AggregatedDiscoveryService::Service*>(this));
    server_ = builder.BuildAndStart();
    if (!server_) std::abort();
  }
  /// Break all streams and refuse connections.
  void stop() {
    if (!server_) return;
    server_->Shutdown(std::chrono::system_clock::time_point{});
    server_->Wait();
    server_.reset();
  }

  void set_answer(const v1::Query& query, v1::Resolution resolution) {
    const std::lock_guard lock(mutex_);
    *resolution.mutable_query() = query;
    answers_[query.SerializeAsString()] = resolution;
    for (auto& [stream, asked] : resolver_streams_) {
      if (asked.contains(query.SerializeAsString())) answer(stream, query);
    }
  }

  template <class Message>
  void set_resource(const std::string& name, const Message& message) {
    const std::lock_guard lock(mutex_);
    google::protobuf::Any packed;
    packed.PackFrom(message);
    resources_[packed.type_url()][name] = packed;
    for (auto& [stream, asked] : ads_streams_) push(stream, asked, packed.type_url());
  }

  /// Answer nothing to anybody until told otherwise.
  void set_silent(bool silent) {
    const std::lock_guard lock(mutex_);
    silent_ = silent;
  }

  /// Waits until `condition` holds, which is judged after each message received.
  bool wait(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), condition);
  }

  // To be read within wait()'s condition, or when nothing arrives any more.
  std::vector<v1::Query> subscribed;    ///< all subscriptions, in order
  std::vector<v1::Query> unsubscribed;  ///< likewise
  std::vector<DiscoveryRequest> requests;
  int resolver_streams_seen = 0;
  int ads_streams_seen = 0;

 private:
  using ResolverStream = grpc::ServerReaderWriter<v1::ResolveResponse, v1::ResolveRequest>;
  using AdsStream = grpc::ServerReaderWriter<DiscoveryResponse, DiscoveryRequest>;
  struct Asked {
    std::map<std::string, std::vector<std::string>> names;  // by type
    std::map<std::string, std::string> nonces;
  };

  grpc::Status StreamResolutions(grpc::ServerContext*, ResolverStream* stream) override {
    {
      const std::lock_guard lock(mutex_);
      ++resolver_streams_seen;
      resolver_streams_[stream];
    }
    v1::ResolveRequest request;
    while (stream->Read(&request)) {
      const std::lock_guard lock(mutex_);
      for (const auto& query : request.unsubscribe()) {
        unsubscribed.push_back(query);
        resolver_streams_[stream].erase(query.SerializeAsString());
      }
      for (const auto& query : request.subscribe()) {
        subscribed.push_back(query);
        resolver_streams_[stream].insert(query.SerializeAsString());
        answer(stream, query);
      }
      changed_.notify_all();
    }
    const std::lock_guard lock(mutex_);
    resolver_streams_.erase(stream);
    return grpc::Status::OK;
  }

  void answer(ResolverStream* stream, const v1::Query& query) {
    if (silent_) return;
    v1::ResolveResponse response;
    auto& resolution = *response.add_resolutions();
    const auto found = answers_.find(query.SerializeAsString());
    if (found != answers_.end()) {
      resolution = found->second;
    } else {
      *resolution.mutable_query() = query;
      resolution.mutable_not_found()->set_reason("no service of that name");
    }
    stream->Write(response);
  }

  grpc::Status StreamAggregatedResources(grpc::ServerContext*, AdsStream* stream) override {
    {
      const std::lock_guard lock(mutex_);
      ++ads_streams_seen;
      ads_streams_[stream];
    }
    DiscoveryRequest request;
    while (stream->Read(&request)) {
      const std::lock_guard lock(mutex_);
      requests.push_back(request);
      auto& asked = ads_streams_[stream];
      std::vector<std::string> names(request.resource_names().begin(),
                                     request.resource_names().end());
      if (asked.names[request.type_url()] != names) {
        asked.names[request.type_url()] = std::move(names);
        push(stream, asked, request.type_url());
      }
      changed_.notify_all();
    }
    const std::lock_guard lock(mutex_);
    ads_streams_.erase(stream);
    return grpc::Status::OK;
  }

  void push(AdsStream* stream, Asked& asked, const std::string& type) {
    if (silent_ || !asked.names.contains(type)) return;
    DiscoveryResponse response;
    response.set_type_url(type);
    response.set_version_info("v" + std::to_string(++version_));
    response.set_nonce("n" + std::to_string(version_));
    for (const auto& name : asked.names[type]) {
      const auto found = resources_[type].find(name);
      if (found != resources_[type].end()) *response.add_resources() = found->second;
    }
    stream->Write(response);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, v1::Resolution> answers_;
  std::map<std::string, std::map<std::string, google::protobuf::Any>> resources_;
  std::map<ResolverStream*, std::set<std::string>> resolver_streams_;
  std::map<AdsStream*, Asked> ads_streams_;
  bool silent_ = false;
  int version_ = 0;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace lazymesh::test
