#include "test/sidecar/ads_server.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include <grpcpp/grpcpp.h>

#include "envoy/service/accesslog/v3/als.grpc.pb.h"
#include "envoy/service/discovery/v3/ads.grpc.pb.h"

namespace lazymesh::test {

using envoy::service::accesslog::v3::AccessLogService;
using envoy::service::accesslog::v3::StreamAccessLogsMessage;
using envoy::service::accesslog::v3::StreamAccessLogsResponse;
using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using envoy::service::discovery::v3::DeltaDiscoveryResponse;
using envoy::service::discovery::v3::DiscoveryRequest;
using envoy::service::discovery::v3::DiscoveryResponse;

class AdsServer::Discovery final
    : public envoy::service::discovery::v3::AggregatedDiscoveryService::Service {
 public:
  explicit Discovery(std::vector<sidecar::ResourcePtr> resources)
      : resources_(std::move(resources)) {}

  std::size_t acknowledged(std::string_view type) const {
    const std::scoped_lock lock(mutex_);
    const auto found = acknowledged_.find(type);
    return found == acknowledged_.end() ? 0 : found->second;
  }
  std::vector<std::string> refused() const {
    const std::scoped_lock lock(mutex_);
    return refused_;
  }

  grpc::Status StreamAggregatedResources(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<DiscoveryResponse, DiscoveryRequest>* stream) override {
    std::map<std::string, std::set<std::string>> names;
    DiscoveryRequest request;
    while (stream->Read(&request)) {
      note_answer(request);
      std::set<std::string> wanted(request.resource_names().begin(),
                                   request.resource_names().end());
      const auto [held, first] = names.try_emplace(request.type_url(), wanted);
      if (!first && held->second == wanted) continue;
      held->second = wanted;
      DiscoveryResponse response;
      response.set_type_url(request.type_url());
      response.set_version_info("1");
      response.set_nonce(std::to_string(++nonce_));
      for (const auto& resource : resources_) {
        if (!is(*resource, request.type_url(), wanted)) continue;
        auto& any = *response.add_resources();
        any.set_type_url(request.type_url());
        any.set_value(resource->body);
      }
      stream->Write(response);
    }
    return grpc::Status::OK;
  }

  grpc::Status DeltaAggregatedResources(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<DeltaDiscoveryResponse, DeltaDiscoveryRequest>* stream) override {
    std::set<std::string> begun;
    DeltaDiscoveryRequest request;
    while (stream->Read(&request)) {
      note_answer(request);
      const auto& subscribed = request.resource_names_subscribe();
      if (!begun.insert(request.type_url()).second && subscribed.empty()) continue;
      const std::set<std::string> wanted(subscribed.begin(), subscribed.end());
      DeltaDiscoveryResponse response;
      response.set_type_url(request.type_url());
      response.set_nonce(std::to_string(++nonce_));
      for (const auto& resource : resources_) {
        if (!is(*resource, request.type_url(), wanted)) continue;
        auto& sent = *response.add_resources();
        sent.set_name(resource->name);
        sent.set_version(sidecar::version_text(resource->version));
        sent.mutable_resource()->set_type_url(request.type_url());
        sent.mutable_resource()->set_value(resource->body);
      }
      stream->Write(response);
    }
    return grpc::Status::OK;
  }

 private:
  static bool is(const sidecar::Resource& resource, std::string_view type,
                 const std::set<std::string>& wanted) {
    return sidecar::type_url(resource.type) == type &&
           (wanted.empty() || wanted.contains("*") || wanted.contains(resource.name));
  }

  void note_answer(const auto& request) {
    if (request.response_nonce().empty()) return;
    const std::scoped_lock lock(mutex_);
    if (request.has_error_detail()) {
      refused_.push_back(request.error_detail().message());
    } else {
      ++acknowledged_[request.type_url()];
    }
  }

  const std::vector<sidecar::ResourcePtr> resources_;
  std::atomic<unsigned> nonce_ = 0;
  mutable std::mutex mutex_;
  std::map<std::string, std::size_t, std::less<>> acknowledged_;
  std::vector<std::string> refused_;
};

class AdsServer::AccessLogs final : public AccessLogService::Service {
 public:
  grpc::Status StreamAccessLogs(grpc::ServerContext*,
                                grpc::ServerReader<StreamAccessLogsMessage>* in,
                                StreamAccessLogsResponse*) override {
    StreamAccessLogsMessage message;
    while (in->Read(&message)) {
      const std::scoped_lock lock(mutex_);
      for (const auto& entry : message.http_logs().log_entry()) {
        entries_.push_back(entry.ShortDebugString());
      }
    }
    return grpc::Status::OK;
  }

  std::vector<std::string> entries() const {
    const std::scoped_lock lock(mutex_);
    return entries_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> entries_;
};

AdsServer::AdsServer(std::vector<sidecar::ResourcePtr> resources)
    : discovery_(std::make_unique<Discovery>(std::move(resources))),
      access_logs_(std::make_unique<AccessLogs>()) {
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(discovery_.get());
  builder.RegisterService(access_logs_.get());
  server_ = builder.BuildAndStart();
}

// The deadline has passed: streams are cancelled.
AdsServer::~AdsServer() { server_->Shutdown(std::chrono::system_clock::time_point{}); }

SocketAddress AdsServer::address() const {
  return {IpAddress::v4({127, 0, 0, 1}), static_cast<std::uint16_t>(port_)};
}
std::size_t AdsServer::acknowledged(sidecar::ResourceType type) const {
  return discovery_->acknowledged(sidecar::type_url(type));
}
std::vector<std::string> AdsServer::refused() const { return discovery_->refused(); }
std::vector<std::string> AdsServer::access_logs() const { return access_logs_->entries(); }

}  // namespace lazymesh::test
