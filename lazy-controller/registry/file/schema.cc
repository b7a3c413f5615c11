#include "lazy-controller/registry/file/schema.h"

#include <algorithm>

namespace lazymesh::registry {
namespace {

constexpr bool kRequired = true;
constexpr bool kOptional = false;
constexpr std::uint32_t kMaxWeight = 65535;  // so that the sum of a locality's fits 32 bits

Result<mesh::SidecarShape> parse_shape(std::string_view text) {
  if (text == "transparent") return mesh::SidecarShape::kTransparent;
  if (text == "bound") return mesh::SidecarShape::kBound;
  return fail(Code::kInvalidArgument,
              "'" + std::string(text) + "' is no shape; there are transparent, bound");
}

Result<mesh::OutboundPolicy> parse_outbound(std::string_view text) {
  if (text == "REGISTRY_ONLY") return mesh::OutboundPolicy::kRegistryOnly;
  if (text == "ALLOW_ANY") return mesh::OutboundPolicy::kAllowAny;
  return fail(Code::kInvalidArgument,
              "'" + std::string(text) + "' is no policy; there are REGISTRY_ONLY, ALLOW_ANY");
}

Result<mesh::Health> parse_health(std::string_view text) {
  if (text == "healthy") return mesh::Health::kHealthy;
  if (text == "unhealthy") return mesh::Health::kUnhealthy;
  if (text == "draining") return mesh::Health::kDraining;
  if (text == "degraded") return mesh::Health::kDegraded;
  return fail(
      Code::kInvalidArgument,
      "'" + std::string(text) + "' is no health; there are healthy, unhealthy, draining, degraded");
}

constexpr Field<mesh::MeshSettings> kSettings[] = {
    {"clusterDomain", kOptional,
     [](Decoder& in, const Value& value, mesh::MeshSettings& out) {
       out.cluster_domain = in.dns_name(value);
     }},
    {"shape", kOptional,
     [](Decoder& in, const Value& value, mesh::MeshSettings& out) {
       out.shape = in.choice(value, parse_shape);
     }},
    {"outboundTrafficPolicy", kOptional,
     [](Decoder& in, const Value& value, mesh::MeshSettings& out) {
       out.outbound = in.choice(value, parse_outbound);
     }},
    {"lazy", kOptional,
     [](Decoder& in, const Value& value, mesh::MeshSettings& out) {
       out.default_lazy = in.choice(value, mesh::parse_lazy_mode);
     }},
    {"egress", kOptional,
     [](Decoder& in, const Value& value, mesh::MeshSettings& out) {
       in.list(value, [&](const Value& each) {
         const auto address = in.socket_address(each);
         if (std::find(out.egress.begin(), out.egress.end(), address) != out.egress.end()) {
           in.refuse(each, "is there twice");
         }
         out.egress.push_back(address);
       });
     }},
    {"reporters", kOptional,
     [](Decoder& in, const Value& value, mesh::MeshSettings& out) {
       out.reporters = in.addresses(value);
     }},
    {"trustBoundAddresses", kOptional,
     [](Decoder& in, const Value& value, mesh::MeshSettings& out) {
       out.trust_bound_addresses = in.boolean(value);
     }},
};

constexpr Field<mesh::Namespace> kNamespace[] = {
    {"name", kRequired,
     [](Decoder& in, const Value& value, mesh::Namespace& out) { out.name = in.label(value); }},
    {"labels", kOptional,
     [](Decoder& in, const Value& value, mesh::Namespace& out) { out.labels = in.labels(value); }},
};

struct PortDraft {
  mesh::Port port;
  bool has_protocol = false;
};

constexpr Field<PortDraft> kPort[] = {
    {"number", kRequired,
     [](Decoder& in, const Value& value, PortDraft& out) { out.port.number = in.port(value); }},
    {"name", kOptional,
     [](Decoder& in, const Value& value, PortDraft& out) { out.port.name = in.label(value); }},
    {"protocol", kOptional,
     [](Decoder& in, const Value& value, PortDraft& out) {
       out.port.protocol = in.choice(value, mesh::parse_protocol);
       out.has_protocol = true;
     }},
};

// Where no protocol is given, the name's first word is one, as in Istio.
mesh::Port read_port(Decoder& in, const Value& value) {
  PortDraft draft;
  read_mapping(in, value, kPort, draft);
  if (!draft.has_protocol) {
    const std::string_view name = draft.port.name;
    const auto protocol = mesh::parse_protocol(name.substr(0, name.find('-')));
    if (protocol) {
      draft.port.protocol = *protocol;
    } else {
      in.refuse(value,
                "protocol is missing, and name does not begin with one (tcp, tls, http, "
                "http2, grpc)");
    }
  }
  return std::move(draft.port);
}

constexpr Field<mesh::Endpoint> kEndpoint[] = {
    {"address", kRequired,
     [](Decoder& in, const Value& value, mesh::Endpoint& out) {
       out.address.ip = in.address(value);
     }},
    {"port", kRequired,
     [](Decoder& in, const Value& value, mesh::Endpoint& out) {
       out.address.port = in.port(value);
     }},
    {"servicePort", kOptional,
     [](Decoder& in, const Value& value, mesh::Endpoint& out) {
       out.service_port = in.port(value);
     }},
    {"locality", kOptional,
     [](Decoder& in, const Value& value, mesh::Endpoint& out) {
       out.locality = in.locality(value);
     }},
    {"weight", kOptional,
     [](Decoder& in, const Value& value, mesh::Endpoint& out) {
       out.weight = in.number(value, 1, kMaxWeight, "a weight");
     }},
    {"health", kOptional,
     [](Decoder& in, const Value& value, mesh::Endpoint& out) {
       out.health = in.choice(value, parse_health);
     }},
};

constexpr Field<ServiceDraft> kService[] = {
    {"host", kRequired,
     [](Decoder& in, const Value& value, ServiceDraft& out) {
       out.service.host = in.dns_name(value);
     }},
    {"namespace", kRequired,
     [](Decoder& in, const Value& value, ServiceDraft& out) {
       out.service.namespace_ = in.label(value);
     }},
    {"vips", kOptional,
     [](Decoder& in, const Value& value, ServiceDraft& out) {
       out.service.vips = in.addresses(value);
     }},
    {"ports", kRequired,
     [](Decoder& in, const Value& value, ServiceDraft& out) {
       out.service.ports.reserve(value.size());
       in.list(value, [&](const Value& each) { out.service.ports.push_back(read_port(in, each)); });
       if (out.service.ports.empty()) in.refuse(value, "must name at least one port");
     }},
    {"exportTo", kOptional,
     [](Decoder& in, const Value& value, ServiceDraft& out) {
       out.service.export_to.reserve(value.size());
       in.list(value, [&](const Value& each) {
         const auto to = in.text(each);
         const bool special = to == "*" || to == ".";
         out.service.export_to.push_back(special ? std::string(to) : in.label(each));
       });
     }},
    {"endpoints", kOptional,
     [](Decoder& in, const Value& value, ServiceDraft& out) {
       out.service.endpoints.reserve(value.size());
       in.list(value, [&](const Value& each) {
         read_mapping(in, each, kEndpoint, out.service.endpoints.emplace_back());
       });
     }},
    {"routes", kOptional,
     [](Decoder& in, const Value& value, ServiceDraft& out) {
       out.service.routes = read_routes(value, in.problems(), out.targets);
     }},
    {"cluster", kOptional,
     [](Decoder& in, const Value& value, ServiceDraft& out) {
       out.service.cluster = read_cluster(value, in.problems());
     }},
};

constexpr Field<mesh::Workload> kWorkload[] = {
    {"namespace", kRequired,
     [](Decoder& in, const Value& value, mesh::Workload& out) {
       out.id.namespace_ = in.label(value);
     }},
    {"name", kRequired,
     [](Decoder& in, const Value& value, mesh::Workload& out) {
       out.id.name = in.dns_name(value);
     }},
    {"labels", kOptional,
     [](Decoder& in, const Value& value, mesh::Workload& out) { out.labels = in.labels(value); }},
    {"serviceAccount", kOptional,
     [](Decoder& in, const Value& value, mesh::Workload& out) {
       out.service_account = in.dns_name(value);
     }},
    {"addresses", kOptional,
     [](Decoder& in, const Value& value, mesh::Workload& out) {
       out.addresses = in.addresses(value);
       for (const auto& address : out.addresses) {
         if (address.is_link_local()) {
           in.refuse(value, address.to_string() + " is link-local, so not one workload's");
         }
       }
     }},
};

// `visit(what was read, where)` for each element of the list under `key`.
template <class Items, class Visit>
void with_values(const Value& mapping, std::string_view key, Items& items, Visit visit) {
  for (const auto& [name, list] : mapping.entries()) {
    if (name.text() != key) continue;
    auto item = items.begin();
    for (const Value each : list.elements()) {
      if (item != items.end()) visit(*item++, each);
    }
  }
}

// The port that an endpoint serves may be left out where there is only one.
void settle_endpoints(Decoder& in, const Value& value, mesh::Service& service) {
  const bool one_port = service.ports.size() == 1;
  const auto settled = [&](mesh::Endpoint& endpoint) {
    if (endpoint.service_port == 0 && one_port) endpoint.service_port = service.ports[0].number;
    return service.find_port(endpoint.service_port) != nullptr;
  };
  bool all = true;
  for (auto& endpoint : service.endpoints) all = settled(endpoint) && all;
  if (all) return;
  with_values(value, "endpoints", service.endpoints, [&](mesh::Endpoint& endpoint, Value each) {
    if (settled(endpoint)) return;
    in.refuse(each, endpoint.service_port == 0
                        ? "servicePort is missing, and the service has several ports"
                        : "the service has no port " + std::to_string(endpoint.service_port));
  });
}

void check_routes(Decoder& in, const Value& value, const mesh::Service& service) {
  if (service.routes.empty()) return;
  const auto http = std::any_of(service.ports.begin(), service.ports.end(),
                                [](const auto& port) { return mesh::is_http(port.protocol); });
  if (!http) in.refuse(value, "routes need a port whose protocol is http, http2 or grpc");
  if (!routes_apply_to(service)) {
    in.refuse(value,
              "the virtual host of routes has neither '*' nor a name of the service among "
              "its domains");
  }
}

template <class T, std::size_t N>
std::vector<std::string> names(const Field<T> (&fields)[N]) {
  std::vector<std::string> result;
  for (const auto& field : fields) {
    result.push_back(std::string(field.name) + (field.required ? "!" : ""));
  }
  return result;
}

}  // namespace

mesh::MeshSettings read_settings(Decoder& decoder, const Value& value) {
  mesh::MeshSettings settings;
  read_mapping(decoder, value, kSettings, settings);
  if (settings.trust_bound_addresses && settings.shape != mesh::SidecarShape::kBound) {
    decoder.refuse(value, "trustBoundAddresses is for shape: bound");
  }
  return settings;
}

mesh::Namespace read_namespace(Decoder& decoder, const Value& value) {
  mesh::Namespace result;
  read_mapping(decoder, value, kNamespace, result);
  return result;
}

ServiceDraft read_service(Decoder& decoder, const Value& value) {
  ServiceDraft draft;
  read_mapping(decoder, value, kService, draft);
  if (decoder.problems().any()) return draft;
  settle_endpoints(decoder, value, draft.service);
  check_routes(decoder, value, draft.service);
  return draft;
}

mesh::Workload read_workload(Decoder& decoder, const Value& value) {
  mesh::Workload result;
  read_mapping(decoder, value, kWorkload, result);
  return result;
}

std::vector<std::pair<std::string, std::vector<std::string>>> known_keys() {
  return {{"settings", names(kSettings)}, {"namespace", names(kNamespace)},
          {"service", names(kService)},   {"port", names(kPort)},
          {"endpoint", names(kEndpoint)}, {"workload", names(kWorkload)}};
}

}  // namespace lazymesh::registry
