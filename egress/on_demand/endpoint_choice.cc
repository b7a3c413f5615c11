#include "egress/on_demand/endpoint_choice.h"

#include <algorithm>
#include <iterator>

namespace lazymesh::egress {

std::vector<UpstreamEndpoint> choose(const EndpointsByHealth& endpoints, double panic_threshold) {
  const auto usable = endpoints.healthy.size() + endpoints.degraded.size();
  const auto all = usable + endpoints.unhealthy.size();
  if (static_cast<double>(usable) * 100 < panic_threshold * static_cast<double>(all)) {
    auto chosen = endpoints.healthy;
    for (const auto* more : {&endpoints.degraded, &endpoints.unhealthy}) {
      chosen.insert(chosen.end(), more->begin(), more->end());
    }
    return chosen;
  }
  return endpoints.healthy.empty() ? endpoints.degraded : endpoints.healthy;
}

std::vector<IpAddress> choose(const std::vector<IpAddress>& addresses, DnsFamily family) {
  const auto only = [&](bool v4) {
    std::vector<IpAddress> chosen;
    std::copy_if(addresses.begin(), addresses.end(), std::back_inserter(chosen),
                 [v4](const IpAddress& address) { return address.is_v4() == v4; });
    return chosen;
  };
  const auto prefer = [&](bool v4) {
    auto chosen = only(v4);
    return chosen.empty() ? only(!v4) : chosen;
  };
  switch (family) {
    case DnsFamily::kAll:
      return addresses;
    case DnsFamily::kV4Only:
      return only(true);
    case DnsFamily::kV6Only:
      return only(false);
    case DnsFamily::kV4Preferred:
      return prefer(true);
    case DnsFamily::kAuto:
      break;
  }
  return prefer(false);
}

}  // namespace lazymesh::egress
