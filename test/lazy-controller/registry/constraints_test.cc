#include "lazy-controller/registry/file/constraints.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/route/v3/route.pb.h"

#include "lazy-controller/registry/file/known_types.h"
#include "lazy-controller/registry/file/loader.h"
#include "test/lazy-controller/registry/envoy_configs.h"
#include "validate/validate.pb.h"

namespace lazymesh::registry {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::Message;

std::string refusal(const EnvoyConfig& config) {
  const std::string key = config.kind == EnvoyConfig::kCluster ? "cluster" : "routes";
  const auto loaded = load_mesh(R"(namespaces: [{name: a}]
services:
- host: reviews.a.svc.cluster.local
  namespace: a
  ports: [{number: 80, protocol: http}]
  )" + key + ": {" + config.text + "}\n",
                                "mesh.yaml", *mesh::Registry::empty());
  if (loaded) return "accepted";
  // mesh.yaml:LINE:COLUMN: PATH: REASON
  const auto& message = loaded.error().message;
  EXPECT_THAT(message, testing::StartsWith("mesh.yaml:6:"));
  const std::string path = "services[0]." + key;
  const auto at = message.find(path);
  return at == message.npos ? message : message.substr(at + path.size());
}

class Constraints : public testing::TestWithParam<EnvoyConfig> {};

TEST_P(Constraints, AreCheckedAtLoad) {
  const auto& [name, kind, text, path, reason] = GetParam();
  EXPECT_EQ(refusal(GetParam()),
            reason.empty() ? "accepted" : (path.empty() ? "" : "." + path) + ": " + reason);
}

std::string name_of(const testing::TestParamInfo<EnvoyConfig>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(OfTheApi, Constraints, testing::ValuesIn(unconstrained_configs()),
                         name_of);
INSTANTIATE_TEST_SUITE_P(OfEnvoy, Constraints, testing::ValuesIn(refused_configs()), name_of);
INSTANTIATE_TEST_SUITE_P(Good, Constraints, testing::ValuesIn(good_configs()), name_of);

TEST(ConstraintsPosition, IsThatOfTheValue) {
  const auto loaded = load_mesh(R"(namespaces: [{name: a}]
services:
- host: reviews.a.svc.cluster.local
  namespace: a
  ports: [{number: 80, protocol: http}]
  cluster:
    connect_timeout: 1s
    outlier_detection:
      max_ejection_percent: 200
)",
                                "mesh.yaml", *mesh::Registry::empty());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message,
            "mesh.yaml:9:29: services[0].cluster.outlier_detection.max_ejection_percent: must be "
            "at most 100");
}

// The name belongs to Lazymesh, and so does the protocol where the user chooses none.
TEST(ConstraintsOfWhatIsSent, DoNotAskForWhatLazymeshAdds) {
  using namespace configs;
  EXPECT_EQ(refusal(routes("NoName", "virtual_hosts: [{domains: ['*']}]")), "accepted");
  EXPECT_EQ(refusal(options("NoProtocol", "common_http_protocol_options: {idle_timeout: 1s}")),
            "accepted");
  EXPECT_EQ(refusal(cluster("NoClusterName",
                            "type: STRICT_DNS, load_assignment: {endpoints: "
                            "[{lb_endpoints: [" +
                                endpoint("80") + "]}]}")),
            "accepted");
}

// The kinds of rules in use in the files of Envoy's API that are linked, as "string.min_len".
class Rules {
 public:
  void of(const FileDescriptor& file) {
    if (!files_.insert(&file).second || file.package() == "validate") return;
    for (int i = 0; i < file.dependency_count(); ++i) of(*file.dependency(i));
    for (int i = 0; i < file.message_type_count(); ++i) of(*file.message_type(i));
  }

  const std::set<std::string>& kinds() const { return kinds_; }

 private:
  void of(const Descriptor& type) {
    if (type.options().GetExtension(validate::disabled)) kinds_.insert("disabled");
    if (type.options().GetExtension(validate::ignored)) kinds_.insert("ignored");
    for (int i = 0; i < type.field_count(); ++i) {
      of(type.field(i)->options().GetExtension(validate::rules));
    }
    for (int i = 0; i < type.nested_type_count(); ++i) of(*type.nested_type(i));
  }

  void of(const validate::FieldRules& rules) {
    std::vector<const FieldDescriptor*> types;
    rules.GetReflection()->ListFields(rules, &types);
    for (const auto* type : types) {
      const auto& of_type = rules.GetReflection()->GetMessage(rules, type);
      std::vector<const FieldDescriptor*> fields;
      of_type.GetReflection()->ListFields(of_type, &fields);
      for (const auto* rule : fields) kinds_.insert(type->name() + "." + rule->name());
    }
    if (rules.has_repeated()) of(rules.repeated().items());
    if (rules.has_map()) of(rules.map().keys());
    if (rules.has_map()) of(rules.map().values());
  }

  std::set<const FileDescriptor*> files_;
  std::set<std::string> kinds_;
};

// A newer Envoy API may bring others, which are to be written then.
TEST(ConstraintsOfTheApi, AreOfKindsThatAreChecked) {
  link_known_types();
  Rules rules;
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  for (const auto* type :
       {"envoy.config.cluster.v3.Cluster", "envoy.config.route.v3.RouteConfiguration",
        "envoy.extensions.filters.http.fault.v3.HTTPFault",
        "envoy.extensions.filters.http.cors.v3.CorsPolicy",
        "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport",
        "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
        "envoy.extensions.internal_redirect.previous_routes.v3.PreviousRoutesConfig",
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"}) {
    const auto* descriptor = pool->FindMessageTypeByName(type);
    ASSERT_NE(descriptor, nullptr) << type;
    rules.of(*descriptor->file());
  }
  EXPECT_THAT(rules.kinds(), testing::SizeIs(testing::Gt(20)));  // they are compiled in
  std::vector<std::string> unchecked;
  const std::set<std::string> checked(checked_rules().begin(), checked_rules().end());
  std::set_difference(rules.kinds().begin(), rules.kinds().end(), checked.begin(), checked.end(),
                      std::back_inserter(unchecked));
  EXPECT_THAT(unchecked, testing::IsEmpty());
}

}  // namespace
}  // namespace lazymesh::registry
