#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "base/clock.h"

namespace lazymesh::egress {

/// How long to wait before a stream is opened again: doubling from `base` to `cap`, each wait drawn
/// evenly from its upper half, so that many clients do not come back at once.
struct BackoffOptions {
  std::chrono::milliseconds base{100};
  std::chrono::milliseconds cap{5'000};
};

/// The life of one stream to the control plane, from attempt to attempt. Pure.
class Link {
 public:
  enum class State { kWaiting, kConnecting, kOpen };

  explicit Link(BackoffOptions options) : options_(options), wait_(options.base) {}

  State state() const { return state_; }
  bool open() const { return state_ == State::kOpen; }
  /// kWaiting: when to try again.
  SteadyTime retry_at() const { return retry_at_; }
  bool due(SteadyTime now) const { return state_ == State::kWaiting && now >= retry_at_; }
  /// Why the last attempt ended; empty before the first end.
  const std::string& last_error() const { return last_error_; }

  void on_attempt() { state_ = State::kConnecting; }
  void on_open(SteadyTime now) {
    state_ = State::kOpen;
    opened_at_ = now;
  }
  /// The peer serves: the next wait is a short one again.
  void on_message() { wait_ = options_.base; }
  void on_closed(SteadyTime now, std::string reason, std::uint64_t random) {
    if (open() && now - opened_at_ >= options_.cap) wait_ = options_.base;
    state_ = State::kWaiting;
    last_error_ = std::move(reason);
    const auto half = wait_.count() / 2;
    const auto drawn =
        half + static_cast<std::int64_t>(random % static_cast<std::uint64_t>(half + 1));
    retry_at_ = now + std::chrono::milliseconds(drawn);
    wait_ = std::min(wait_ * 2, options_.cap);
  }
  /// Not to be tried later than then: the peer seems to be back, or is needed.
  void hurry(SteadyTime at) {
    if (state_ == State::kWaiting) retry_at_ = std::min(retry_at_, at);
  }

  SteadyTime opened_at() const { return opened_at_; }

 private:
  BackoffOptions options_;
  std::chrono::milliseconds wait_;
  State state_ = State::kWaiting;
  SteadyTime retry_at_{};
  SteadyTime opened_at_{};
  std::string last_error_;
};

}  // namespace lazymesh::egress
