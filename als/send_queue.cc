#include "als/send_queue.h"

#include <utility>

namespace lazymesh::als {

std::size_t size_of(const AccessLogEntry& entry) {
  return sizeof(AccessLogEntry) + entry.upstream_cluster.size() + entry.route_name.size() +
         entry.response_flag.size() + entry.method.size() + entry.authority.size() +
         entry.path.size() + entry.user_agent.size() + entry.request_id.size() +
         entry.protocol.size() + entry.response_code_details.size();
}

bool SendQueue::push(SteadyTime now, AccessLogEntry entry) {
  const std::size_t size = size_of(entry);
  if (size > limits_.max_bytes - bytes_) return false;
  if (empty()) first_ = now;
  bytes_ += size;
  (entry.http ? http_ : tcp_).push_back(std::move(entry));
  return true;
}

std::optional<SteadyTime> SendQueue::due() const {
  if (empty()) return std::nullopt;
  return bytes_ >= limits_.flush_bytes ? first_ : first_ + limits_.flush_interval;
}

std::vector<AccessLogEntry> SendQueue::take() {
  const bool http = tcp_.empty() || (!http_.empty() && !last_was_http_);
  last_was_http_ = http;
  auto& from = http ? http_ : tcp_;
  std::vector<AccessLogEntry> taken;
  std::size_t taken_bytes = 0;
  while (!from.empty()) {
    const std::size_t size = size_of(from.front());
    if (!taken.empty() && taken_bytes + size > limits_.message_bytes) break;
    taken_bytes += size;
    taken.push_back(std::move(from.front()));
    from.pop_front();
  }
  bytes_ -= taken_bytes;
  return taken;
}

}  // namespace lazymesh::als
