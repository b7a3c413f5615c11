#include <gmock/gmock.h>

#include "test/egress/egress_fixture.h"

namespace lazymesh::test {
namespace {

using als::AccessLogEntry;
using ::testing::HasSubstr;
using ::testing::Not;

class EgressHttp : public EgressTest {
 protected:
  void serve(const std::string& host, const Upstream& upstream) {
    on_demand_.know_host(host, destination(host, 80, {upstream.address()}));
  }
};

TEST_F(EgressHttp, ForwardsARequestToTheHostItNames) {
  const Upstream upstream(
      http_server([](const std::string& head, const std::string&) { return ok(head); }));
  serve("reviews", upstream);
  start();
  const auto response = get("reviews", "/path?x=1");
  EXPECT_EQ(response.status, 200U);
  EXPECT_THAT(response.body, HasSubstr("GET /path?x=1 HTTP/1.1\r\nHost: reviews\r\n"));
  const auto entries = log_.wait(AccessLogEntry::Moment::kEnd, 1);
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].authority, "reviews");
  EXPECT_EQ(entries[0].path, "/path?x=1");
  EXPECT_EQ(entries[0].response_code, 200U);
  EXPECT_EQ(entries[0].upstream_cluster, "outbound|80||reviews");
  EXPECT_EQ(entries[0].downstream_remote_address, address("10.1.0.1:4711"));
  EXPECT_EQ(entries[0].downstream_local_address, address("10.96.0.5:80"));
  EXPECT_EQ(entries[0].upstream_remote_address, upstream.address());
}

}  // namespace
}  // namespace lazymesh::test
