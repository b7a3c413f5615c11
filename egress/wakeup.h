#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/post.hpp>

#include "egress/asio.h"

namespace lazymesh::egress {

/// Told by a Stream that its socket has become ready.
class ReadyListener {
 public:
  virtual void on_ready() = 0;

 protected:
  ~ReadyListener() = default;
};

/// What one coroutine sleeps on: sockets, deadlines and answers all wake it, and it looks for
/// itself what has come. So one coroutine drives both sides of a connection. One thread.
class Wakeup final : public ReadyListener {
 public:
  Wakeup() = default;
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  /// Returns once notify() has been called since the last sleep ended.
  Awaitable<> sleep() {
    constexpr asio::use_awaitable_t<Executor> kToken;
    return asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
        [this](Handler handler) {
          if (notified_) {
            notified_ = false;
            asio::post(std::move(handler));
            return;
          }
          handler_.emplace(std::move(handler));
        },
        kToken);
  }

  /// Runs the sleeping coroutine at once, on this stack; call it last.
  void notify() {
    if (!handler_) {
      notified_ = true;
      return;
    }
    Handler handler = std::move(*handler_);
    handler_.reset();
    handler();
  }
  void on_ready() override { notify(); }

 private:
  using Handler =
      asio::async_result<std::decay_t<asio::use_awaitable_t<Executor>>, void()>::handler_type;

  std::optional<Handler> handler_;
  bool notified_ = false;
};

}  // namespace lazymesh::egress
