#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "base/result.h"
#include "lazy-controller/publish/xds/messages.h"

namespace lazymesh::publish::xds {

/// What a client is to hold under one name.
struct Wish {
  enum class Kind {
    kPresent,  ///< `entry`
    kAbsent,   ///< nothing
    kKeep,     ///< whatever it holds
  };
  Kind kind = Kind::kAbsent;
  EntryPtr entry = nullptr;
};

/// What a client is to hold, asked for by the subscriptions when they make a response.
class Desired {
 public:
  virtual ~Desired() = default;
  virtual Wish find(ResourceType type, const Name& name) const = 0;
  /// What a wildcard subscription stands for: each once.
  virtual void each(ResourceType type, const std::function<void(const EntryPtr&)>& visit) const = 0;
  /// What the client may have from before beside that, and may not lose yet: for a reconnected
  /// client that could not say what it holds.
  virtual void each_former(ResourceType, const std::function<void(const EntryPtr&)>&) const {}
};

/// What one client holds of one resource type, as far as we know, and what it has to be told: told
/// requests and which names may have changed, it makes responses. One implementation a protocol
/// variant. Costs some 24 bytes a resource. Pure.
class Subscription {
 public:
  /// What a request meant.
  enum class Heard {
    kSubscription,  ///< which names are wanted, no answer to a response
    kAck,
    kNack,
    kStale,  ///< an answer to a response that is no longer the last
  };

  struct Limits {
    std::size_t max_names = 200'000;  ///< subscribed to by name
    /// Responses that the client has not answered yet; while there are so many, changes gather.
    std::size_t max_unanswered = 1000;
  };

  virtual ~Subscription() = default;

  /// kResourceExhausted if the client asks for too many names.
  virtual Result<Heard> on_request(const Request& request) = 0;
  /// What is wished under the name may have changed; `force`: it is sent even if it did not, as it
  /// is not known what the client has of it.
  /// Without effect for names that the client did not subscribe to.
  virtual void mark(const Name& name, bool force) = 0;
  /// The client holds this, in a version that we do not know.
  virtual void claim(const Name& name) = 0;

  /// Whether next() might have something to say.
  virtual bool pending() const = 0;
  /// The difference between what the client holds and what it should; none if there is none.
  virtual std::optional<Response> next(const Desired& desired, std::uint64_t nonce) = 0;

  /// Whether the client ever asked for this type.
  virtual bool asked() const = 0;
  /// Whether its first request said that it holds something from an earlier stream.
  virtual bool reconnected() const = 0;
  virtual bool wants(const Name& name) const = 0;
  virtual bool holds(const Name& name) const = 0;
  virtual void each_held(const std::function<void(const Name&)>& visit) const = 0;
  virtual std::size_t held() const = 0;
};

/// The version of a set of resources does not depend on their order, so that it can be kept up to
/// date one resource at a time: the sum of these.
std::uint64_t version_share(const Name& name, std::uint64_t version);

}  // namespace lazymesh::publish::xds
