#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "als/sender.h"
#include "egress/on_demand/on_demand.h"

namespace lazymesh::test {

/// An on-demand client whose answers the test writes. Safe from any thread.
class FakeOnDemand final : public egress::OnDemand {
 public:
  /// What a key is answered with: at once, or when release() is called.
  void know_host(const std::string& host, egress::DestinationPtr destination);
  void know_address(const SocketAddress& address, egress::DestinationPtr destination);
  void fail_host(const std::string& host, Error error);
  void know_no_caller(std::string reason);
  /// Answer nothing from now on / answer what was asked since.
  void hold();
  void release();
  /// Tell those who watch the host of a change, or that it is let go.
  void update_host(const std::string& host, egress::DestinationPtr destination);
  void forget_host(const std::string& host);

  int watches(const std::string& host) const;
  int caller_watches() const;
  egress::CallerKey last_caller() const;
  std::vector<egress::DestinationKey> asked() const;
  /// Blocks until `count` requests have asked for destinations.
  void wait_for_watches(std::size_t count);

 private:
  struct LoopLink {
    Observer* observer;
    Post post;
  };
  std::size_t attach(Observer& observer, Post post) override;
  void watch_caller(std::size_t loop, const egress::CallerKey& key) override;
  void watch_destination(std::size_t loop, const egress::DestinationKey& key) override;
  void answer(std::size_t loop, const egress::DestinationKey& key);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<LoopLink> loops_;
  std::map<std::string, Result<egress::DestinationPtr>> hosts_;
  std::map<SocketAddress, egress::DestinationPtr> addresses_;
  std::string no_caller_;
  bool held_ = false;
  std::vector<std::function<void()>> waiting_;
  std::vector<egress::DestinationKey> asked_;
  std::vector<std::pair<std::size_t, egress::DestinationKey>> watched_;
  std::vector<egress::CallerKey> callers_;
};

/// Keeps what is logged. Safe from any thread.
class FakeSender final : public als::Sender {
 public:
  void log(als::AccessLogEntry entry) override;
  /// The entries of one moment, waiting until there are `count`; fewer after ten seconds.
  std::vector<als::AccessLogEntry> wait(als::AccessLogEntry::Moment moment, std::size_t count);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<als::AccessLogEntry> entries_;
};

/// A destination with one cluster of these endpoints.
egress::DestinationPtr destination(const std::string& host, std::uint16_t port,
                                   const std::vector<SocketAddress>& endpoints);

}  // namespace lazymesh::test
