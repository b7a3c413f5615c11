#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "lazy-controller/publish/xds/catalog.h"
#include "lazy-controller/publish/xds/source.h"

namespace lazymesh::publish::xds {

/// What one sidecar should be told in the end.
struct Target {
  FramePtr frame;
  ItemsPtr services;
};

/// Make before break, for one sidecar: no listener and no route names a cluster that the sidecar
/// lacks.
///
/// - A service's listeners and routes are told once its clusters, and those of the services that
/// its
///   routes lead to, are *warm*. Evidence of it is the ACK of the response that carried the cluster
///   (Envoy holds it back while anything warms) or the ACK of endpoints sent after it (so that one
///   cluster that does not warm holds up no other's route), unless Envoy checks their health first
///   or has ceased to ask for them.
///   Clusters of a new client's first response need none: Envoy warms them before it asks for
///   listeners.
/// - A cluster is withdrawn once no listener and no route that may be in force names it: those
///   acknowledged last, those in flight, and after a reconnect whatever the client had, until it
///   acknowledged new ones.
/// - A changed cluster makes Envoy warm it anew, so its endpoints are sent behind it once more.
/// - A service is set aside if because of it the client refuses all that comes with it: it is what
///   it was before, or left out, until it is changed.
///
/// Without evidence for the deadline, a cluster is reported as overdue; its own route still waits.
class Sequencer final : public Source {
 public:
  Sequencer(Catalog& catalog, Variant variant, std::chrono::nanoseconds warming_deadline,
            SteadyTime now, Target target);

  void retarget(Target target);
  const Target& target() const { return target_; }

  Wish find(ResourceType type, const Name& name) const override;
  void each(ResourceType type, const std::function<void(const EntryPtr&)>& visit) const override;
  void each_former(ResourceType type,
                   const std::function<void(const EntryPtr&)>& visit) const override;
  bool open(ResourceType type, SteadyTime now) const override;
  void asked(SteadyTime now, ResourceType type, const Subscription& subscription) override;
  void sent(SteadyTime now, const Response& response) override;
  void unchanged(SteadyTime now, ResourceType type) override;
  void acked(SteadyTime now, ResourceType type, std::uint64_t nonce) override;
  void refused(SteadyTime now, ResourceType type, std::uint64_t nonce,
               std::string_view words) override;
  void registry_changed(std::span<const Name> names) override;
  std::vector<Change> take_changes(SteadyTime now) override;
  std::optional<SteadyTime> deadline() const override;
  void tick(SteadyTime now) override;

  /// Why a service is set aside, in the client's words; empty if none is for this type.
  std::string_view refusal(ResourceType type) const;

  /// Hosts of services whose routes wait for evidence of their clusters, or that are set aside.
  std::vector<std::string> pending() const;
  /// How long clusters took to warm, since the last call.
  std::vector<std::chrono::nanoseconds> take_warmed();
  /// Clusters that became overdue since the last call.
  std::vector<std::string> take_overdue();

 private:
  // What the listeners and routes of one moment are made from.
  struct Told {
    FramePtr frame;  // null: no listeners, no routes
    ItemsPtr services;
  };
  using ToldPtr = std::shared_ptr<const Told>;

  // A cluster that the client was sent and is not known to have.
  struct Cold {
    SteadyTime since;
    std::uint64_t nonce = 0;  // of the response with it: no answer to an earlier one is evidence
    bool is_checked = false;  // nor are its endpoints
    bool refused = false;
    bool overdue = false;
  };
  // Responses that the client has not answered.
  struct ClustersInFlight {
    std::uint64_t nonce;
    std::vector<Name> added;
    std::vector<Name> updated;
    std::vector<Name> removed;
    std::vector<EntryPtr> resources;
  };
  // A service whose clusters changed, as it was, until the client has accepted the new ones.
  struct Before {
    ItemPtr item;
    std::uint64_t nonce = 0;  // of the response with the new ones; 0: not sent yet
  };
  struct Aside {
    ItemPtr item;
    ItemPtr instead;  // null: it is left out
    ResourceType type;
    std::string words;
  };
  struct EndpointsInFlight {
    std::uint64_t nonce;
    std::vector<Name> names;  // the cold ones among them
  };
  // Listeners or routes that may be in force: the first is in force unless a later one is.
  struct Possible {
    std::uint64_t nonce;  // of the response; 0: from before this stream
    ToldPtr told;         // null: unknown
  };
  struct Lingering {
    EntryPtr cluster;
    EntryPtr endpoints;  // null: a cluster of no service
  };

  static bool routed(ResourceType type) {
    return type == ResourceType::kListener || type == ResourceType::kRoutes;
  }
  std::deque<Possible>& possible(ResourceType type) {
    return possible_[type == ResourceType::kRoutes];
  }
  bool& refused_last(ResourceType type) { return refused_[type == ResourceType::kRoutes]; }
  const Subscription* subscription(ResourceType type) const {
    return subscriptions_[static_cast<std::size_t>(type)];
  }

  bool unknown_in_force() const;
  bool routes_asked() const;
  bool expects_evidence() const;
  bool waiting_is_over(SteadyTime now) const { return now >= opened_ + warming_deadline_; }
  const EntryPtr* base_cluster(const Name& name) const;
  bool has(const Name& name) const;
  bool has_base() const;
  bool keeps_fallback(SteadyTime now, const ItemsPtr& services);
  bool has_clusters(const Item& item) const;
  bool may_be_routed(const Item& item) const;
  bool has_cold(const Item& item) const;

  void cool_unconfirmed(SteadyTime now);
  void send_endpoints_again(const Name& name);
  void sent_clusters(SteadyTime now, const Response& response);
  void accept_clusters(SteadyTime now, const ClustersInFlight& response);
  void refuse_clusters(SteadyTime now, const ClustersInFlight& response, std::string_view words);
  absl::flat_hash_set<Name> names_in(std::string_view words) const;
  void reject_clusters(SteadyTime now, const ClustersInFlight& response, std::string_view words);
  bool is_users(const Name& name) const;
  void forget_before(std::string_view host, const EntryPtr& cluster);
  void set_aside(ResourceType type, const ItemPtr& item, const ItemPtr& instead,
                 std::string_view words);
  void refuse_routes(std::uint64_t nonce, std::string_view words);
  void follow_target();
  void warm(SteadyTime now, const Name& name, std::uint64_t nonce);
  void changed_services(const Items& before, const Items& after);
  void settle(SteadyTime now);
  ItemsPtr routable() const;
  void tell(Told told);
  void update_lingering();
  void linger(const Frame& frame, const std::vector<ItemPtr>& items,
              absl::flat_hash_map<Name, Lingering>& into) const;
  void forget_unknown();

  Catalog& catalog_;
  Variant variant_;
  std::chrono::nanoseconds warming_deadline_;
  SteadyTime opened_;
  Target target_;
  ItemsPtr services_;                                // of target_, but for those that are set aside
  absl::flat_hash_map<std::string, Aside> aside_;    // by host
  absl::flat_hash_map<std::string, Before> before_;  // by host
  std::array<const Subscription*, 4> subscriptions_{};

  bool waited_ = false;         // the deadline since the start has been dealt with
  bool clusters_told_ = false;  // the client's first request for clusters has been dealt with
  bool unsettled_ = true;       // what may be told could be another
  std::optional<SteadyTime> leaving_since_;  // told_ still has the fallback of a lazy sidecar
  ToldPtr told_;                             // null: nothing yet
  std::vector<EntryPtr> listeners_;          // of told_, ascending by name

  absl::flat_hash_map<Name, Cold> cold_;
  absl::flat_hash_map<Name, Lingering> lingering_;  // clusters that are not in target_ any more
  std::deque<ClustersInFlight> clusters_in_flight_;
  std::deque<EndpointsInFlight> endpoints_in_flight_;
  std::array<std::deque<Possible>, 2> possible_;  // of listeners, of routes; never empty
  std::array<bool, 2> refused_{};
  bool was_unknown_ = false;
  std::vector<Name> endpoints_owed_;  // clusters sent before endpoints were asked for

  std::vector<Change> changes_;
  std::vector<std::chrono::nanoseconds> warmed_;
  std::vector<std::string> overdue_;
};

/// The words of an error message that may be names of resources: Envoy says which it refuses.
std::vector<std::string_view> mentioned(std::string_view words);

}  // namespace lazymesh::publish::xds
