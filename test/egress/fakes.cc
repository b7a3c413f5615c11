#include "test/egress/fakes.h"

#include <algorithm>

namespace lazymesh::test {

using egress::DestinationKey;
using egress::DestinationPtr;

void FakeOnDemand::know_host(const std::string& host, DestinationPtr destination) {
  const std::lock_guard lock(mutex_);
  hosts_.insert_or_assign(host, std::move(destination));
}

void FakeOnDemand::know_address(const SocketAddress& address, DestinationPtr destination) {
  const std::lock_guard lock(mutex_);
  addresses_.insert_or_assign(address, std::move(destination));
}

void FakeOnDemand::fail_host(const std::string& host, Error error) {
  const std::lock_guard lock(mutex_);
  hosts_.insert_or_assign(host, tl::unexpected(std::move(error)));
}

void FakeOnDemand::know_no_caller(std::string reason) {
  const std::lock_guard lock(mutex_);
  no_caller_ = std::move(reason);
}

void FakeOnDemand::hold() {
  const std::lock_guard lock(mutex_);
  held_ = true;
}

void FakeOnDemand::release() {
  std::vector<std::function<void()>> actions;
  {
    const std::lock_guard lock(mutex_);
    held_ = false;
    actions.swap(waiting_);
  }
  for (const auto& action : actions) action();
}

void FakeOnDemand::update_host(const std::string& host, DestinationPtr destination) {
  know_host(host, destination);
  const std::lock_guard lock(mutex_);
  for (const auto& [loop, key] : watched_) {
    if (key.host != host) continue;
    auto* observer = loops_[loop].observer;
    loops_[loop].post(
        [observer, key = key, destination] { observer->on_destination(key, destination); });
  }
}

void FakeOnDemand::forget_host(const std::string& host) {
  const std::lock_guard lock(mutex_);
  for (const auto& [loop, key] : watched_) {
    if (key.host != host) continue;
    auto* observer = loops_[loop].observer;
    loops_[loop].post([observer, key = key] { observer->on_forget_destination(key); });
  }
}

int FakeOnDemand::watches(const std::string& host) const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(std::count_if(
      asked_.begin(), asked_.end(), [&](const DestinationKey& key) { return key.host == host; }));
}

int FakeOnDemand::caller_watches() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(callers_.size());
}

egress::CallerKey FakeOnDemand::last_caller() const {
  const std::lock_guard lock(mutex_);
  return callers_.back();
}

std::vector<DestinationKey> FakeOnDemand::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

void FakeOnDemand::wait_for_watches(std::size_t count) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::seconds(10), [&] { return asked_.size() >= count; });
}

std::size_t FakeOnDemand::attach(Observer& observer, Post post) {
  const std::lock_guard lock(mutex_);
  loops_.push_back({&observer, std::move(post)});
  return loops_.size() - 1;
}

void FakeOnDemand::watch_caller(std::size_t loop, const egress::CallerKey& key) {
  const std::lock_guard lock(mutex_);
  callers_.push_back(key);
  auto* observer = loops_[loop].observer;
  Result<egress::CallerPtr> caller =
      std::make_shared<const egress::Caller>(egress::Caller{{"shop", "web"}});
  if (!no_caller_.empty()) caller = fail(Code::kNotFound, no_caller_);
  loops_[loop].post([observer, key, caller] { observer->on_caller(key, caller); });
}

void FakeOnDemand::watch_destination(std::size_t loop, const DestinationKey& key) {
  const std::lock_guard lock(mutex_);
  asked_.push_back(key);
  watched_.emplace_back(loop, key);
  changed_.notify_all();
  if (held_) {
    waiting_.push_back([this, loop, key] {
      const std::lock_guard inner(mutex_);
      answer(loop, key);
    });
  } else {
    answer(loop, key);
  }
}

void FakeOnDemand::answer(std::size_t loop, const DestinationKey& key) {
  Result<DestinationPtr> result = fail(Code::kNotFound, "no service \"" + key.host + "\"");
  if (const auto host = hosts_.find(key.host); host != hosts_.end()) result = host->second;
  if (key.host.empty()) {
    const auto found = addresses_.find({key.address, key.port});
    if (found != addresses_.end()) result = found->second;
  }
  auto* observer = loops_[loop].observer;
  loops_[loop].post([observer, key, result] { observer->on_destination(key, result); });
}

void FakeSender::log(als::AccessLogEntry entry) {
  const std::lock_guard lock(mutex_);
  entries_.push_back(std::move(entry));
  changed_.notify_all();
}

std::vector<als::AccessLogEntry> FakeSender::wait(als::AccessLogEntry::Moment moment,
                                                  std::size_t count) {
  std::unique_lock lock(mutex_);
  const auto of_moment = [&] {
    std::vector<als::AccessLogEntry> out;
    std::copy_if(entries_.begin(), entries_.end(), std::back_inserter(out),
                 [&](const auto& entry) { return entry.moment == moment; });
    return out;
  };
  changed_.wait_for(lock, std::chrono::seconds(10), [&] { return of_moment().size() >= count; });
  return of_moment();
}

DestinationPtr destination(const std::string& host, std::uint16_t port,
                           const std::vector<SocketAddress>& endpoints) {
  auto cluster = std::make_shared<egress::UpstreamCluster>();
  cluster->name = mesh::cluster_name(host, port);
  cluster->connect_timeout = std::chrono::seconds(2);
  for (const auto& address : endpoints) cluster->endpoints.push_back({address, 1});
  auto out = std::make_shared<egress::Destination>();
  out->host = host;
  out->port = port;
  out->cluster = cluster;
  out->last_used = std::make_shared<std::atomic<std::int64_t>>(0);
  return out;
}

}  // namespace lazymesh::test
