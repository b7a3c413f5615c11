#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lazy-controller/publish/xds/entry.h"
#include "lazy-controller/publish/xds/weak_map.h"
#include "mesh/registry.h"
#include "sidecar/configuration.h"

namespace lazymesh::publish::xds {

/// A service as clients are told of it: its resources, made once for all of them. Control thread.
class Item {
 public:
  struct Port {
    std::uint16_t number;
    Name name;  ///< of its cluster and its endpoints
    EntryPtr cluster;
    EntryPtr endpoints;
  };

  Item(mesh::ServicePtr service, std::vector<Port> ports)
      : service_(std::move(service)), ports_(std::move(ports)) {}

  const mesh::ServicePtr& service() const { return service_; }
  const std::string& host() const { return service_->host; }
  const std::vector<Port>& ports() const { return ports_; }
  const Port* find(std::uint16_t number) const;

 private:
  friend class Catalog;
  mesh::ServicePtr service_;
  std::vector<Port> ports_;
  // The virtual host for callers of other namespaces and of its own; made when first asked for.
  mutable std::array<std::unique_ptr<const std::string>, 2> virtual_hosts_;
};
using ItemPtr = std::shared_ptr<const Item>;

/// A set of services, ascending by host.
class Items {
 public:
  explicit Items(std::vector<ItemPtr> list) : list_(std::move(list)) {}

  const std::vector<ItemPtr>& list() const { return list_; }
  /// By host; null if it is not among them.
  const ItemPtr* find(std::string_view host) const;
  /// By cluster name; null if there is none.
  const Item::Port* find_port(std::string_view cluster_name) const;
  bool contains(const ItemPtr& item) const;
  /// Those that listeners are made of: with a port that is not HTTP.
  const std::vector<ItemPtr>& with_listeners() const;

 private:
  friend class Catalog;
  std::vector<ItemPtr> list_;
  mutable std::optional<std::vector<ItemPtr>> with_listeners_;  // made when first asked for
  // The route configurations made of this set that somebody still needs, by what else they depend
  // on.
  mutable WeakMap<std::uint64_t, Entry> routes_;
};
using ItemsPtr = std::shared_ptr<const Items>;

/// What a sidecar is told depends on, besides the services: who it is and what holds for all. The
/// same is the same pointer.
struct Frame {
  /// Not always the newest: the first of those for which it is the same.
  std::shared_ptr<const mesh::Registry> registry;
  mesh::WorkloadPtr workload;
  mesh::LazyMode mode;
  std::vector<EntryPtr> base;  ///< clusters of no service

 private:
  friend class Catalog;
  // The listeners last made, and the services that they depend on.
  mutable std::vector<ItemPtr> listened_;
  mutable std::vector<EntryPtr> listeners_;
};
using FramePtr = std::shared_ptr<const Frame>;

/// The resources that exist. Made from the registry when first needed, shared by all clients that
/// need them and forgotten with the last; equal content is held once. Pure. Control thread.
class Catalog {
 public:
  explicit Catalog(Names& names);

  /// Services that differ between two registries: either pointer may be null.
  struct Change {
    mesh::ServicePtr before;
    mesh::ServicePtr after;
  };
  /// A new registry is in force; answers with what is another.
  std::vector<Change> set_registry(std::shared_ptr<const mesh::Registry> registry);
  const std::shared_ptr<const mesh::Registry>& registry() const { return registry_; }
  Names& names() { return names_; }

  ItemPtr item(const mesh::ServicePtr& service);
  ItemsPtr items(const std::vector<mesh::ServicePtr>& services);
  /// The same set is the same pointer.
  ItemsPtr items(std::vector<ItemPtr> list);
  /// All services that may be seen from a namespace.
  ItemsPtr visible_from(const std::string& from_namespace);

  FramePtr frame(mesh::WorkloadPtr workload);
  /// The clusters of no service that the frame's workload has in one mode or another.
  std::vector<EntryPtr> base_of_any_mode(const Frame& frame);
  std::vector<EntryPtr> listeners(const Frame& frame, const Items& items);
  EntryPtr routes(const Frame& frame, const Items& items);

  /// The port of an existing service by the name of its cluster, and the service.
  std::optional<std::pair<ItemPtr, const Item::Port*>> find(std::string_view cluster_name);
  /// The user's routes for a service port; null if there are none.
  EntryPtr user_routes(std::string_view cluster_name);
  /// For names that nothing is known about: no endpoints, no routes.
  EntryPtr no_endpoints(std::string_view name);
  EntryPtr no_routes(std::string_view name);

 private:
  EntryPtr entry(const sidecar::Resource& resource, bool has_endpoints = false,
                 bool is_checked = false);
  std::vector<EntryPtr> base_clusters(const sidecar::Subject& subject);
  Names& names_;
  std::shared_ptr<const mesh::Registry> registry_;
  std::shared_ptr<const mesh::Registry> frame_registry_;  // of all frames made now
  WeakMap<mesh::WorkloadId, Frame> frames_;
  WeakMap<const mesh::Service*, Item> items_;
  WeakMap<std::uint64_t, Items> sets_;      // by what is in them
  WeakMap<std::string, Items> visible_;     // by namespace
  WeakMap<std::uint64_t, Entry> interned_;  // by content
};

}  // namespace lazymesh::publish::xds
