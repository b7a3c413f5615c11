#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "egress/on_demand/resources.h"

namespace lazymesh::egress {

/// A DiscoveryRequest of the state-of-the-world protocol, but for the node.
struct AdsRequest {
  ResourceType type = ResourceType::kCluster;
  std::vector<std::string> names;  ///< all that are subscribed, ascending
  std::string version;             ///< of the last response that was accepted
  std::string nonce;               ///< of the last response on this stream
  std::string error;               ///< not empty: a NACK, in these words
};

/// One type's subscription on one state-of-the-world stream
/// (https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol). Says what is to be sent
/// next when asked, so that changes made while the stream cannot be written become one request.
/// Pure.
class SotwSubscription {
 public:
  explicit SotwSubscription(ResourceType type) : type_(type) {}

  void add(std::string name);
  void remove(const std::string& name);
  bool contains(std::string_view name) const { return names_.contains(name); }
  bool empty() const { return names_.empty(); }
  std::size_t size() const { return names_.size(); }

  /// A new stream: everything is asked for again, with no version claimed, since a server that
  /// finds its own version current may answer nothing to a name whose content is not held.
  void on_stream_open();
  /// `error` is empty if the whole response was accepted.
  void on_response(std::string version, std::string nonce, std::string error);
  /// What is to be sent now. A Cluster request without names is never made: it would mean all.
  std::optional<AdsRequest> next();

  /// Of the last response on this stream that was accepted.
  const std::string& version() const { return version_; }

 private:
  ResourceType type_;
  std::set<std::string, std::less<>> names_;
  std::string version_;
  std::string nonce_;
  std::string error_;
  bool due_ = false;
};

}  // namespace lazymesh::egress
