#include "als/backoff.h"

#include <algorithm>

namespace lazymesh::als {

std::chrono::milliseconds Backoff::next(double random) {
  const auto base = next_;
  next_ = std::min(next_ * 2, limits_.longest);
  return std::chrono::milliseconds(
      static_cast<std::int64_t>(static_cast<double>(base.count()) * (0.5 + random / 2)));
}

}  // namespace lazymesh::als
