#include "egress/on_demand/sotw.h"

#include <utility>

namespace lazymesh::egress {

void SotwSubscription::add(std::string name) {
  if (names_.insert(std::move(name)).second) due_ = true;
}

void SotwSubscription::remove(const std::string& name) {
  if (names_.erase(name) > 0) due_ = true;
}

void SotwSubscription::on_stream_open() {
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
  due_ = false;
  return AdsRequest{
      type_, {names_.begin(), names_.end()}, version_, nonce_, std::exchange(error_, {})};
}

}  // namespace lazymesh::egress
