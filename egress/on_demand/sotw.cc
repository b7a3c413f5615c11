#include "egress/on_demand/sotw.h"

#include <utility>

namespace lazymesh::egress {

void SotwSubscription::add(std::string name) {
  const auto [added, is_new] = names_.insert(std::move(name));
  if (!is_new) return;
  due_ = true;
  if (told_.contains(*added)) again_.insert(*added);
}

void SotwSubscription::remove(const std::string& name) {
  if (names_.erase(name) == 0) return;
  due_ = true;
  again_.erase(name);
}

void SotwSubscription::on_stream_open() {
  told_.clear();
  again_.clear();
  version_.clear();
  nonce_.clear();
  error_.clear();
  due_ = !names_.empty();
}

void SotwSubscription::on_response(std::string version, std::string nonce, std::string error) {
  if (error.empty()) version_ = std::move(version);
  nonce_ = std::move(nonce);
  error_ = std::move(error);
  due_ = true;
}

std::optional<AdsRequest> SotwSubscription::next() {
  if (!due_ || (names_.empty() && type_ == ResourceType::kCluster)) return std::nullopt;
  auto names = names_;
  // A server answers names that are new to it: first show it the list without them.
  for (const auto& name : again_) names.erase(name);
  if (names.empty() && type_ == ResourceType::kCluster) names = names_;
  due_ = !again_.empty();
  again_.clear();
  told_ = names;
  return AdsRequest{
      type_, {names.begin(), names.end()}, version_, nonce_, std::exchange(error_, {})};
}

}  // namespace lazymesh::egress
