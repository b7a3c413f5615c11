#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "lazy-controller/publish/xds/messages.h"
#include "lazy-controller/publish/xds/source.h"
#include "lazy-controller/publish/xds/subscription.h"

namespace lazymesh::publish::xds {

/// The protocol of one stream: told requests, it says which response is to be sent next. One
/// response is made at a time, when the last one has left: what happens meanwhile gathers, so that
/// a slow client costs no memory. Pure.
class Stream {
 public:
  /// What has been said about one type.
  struct Counts {
    std::uint64_t responses = 0;
    std::uint64_t acks = 0;
    std::uint64_t nacks = 0;
    std::uint64_t acked_version = 0;
    std::string last_nack;  ///< empty if the last answer was an ACK
  };
  enum class Answer { kNone, kAck, kNack };

  /// The source must outlive the stream.
  Stream(Variant variant, Names& names, Source& source, const Subscription::Limits& limits);

  /// Take a request; an error ends the stream.
  Result<Answer> on_request(SteadyTime now, const Request& request);
  /// What to send now, in the order clusters, endpoints, listeners, routes; none if the client has
  /// all it should.
  std::optional<Response> next(SteadyTime now);

  const Subscription& subscription(ResourceType type) const { return *of(type).subscription; }
  const Counts& counts(ResourceType type) const { return of(type).counts; }

 private:
  struct Type {
    std::unique_ptr<Subscription> subscription;
    Counts counts;
    // Of the last responses, by nonce modulo their number: which version is acknowledged.
    std::array<std::pair<std::uint64_t, std::uint64_t>, 8> versions{};
  };
  Type& of(ResourceType type) { return types_[static_cast<std::size_t>(type)]; }
  const Type& of(ResourceType type) const { return types_[static_cast<std::size_t>(type)]; }

  void first_request(SteadyTime now, const Request& request);
  Answer answered(SteadyTime now, const Request& request, bool refused);
  void apply_changes(SteadyTime now);

  Variant variant_;
  Names& names_;
  Source& source_;
  std::array<Type, 4> types_;
  std::uint64_t last_nonce_ = 0;
};

}  // namespace lazymesh::publish::xds
