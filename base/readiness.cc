#include "base/readiness.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

namespace lazymesh {

struct Readiness::State {
  struct Reason {
    std::string text;
    bool blocks;
  };

  std::uint64_t add(std::string text, bool blocks) {
    const std::lock_guard lock(mutex);
    reasons.emplace(++last_id, Reason{std::move(text), blocks});
    return last_id;
  }

  std::vector<std::string> list(bool blocks) const {
    const std::lock_guard lock(mutex);
    std::vector<std::string> texts;
    for (const auto& [id, reason] : reasons) {
      if (reason.blocks == blocks) texts.push_back(reason.text);
    }
    return texts;
  }

  mutable std::mutex mutex;
  std::uint64_t last_id = 0;
  std::map<std::uint64_t, Reason> reasons;
};

Readiness::Token::Token(std::shared_ptr<State> state, std::uint64_t id)
    : state_(std::move(state)), id_(id) {}

Readiness::Token& Readiness::Token::operator=(Token&& other) noexcept {
  if (this != &other) {
    clear();
    state_ = std::move(other.state_);
    id_ = other.id_;
  }
  return *this;
}

Readiness::Token::~Token() { clear(); }

void Readiness::Token::clear() {
  const auto state = std::exchange(state_, nullptr);
  if (!state) return;
  const std::lock_guard lock(state->mutex);
  state->reasons.erase(id_);
}

Readiness::Readiness() : state_(std::make_shared<State>()) {}

Readiness::Token Readiness::block(std::string reason) {
  return {state_, state_->add(std::move(reason), true)};
}

Readiness::Token Readiness::warn(std::string reason) {
  return {state_, state_->add(std::move(reason), false)};
}

std::vector<std::string> Readiness::blockers() const { return state_->list(true); }
std::vector<std::string> Readiness::warnings() const { return state_->list(false); }

}  // namespace lazymesh
