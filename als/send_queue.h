#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "als/sender.h"

namespace lazymesh::als {

/// Access log entries that wait to be sent, bounded by bytes. Pure; not thread safe.
class SendQueue {
 public:
  struct Limits {
    std::size_t max_bytes = 4 * 1024 * 1024;      ///< above it, entries are refused
    std::size_t flush_bytes = 16 * 1024;          ///< from here on a message is due at once
    std::size_t message_bytes = 256 * 1024;       ///< about as much goes into one message
    std::chrono::milliseconds flush_interval{5};  ///< an entry waits at most this long
  };

  explicit SendQueue(Limits limits) : limits_(limits) {}

  /// False if the queue is full: the entry is dropped.
  bool push(SteadyTime now, AccessLogEntry entry);
  /// When a message should be sent, perhaps in the past; nullopt if nothing waits.
  std::optional<SteadyTime> due() const;
  /// The oldest entries of one kind (a message has HTTP or TCP entries), HTTP and TCP in turn;
  /// empty if nothing waits.
  std::vector<AccessLogEntry> take();

  bool empty() const { return http_.empty() && tcp_.empty(); }
  std::size_t size() const { return http_.size() + tcp_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  Limits limits_;
  std::deque<AccessLogEntry> http_;
  std::deque<AccessLogEntry> tcp_;
  std::size_t bytes_ = 0;
  SteadyTime first_;  // when the queue became non-empty
  bool last_was_http_ = false;
};

/// About what an entry takes, queued or on the wire.
std::size_t size_of(const AccessLogEntry& entry);

}  // namespace lazymesh::als
