#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "egress/on_demand/destination.h"

namespace lazymesh::egress {

/// Where an event loop gets callers and destinations from: asked once, then kept up to date.
///
/// A loop calls watch_…() on its first miss and keeps waiting requests itself; the answer comes to
/// the loop's Observer on the loop's own thread, first as the answer and then again at each change,
/// until the on-demand client lets go of the key (idle, or above its limit), which the Observer is
/// told too. Two loops that ask for one key share one subscription. All methods may be called from
/// any loop's thread and do not block.
class OnDemand {
 public:
  class Observer {
   public:
    virtual ~Observer() = default;
    /// The caller's workload; kNotFound if the addresses belong to no workload (or not to the same
    /// one); kDeadlineExceeded, kUnavailable or kResourceExhausted (too many unanswered at once) if
    /// there is no answer (not remembered: ask again at the next request).
    virtual void on_caller(const CallerKey& key, Result<CallerPtr> caller) = 0;
    /// kNotFound with the reason if the host is unknown or not visible (to be remembered until told
    /// otherwise, by a later call or on_forget); kDeadlineExceeded or kUnavailable if there is no
    /// answer in time (not remembered).
    virtual void on_destination(const DestinationKey& key, Result<DestinationPtr> destination) = 0;
    /// No longer kept up to date: drop it; the next use must watch again.
    virtual void on_forget_caller(const CallerKey& key) = 0;
    virtual void on_forget_destination(const DestinationKey& key) = 0;
  };

  /// How the client reaches a loop: runs the function on the loop's thread.
  using Post = std::function<void(std::function<void()>)>;

  virtual ~OnDemand() = default;

  /// Register a loop, before it asks for anything. Returns its number. The observer outlives the
  /// client.
  virtual std::size_t attach(Observer& observer, Post post) = 0;
  virtual void watch_caller(std::size_t loop, const CallerKey& key) = 0;
  virtual void watch_destination(std::size_t loop, const DestinationKey& key) = 0;
};

}  // namespace lazymesh::egress
