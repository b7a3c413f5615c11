#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lazy-controller/registry/file/loader.h"

namespace lazymesh::registry {
namespace {

using testing::StartsWith;

std::string refusal(std::string_view yaml) {
  const auto loaded = load_mesh(yaml, "mesh.yaml", *mesh::Registry::empty());
  return loaded ? "accepted" : loaded.error().message;
}

struct Case {
  const char* name;
  std::string yaml;
  std::string message;
};

void PrintTo(const Case& each, std::ostream* out) { *out << each.name; }

class LoadMeshRefuses : public testing::TestWithParam<Case> {};

TEST_P(LoadMeshRefuses, WithLineColumnPathAndReason) {
  EXPECT_EQ(refusal(GetParam().yaml), "mesh.yaml:" + GetParam().message);
}

std::string name_of(const testing::TestParamInfo<Case>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Yaml, LoadMeshRefuses,
    testing::Values(
        Case{"Empty", "", "1:1: the file is empty"},
        Case{"OnlyComments", "# nothing\n", "1:1: the file is empty"},
        Case{"Null", "~", "1:1: the file is empty"},
        Case{"Scalar", "hello", "1:1: the file must be a mapping"},
        Case{"List", "- a", "1:1: the file must be a mapping"},
        Case{"Syntax", "services: [", "1:12: end of sequence flow not found"},
        Case{"Indentation", "settings:\n  lazy: observe\n shape: bound\n",
             "3:2: end of map not found"},
        Case{"SecondDocument", "services: []\n---\nservices: []\n",
             "2:1: a second document; a mesh file is one"},
        Case{"Anchor", "namespaces:\n- &a {name: x}\n- *a\n",
             "2:3: an anchor; leave it out, there are no aliases"},
        Case{"UnclosedQuote", "namespaces:\n- name: a\n  labels:\n    b: \"c\nservices: []\n",
             "4:8: text without its closing quote"},
        Case{"UnclosedSingleQuote", "namespaces:\n- name: a\n  labels:\n    b: 'it''s\n",
             "4:8: text without its closing quote"},
        Case{"UndefinedAlias", "namespaces:\n- *a\n", "2:3: the referenced anchor is not defined"},
        Case{"MergeKey", "namespaces:\n- {<<: x, name: a}\n",
             "2:4: namespaces[0].<<: unknown key; there are name, labels"},
        Case{"Tag", "services: !!seq []\n", "1:11: a tag; leave it out"},
        Case{"KeyIsAList", "namespaces:\n- {[a]: b}\n", "2:4: a key must be text"},
        Case{"KeyIsNull", "namespaces:\n- {~: b}\n", "2:4: a key must be text"},
        Case{"KeyOfTheFileIsAList", "[a]: b\n", "1:1: a key must be text"},
        Case{"NotUtf8", "namespaces:\n- {name: \"\xff\"}\n", "2:11: a byte that is not UTF-8"},
        Case{"OverlongUtf8", "a\xc0\x80", "1:2: a byte that is not UTF-8"},
        Case{"SurrogateInUtf8", "a\xed\xa0\x80", "1:2: a byte that is not UTF-8"},
        Case{"TruncatedUtf8", "a\xe2\x82", "1:2: a byte that is not UTF-8"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Sections, LoadMeshRefuses,
    testing::Values(
        Case{"UnknownKey", "services: []\nservcies: []\n",
             "2:1: servcies: unknown key; there are settings, namespaces, services, workloads"},
        Case{"TwiceTheSameKey", "services: []\nservices: []\n", "2:1: services: is there twice"},
        Case{"SettingsIsAList", "settings: [a]\n", "1:12: settings[0]: settings must be a mapping"},
        Case{"SettingsIsText", "settings: a\n", "1:11: settings: must be a mapping"},
        Case{"ServicesIsAMapping", "services: {a: b}\n",
             "1:11: services: must be a list; [] is an empty one"},
        Case{"ServicesIsNull", "services:\n", "1:1: services: must be a list; [] is an empty one"},
        Case{"ServiceIsText", "services: [a]\n", "1:12: services[0]: must be a mapping"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Settings, LoadMeshRefuses,
    testing::Values(
        Case{"UnknownKey", "settings: {shap: bound}",
             "1:12: settings.shap: unknown key; there are clusterDomain, shape, "
             "outboundTrafficPolicy, lazy, egress, reporters, trustBoundAddresses"},
        Case{"Shape", "settings: {shape: square}",
             "1:19: settings.shape: 'square' is no shape; there are transparent, bound"},
        Case{"Policy", "settings: {outboundTrafficPolicy: registry_only}",
             "1:35: settings.outboundTrafficPolicy: 'registry_only' is no policy; there are "
             "REGISTRY_ONLY, ALLOW_ANY"},
        Case{"Lazy", "settings: {lazy: on}",
             "1:18: settings.lazy: 'on' is no lazy mode; there are disabled, observe, enabled"},
        Case{"Domain", "settings: {clusterDomain: Cluster.local}",
             "1:27: settings.clusterDomain: 'Cluster.local' is not a DNS name in lower case "
             "without a trailing dot"},
        Case{"EgressWithoutPort", "settings: {egress: [10.0.0.1]}",
             "1:21: settings.egress[0]: '10.0.0.1' is not ADDRESS:PORT (an IPv6 address goes in "
             "brackets)"},
        Case{"EgressPortZero", "settings: {egress: ['10.0.0.1:0']}",
             "1:21: settings.egress[0]: 0 is not a port (1 to 65535)"},
        Case{"EgressAnyAddress", "settings: {egress: ['0.0.0.0:80']}",
             "1:21: settings.egress[0]: 0.0.0.0 is no host's address"},
        Case{"EgressTwice", "settings: {egress: ['10.0.0.1:80', '10.0.0.1:80']}",
             "1:36: settings.egress[1]: is there twice"},
        Case{"EgressIsText", "settings: {egress: '10.0.0.1:80'}",
             "1:20: settings.egress: must be a list"},
        Case{"Reporter", "settings: {reporters: [egress]}",
             "1:24: settings.reporters[0]: 'egress' is not an IP address"},
        Case{"Boolean", "settings: {shape: bound, trustBoundAddresses: yes}",
             "1:47: settings.trustBoundAddresses: 'yes' is not true or false"},
        Case{"QuotedBoolean", "settings: {shape: bound, trustBoundAddresses: 'true'}",
             "1:47: settings.trustBoundAddresses: 'true' is not true or false"},
        Case{"TrustWithoutBound", "settings: {trustBoundAddresses: true}",
             "1:11: settings: trustBoundAddresses is for shape: bound"},
        Case{"LazyWithoutEgress", "services: []\nsettings:\n  lazy: enabled\n",
             "3:3: settings.lazy: the mesh is lazy, but settings.egress is empty; write where the "
             "egress listens (settings: {egress: [\"ADDRESS:15080\"]})"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Namespaces, LoadMeshRefuses,
    testing::Values(
        Case{"NameMissing", "namespaces:\n- {labels: {a: b}}\n",
             "2:3: namespaces[0]: name is missing"},
        Case{"NameIsEmpty", "namespaces: [{name: ''}]",
             "1:21: namespaces[0].name: must not be empty"},
        Case{"NameIsNull", "namespaces: [{name: }]", "1:15: namespaces[0].name: must be text"},
        Case{"NameIsNoLabel", "namespaces: [{name: Shop}]",
             "1:21: namespaces[0].name: 'Shop' is not a name of lower-case letters, digits and "
             "hyphens (at most 63)"},
        Case{"LabelsAreAList", "namespaces: [{name: a, labels: [b]}]",
             "1:32: namespaces[0].labels: must be a mapping of text to text"},
        Case{"LabelIsAList", "namespaces: [{name: a, labels: {b: []}}]",
             "1:36: namespaces[0].labels.b: must be text"},
        Case{"LabelTwice", "namespaces: [{name: a, labels: {b: c, b: d}}]",
             "1:39: namespaces[0].labels.b: is there twice"},
        Case{"LazyLabel", "namespaces:\n- name: a\n  labels:\n    lazymesh.io/lazy: true\n",
             "4:23: namespaces[0].labels.lazymesh.io/lazy: 'true' is no lazy mode; there are "
             "disabled, observe, enabled"},
        Case{"Twice", "namespaces:\n- name: a\n- name: b\n- name: a\n",
             "4:3: namespaces[2]: namespace a is there twice"},
        Case{"LazyWithoutEgress",
             "namespaces:\n- name: b\n- name: a\n  labels:\n"
             "    lazymesh.io/lazy: enabled\n",
             "3:3: namespaces[1]: namespace a is lazy, but settings.egress is empty; write where "
             "the egress listens (settings: {egress: [\"ADDRESS:15080\"]})"}),
    name_of);

// A service with one line of its own, which is line 3.
std::string service(const std::string& rest) {
  return "namespaces: [{name: a}]\nservices:\n- {host: x.a.svc.cluster.local, namespace: a, " +
         rest + "}\n";
}

INSTANTIATE_TEST_SUITE_P(
    Services, LoadMeshRefuses,
    testing::Values(
        Case{"HostMissing", "services:\n- {namespace: a, ports: [{number: 1, protocol: tcp}]}\n",
             "2:3: services[0]: host is missing"},
        Case{"PortsMissing", service(""), "3:3: services[0]: ports is missing"},
        Case{
            "HostInCapitals", "services: [{host: X.a}]",
            "1:19: services[0].host: 'X.a' is not a DNS name in lower case without a trailing dot"},
        Case{"HostWithTrailingDot", "services: [{host: x.a.}]",
             "1:19: services[0].host: 'x.a.' is not a DNS name in lower case without a trailing "
             "dot"},
        Case{"HostTooLong", "services: [{host: " + std::string(300, 'a') + "}]",
             "1:19: services[0].host: '" + std::string(80, 'a') +
                 "…' is not a DNS name in lower case without a trailing dot"},
        Case{"UnknownKey", service("port: 80"),
             "3:47: services[0].port: unknown key; there are host, namespace, vips, ports, "
             "exportTo, endpoints, routes, cluster"},
        Case{"KeyTwice", service("namespace: b"), "3:47: services[0].namespace: is there twice"},
        Case{"Vip", service("vips: [10.0.0.256]"),
             "3:54: services[0].vips[0]: '10.0.0.256' is not an IP address"},
        Case{"ExportTo", service("exportTo: ['?']"),
             "3:58: services[0].exportTo[0]: '?' is not a name of lower-case letters, digits and "
             "hyphens (at most 63)"},
        Case{"NoPorts", service("ports: []"),
             "3:54: services[0].ports: must name at least one port"},
        Case{"PortTooLarge", service("ports: [{number: 70000, protocol: tcp}]"),
             "3:64: services[0].ports[0].number: 70000 is not a port (1 to 65535)"},
        Case{"PortZero", service("ports: [{number: 0, protocol: tcp}]"),
             "3:64: services[0].ports[0].number: 0 is not a port (1 to 65535)"},
        Case{"PortNegative", service("ports: [{number: -1, protocol: tcp}]"),
             "3:64: services[0].ports[0].number: -1 is not a port (1 to 65535)"},
        Case{"PortBeyondNumbers", service("ports: [{number: 99999999999, protocol: tcp}]"),
             "3:64: services[0].ports[0].number: 99999999999 is not a port (1 to 65535)"},
        Case{"PortIsText", service("ports: [{number: http, protocol: tcp}]"),
             "3:64: services[0].ports[0].number: http is not a port (1 to 65535)"},
        Case{"PortInQuotes", service("ports: [{number: '80', protocol: tcp}]"),
             "3:64: services[0].ports[0].number: '80' is text, not a number; leave out the quotes"},
        Case{"PortIsAMapping", service("ports: [{number: {}, protocol: tcp}]"),
             "3:64: services[0].ports[0].number: must be text"},
        Case{"Protocol", service("ports: [{number: 80, protocol: udp}]"),
             "3:78: services[0].ports[0].protocol: 'udp' is no protocol; there are tcp, tls, http, "
             "http2, grpc"},
        Case{"ProtocolMissing", service("ports: [{number: 80, name: web}]"),
             "3:55: services[0].ports[0]: protocol is missing, and name does not begin with one "
             "(tcp, tls, http, http2, grpc)"},
        Case{"PortTwice",
             service("ports: [{number: 1, protocol: tcp}, {number: 1, protocol: tls}]"),
             "3:3: services[0]: service x.a.svc.cluster.local: port 1 is there twice"},
        Case{"UnknownNamespace",
             "services:\n- {host: x.b, namespace: b, ports: [{number: 1, "
             "protocol: tcp}]}\n",
             "2:3: services[0]: service x.b: there is no namespace 'b'"},
        Case{"Twice",
             "namespaces: [{name: a}]\nservices:\n"
             "- {host: x.y, namespace: a, ports: [{number: 1, protocol: tcp}]}\n"
             "- {host: a.b, namespace: a, ports: [{number: 1, protocol: tcp}]}\n"
             "- {host: x.y, namespace: a, ports: [{number: 1, protocol: tcp}]}\n",
             "5:3: services[2]: service x.y: it is there twice"},
        Case{"VipTwice",
             "namespaces: [{name: a}]\nservices:\n"
             "- {host: x.y, namespace: a, vips: [10.0.0.1], ports: [{number: 1, protocol: tcp}]}\n"
             "- {host: a.b, namespace: a, vips: [10.0.0.1], ports: [{number: 1, protocol: tcp}]}\n",
             "3:3: services[0]: service x.y: 10.0.0.1 is already an address of service a.b"}),
    name_of);

std::string endpoints(const std::string& rest, const std::string& more_ports = "") {
  return service("ports: [{number: 80, protocol: http}" + more_ports + "],\n  endpoints: [" + rest +
                 "]");
}

INSTANTIATE_TEST_SUITE_P(
    Endpoints, LoadMeshRefuses,
    testing::Values(
        Case{"AddressMissing", endpoints("{port: 1}"),
             "4:15: services[0].endpoints[0]: address is missing"},
        Case{"PortMissing", endpoints("{address: 10.0.0.1}"),
             "4:15: services[0].endpoints[0]: port is missing"},
        Case{"AddressIsAName", endpoints("{address: localhost, port: 1}"),
             "4:25: services[0].endpoints[0].address: 'localhost' is not an IP address"},
        Case{"AddressIsAny", endpoints("{address: '::', port: 1}"),
             "4:25: services[0].endpoints[0].address: :: is no host's address"},
        Case{
            "ServicePortMissing",
            endpoints("{address: 10.0.0.1, port: 1, servicePort: 80}, {address: 10.0.0.1, port: 2}",
                      ", {number: 81, protocol: http}"),
            "4:62: services[0].endpoints[1]: servicePort is missing, and the service has several "
            "ports"},
        Case{"ServicePortUnknown", endpoints("{address: 10.0.0.1, port: 1, servicePort: 81}"),
             "4:15: services[0].endpoints[0]: the service has no port 81"},
        Case{"Weight", endpoints("{address: 10.0.0.1, port: 1, weight: 0}"),
             "4:52: services[0].endpoints[0].weight: 0 is not a weight (1 to 65535)"},
        Case{"Health", endpoints("{address: 10.0.0.1, port: 1, health: ill}"),
             "4:52: services[0].endpoints[0].health: 'ill' is no health; there are healthy, "
             "unhealthy, draining, degraded"},
        Case{"LocalityTooDeep", endpoints("{address: 10.0.0.1, port: 1, locality: a/b/c/d}"),
             "4:54: services[0].endpoints[0].locality: 'a/b/c/d' is not REGION, REGION/ZONE or "
             "REGION/ZONE/SUBZONE"},
        Case{"LocalityWithoutRegion", endpoints("{address: 10.0.0.1, port: 1, locality: /b}"),
             "4:54: services[0].endpoints[0].locality: '/b' is not REGION, REGION/ZONE or "
             "REGION/ZONE/SUBZONE"},
        Case{"Twice", endpoints("{address: 10.0.0.1, port: 1}, {address: 10.0.0.1, port: 1}"),
             "3:3: services[0]: service x.a.svc.cluster.local: endpoint 10.0.0.1:1 of port 80 is "
             "there twice"}),
    name_of);

std::string workload(const std::string& rest, const std::string& settings = "{}") {
  return "settings: " + settings + "\nnamespaces: [{name: a}]\nworkloads:\n- {namespace: a, " +
         rest + "}\n";
}

INSTANTIATE_TEST_SUITE_P(
    Workloads, LoadMeshRefuses,
    testing::Values(
        Case{"NameMissing", workload(""), "4:3: workloads[0]: name is missing"},
        Case{"UnknownKey", workload("name: w, ip: 10.0.0.1"),
             "4:27: workloads[0].ip: unknown key; there are namespace, name, labels, "
             "serviceAccount, addresses"},
        Case{"Twice", workload("name: w}\n- {namespace: a, name: w"),
             "5:3: workloads[1]: workload a/w: it is there twice"},
        Case{"AddressTwice",
             workload("name: w, addresses: [10.0.0.1]}\n- {namespace: a, name: v, addresses: "
                      "[10.0.0.1]"),
             "4:3: workloads[0]: workload a/w: 10.0.0.1 is already an address of workload a/v"},
        Case{"UnknownNamespace", "workloads:\n- {namespace: b, name: w}\n",
             "2:3: workloads[0]: workload b/w: there is no namespace 'b'"},
        Case{"LinkLocal", workload("name: w, addresses: [169.254.0.1]"),
             "4:38: workloads[0].addresses: 169.254.0.1 is link-local, so not one workload's"},
        Case{"LoopbackInTheTransparentShape", workload("name: w, addresses: [127.0.0.1]"),
             "4:3: workloads[0]: workload a/w: a loopback address is for settings.shape: bound"},
        Case{"BoundWithoutAddress", workload("name: w", "{shape: bound}"),
             "4:3: workloads[0]: workload a/w: settings.shape: bound needs exactly one address, in "
             "127.0.0.0/8"},
        Case{"BoundWithTwoAddresses",
             workload("name: w, addresses: [127.0.0.2, 127.0.0.3]", "{shape: bound}"),
             "4:3: workloads[0]: workload a/w: settings.shape: bound needs exactly one address, in "
             "127.0.0.0/8"},
        Case{"BoundElsewhere", workload("name: w, addresses: [10.0.0.1]", "{shape: bound}"),
             "4:3: workloads[0]: workload a/w: settings.shape: bound needs exactly one address, in "
             "127.0.0.0/8"},
        Case{"BoundToIpv6", workload("name: w, addresses: ['::1']", "{shape: bound}"),
             "4:3: workloads[0]: workload a/w: settings.shape: bound needs exactly one address, in "
             "127.0.0.0/8"},
        Case{"LazyWithoutEgress", workload("name: w, labels: {lazymesh.io/lazy: enabled}"),
             "4:3: workloads[0]: workload a/w is lazy, but settings.egress is empty; write where "
             "the egress listens (settings: {egress: [\"ADDRESS:15080\"]})"}),
    name_of);

TEST(LoadMeshLimits, DeepNestingIsRefused) {
  std::string yaml = "settings: ";
  for (int i = 0; i < 70; ++i) yaml += "{a: ";
  EXPECT_THAT(refusal(yaml), StartsWith("mesh.yaml:1:267: nested too deeply; the limit is 64"));
}

TEST(LoadMeshLimits, AHugeFileIsRefused) {
  const std::string yaml(kMaxMeshFileBytes + 1, '#');
  EXPECT_EQ(refusal(yaml), "mesh.yaml: larger than 256 MiB, the limit");
}

TEST(LoadMeshLimits, TheFirstProblemIsTheOneReported) {
  EXPECT_THAT(refusal("settings: {shape: x, lazy: y}\nservices: 5\n"),
              StartsWith("mesh.yaml:1:19: settings.shape"));
}

}  // namespace
}  // namespace lazymesh::registry
