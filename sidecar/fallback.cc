#include "sidecar/fallback.h"

namespace lazymesh::sidecar {

Fallback fallback_of(const Subject& subject) {
  if (subject.mode == mesh::LazyMode::kEnabled) return Fallback::kEgress;
  const auto& settings = subject.registry.settings();
  const bool any = settings.outbound == mesh::OutboundPolicy::kAllowAny &&
                   settings.shape == mesh::SidecarShape::kTransparent;
  return any ? Fallback::kPassthrough : Fallback::kRefuse;
}

}  // namespace lazymesh::sidecar
