#include "lazy-controller/publish/xds/subscription.h"

namespace lazymesh::publish::xds {

// SplitMix64's finalizer (Steele, Lea, Flood 2014): every bit of the input moves every bit of the
// output, so that sums of shares do not cancel out.
std::uint64_t version_share(const Name& name, std::uint64_t version) {
  std::uint64_t mixed = name.hash() + 0x9e3779b97f4a7c15 * version;
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
  return mixed ^ mixed >> 31;
}

}  // namespace lazymesh::publish::xds
