#include "egress/deadline_wheel.h"

#include <algorithm>

namespace lazymesh::egress {

void Deadline::set(SteadyTime at) {
  at_ = at;
  // A slot that is looked at before then will do: it is placed anew there.
  if (at < looked_at_) wheel_.place(*this);
}

void Deadline::unlink() {
  if (previous_ == nullptr) return;
  *previous_ = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  next_ = nullptr;
  previous_ = nullptr;
  looked_at_ = kNever;
}

std::uint64_t DeadlineWheel::tick_of(SteadyTime at) const {
  if (at <= start_) return 0;
  return static_cast<std::uint64_t>((at - start_ + kSlot - std::chrono::nanoseconds(1)) / kSlot);
}

void DeadlineWheel::place(Deadline& deadline) {
  deadline.unlink();
  const auto tick = std::clamp(tick_of(deadline.at_), swept_ + 1, swept_ + kSlots - 1);
  auto*& slot = slots_[tick % kSlots];
  deadline.next_ = slot;
  deadline.previous_ = &slot;
  if (slot != nullptr) slot->previous_ = &deadline.next_;
  slot = &deadline;
  deadline.looked_at_ = start_ + tick * kSlot;
  if (deadline.looked_at_ < asked_) {
    asked_ = deadline.looked_at_;
    ask_(asked_);
  }
}

void DeadlineWheel::advance(SteadyTime now) {
  if (now < start_) return;
  asked_ = SteadyTime::min();  // nothing is asked for until the end
  const auto last = static_cast<std::uint64_t>((now - start_) / kSlot);
  // After a long sleep one round over all slots sees every deadline.
  if (last > swept_ + kSlots) swept_ = last - kSlots;
  while (swept_ < last) {
    ++swept_;
    // Taken off one by one: expired() may unlink any other.
    Deadline* due = slots_[swept_ % kSlots];
    slots_[swept_ % kSlots] = nullptr;
    if (due != nullptr) due->previous_ = &due;
    while (due != nullptr) {
      Deadline& deadline = *due;
      deadline.unlink();
      if (deadline.at_ == Deadline::kNever) continue;
      if (deadline.at_ > now) {
        place(deadline);
      } else {
        deadline.at_ = Deadline::kNever;
        deadline.expired();
      }
    }
  }
  asked_ = next();
  if (asked_ != SteadyTime::max()) ask_(asked_);
}

SteadyTime DeadlineWheel::next() const {
  for (std::size_t i = 1; i <= kSlots; ++i) {
    if (slots_[(swept_ + i) % kSlots] != nullptr) return start_ + (swept_ + i) * kSlot;
  }
  return SteadyTime::max();
}

}  // namespace lazymesh::egress
