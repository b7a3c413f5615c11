#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>

#include "base/clock.h"

namespace lazymesh::egress {

class DeadlineWheel;

/// Something that must happen by a time unless the time is moved. Moving it later is one store.
/// Derive and implement expired(). One thread.
class Deadline {
 public:
  explicit Deadline(DeadlineWheel& wheel) : wheel_(wheel) {}
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void set(SteadyTime at);
  void clear() { at_ = kNever; }
  bool is_set() const { return at_ != kNever; }

 protected:
  ~Deadline() { unlink(); }
  /// The time has come; the deadline is clear and may be set again. May destroy this or others.
  virtual void expired() = 0;

 private:
  friend class DeadlineWheel;
  static constexpr SteadyTime kNever = SteadyTime::max();
  void unlink();

  DeadlineWheel& wheel_;
  SteadyTime at_ = kNever;
  SteadyTime looked_at_ = kNever;  ///< when its slot is swept; kNever: in no slot
  Deadline* next_ = nullptr;
  Deadline** previous_ = nullptr;  ///< what points here
};

/// All deadlines of a loop, in slots of 10 ms: one timer a loop sweeps them (measured: a timer a
/// request more than doubles its cost). Fires late by up to a slot and never early. No I/O: the
/// owner calls advance() by the time that it was last asked to.
class DeadlineWheel {
 public:
  static constexpr std::chrono::milliseconds kSlot{10};
  /// Slots: 10 s. A later deadline waits in the furthest slot and is looked at again.
  static constexpr std::size_t kSlots = 1024;

  /// `ask` is called with the time by which advance() is to be called, whenever that gets earlier
  /// and after each advance() that leaves deadlines behind.
  DeadlineWheel(SteadyTime now, std::function<void(SteadyTime)> ask)
      : start_(now), ask_(std::move(ask)) {}
  DeadlineWheel(const DeadlineWheel&) = delete;
  DeadlineWheel& operator=(const DeadlineWheel&) = delete;

  void advance(SteadyTime now);

 private:
  friend class Deadline;
  SteadyTime next() const;
  void place(Deadline& deadline);
  std::uint64_t tick_of(SteadyTime at) const;

  SteadyTime start_;
  std::uint64_t swept_ = 0;  ///< ticks up to and with this one have been swept
  std::array<Deadline*, kSlots> slots_{};
  std::function<void(SteadyTime)> ask_;
  SteadyTime asked_ = SteadyTime::max();
};

}  // namespace lazymesh::egress
