#include <gmock/gmock.h>

#include "lazy-controller/registry/file/yaml_to_json.h"
#include "test/lazy-controller/registry/envoy_configs.h"
#include "test/sidecar/real_envoy.h"

namespace lazymesh::registry {
namespace {

// The configuration alone in a bootstrap, so that whatever Envoy says is said of it.
std::string bootstrap_of(const EnvoyConfig& config) {
  if (config.kind == EnvoyConfig::kCluster) {
    return "static_resources: {clusters: [{name: 'outbound|80||a', " + config.text + "}]}";
  }
  return R"(static_resources:
  listeners:
  - name: a
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: a
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config: {validate_clusters: false, )" +
         config.text + "}\n";
}

// As the loader turns it into JSON.
class Json final : public PartHandler {
 public:
  explicit Json(const std::string& yaml) {
    read_yaml(yaml, *this, problems_);
    EXPECT_FALSE(problems_.any()) << problems_.first()->reason;
  }
  void on_key(std::string_view, Mark) override {}
  void on_element(std::string_view, std::size_t, const Part&) override {}
  void on_value(std::string_view key, const Part& part) override {
    text = "{\"" + std::string(key) + "\": " + to_json(part.root(), problems_) + "}";
  }

  std::string text;

 private:
  Problems problems_;
};

class RealEnvoyAgrees : public testing::TestWithParam<EnvoyConfig> {};

TEST_P(RealEnvoyAgrees, OnWhatIsRefused) {
  const auto program = test::envoy_program();
  if (!program) GTEST_SKIP();
  const auto objection = test::RealEnvoy::objection(*program, Json(bootstrap_of(GetParam())).text);
  if (GetParam().reason.empty()) {
    EXPECT_EQ(objection, "");
  } else {
    EXPECT_THAT(objection, testing::HasSubstr("error initializing configuration"));
    // That would be a mistake in the test.
    EXPECT_THAT(objection, testing::Not(testing::HasSubstr("Unable to parse JSON")));
  }
}

std::string name_of(const testing::TestParamInfo<EnvoyConfig>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(OfTheApi, RealEnvoyAgrees, testing::ValuesIn(unconstrained_configs()),
                         name_of);
INSTANTIATE_TEST_SUITE_P(OfEnvoy, RealEnvoyAgrees, testing::ValuesIn(refused_configs()), name_of);
INSTANTIATE_TEST_SUITE_P(Good, RealEnvoyAgrees, testing::ValuesIn(good_configs()), name_of);

}  // namespace
}  // namespace lazymesh::registry
