#include "lazy-controller/publish/xds/stream.h"

#include <charconv>
#include <utility>

#include "lazy-controller/publish/xds/delta_subscription.h"
#include "lazy-controller/publish/xds/sotw_subscription.h"

namespace lazymesh::publish::xds {

Stream::Stream(Variant variant, Names& names, Source& source, const Subscription::Limits& limits)
    : variant_(variant), names_(names), source_(source) {
  for (const auto type : sidecar::kResourceTypes) {
    auto& subscription = of(type).subscription;
    if (variant == Variant::kDelta) {
      subscription = std::make_unique<DeltaSubscription>(type, names, limits);
    } else {
      subscription = std::make_unique<SotwSubscription>(type, names, limits);
    }
  }
}

Result<Stream::Answer> Stream::on_request(SteadyTime now, const Request& request) {
  auto& subscription = *of(request.type).subscription;
  const bool first = !subscription.asked();
  const auto heard = subscription.on_request(request);
  if (!heard) return tl::unexpected(heard.error());
  if (first) first_request(now, request);
  switch (*heard) {
    case Subscription::Heard::kAck:
      return answered(now, request, false);
    case Subscription::Heard::kNack:
      return answered(now, request, true);
    case Subscription::Heard::kSubscription:
    case Subscription::Heard::kStale:
      break;
  }
  return Answer::kNone;
}

void Stream::first_request(SteadyTime now, const Request& request) {
  source_.asked(now, request.type, *of(request.type).subscription);
  if (variant_ == Variant::kDelta || request.type != ResourceType::kEndpoints) return;
  // A client that reconnects asks for the endpoints of the clusters that it has, and so tells them:
  // those from before, not those that it was sent meanwhile. A new one asks for clusters first.
  auto& clusters = *of(ResourceType::kCluster).subscription;
  const bool reconnected = !clusters.asked() || clusters.reconnected();
  if (!reconnected || of(ResourceType::kCluster).counts.responses > 0) return;
  for (const auto& name : request.names) clusters.claim(names_.intern(name));
}

Stream::Answer Stream::answered(SteadyTime now, const Request& request, bool refused) {
  std::uint64_t nonce = 0;
  std::from_chars(request.nonce.data(), request.nonce.data() + request.nonce.size(), nonce);
  auto& type = of(request.type);
  if (refused) {
    ++type.counts.nacks;
    type.counts.last_nack = cut(*request.error, kMaxWords);
    source_.refused(now, request.type, nonce, *request.error);
    return Answer::kNack;
  }
  ++type.counts.acks;
  type.counts.last_nack.clear();
  const auto& [of_nonce, version] = type.versions[nonce % type.versions.size()];
  if (of_nonce == nonce) type.counts.acked_version = version;
  source_.acked(now, request.type, nonce);
  return Answer::kAck;
}

void Stream::apply_changes(SteadyTime now) {
  for (const auto& change : source_.take_changes(now)) {
    of(change.type).subscription->mark(change.name, change.force);
  }
}

std::optional<Response> Stream::next(SteadyTime now) {
  apply_changes(now);
  for (bool again = true; again;) {
    again = false;
    for (const auto type : sidecar::kResourceTypes) {
      auto& state = of(type);
      if (!state.subscription->pending() || !source_.open(type, now)) continue;
      auto response = state.subscription->next(source_, last_nonce_ + 1);
      if (response) {
        ++last_nonce_;
        ++state.counts.responses;
        state.versions[response->nonce % state.versions.size()] = {response->nonce,
                                                                   response->version};
        source_.sent(now, *response);
        return response;
      }
      // That there is nothing to say may be what another type waited for.
      source_.unchanged(now, type);
      apply_changes(now);
      again = true;
      break;
    }
  }
  return std::nullopt;
}

}  // namespace lazymesh::publish::xds
