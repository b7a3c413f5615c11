#include "als/convert.h"

#include <gtest/gtest.h>

#include "envoy/data/accesslog/v3/accesslog.pb.h"
#include "envoy/service/accesslog/v3/als.pb.h"

#include "test/als/entries.h"

namespace lazymesh::als {
namespace {

namespace data = envoy::data::accesslog::v3;
using envoy::service::accesslog::v3::StreamAccessLogsMessage;
using test::address;
using test::http_entry;
using test::tcp_entry;

// Through the wire, as a receiver gets it.
template <class Proto>
Proto sent(const AccessLogEntry& entry) {
  Proto proto;
  to_proto(entry, proto);
  Proto received;
  EXPECT_TRUE(received.ParseFromString(proto.SerializeAsString()));
  return received;
}
Observation observed(const AccessLogEntry& entry) {
  return entry.http ? to_observation(sent<data::HTTPAccessLogEntry>(entry))
                    : to_observation(sent<data::TCPAccessLogEntry>(entry));
}

TEST(AccessLogEntry, OfARequestComesBackAsObserved) {
  const auto seen = observed(http_entry());
  EXPECT_TRUE(seen.http);
  EXPECT_TRUE(seen.ended);
  EXPECT_EQ(seen.peer, address("10.1.0.1:40000"));
  EXPECT_EQ(seen.source, address("10.1.0.1:50000"));
  EXPECT_EQ(seen.destination, address("10.96.0.5:9080"));
  EXPECT_EQ(seen.source_identity, "");
  EXPECT_EQ(seen.authority, "reviews:9080");
  EXPECT_EQ(seen.upstream_cluster, "outbound|9080||reviews.shop.svc.cluster.local");
  EXPECT_EQ(seen.response_code, 201U);
  EXPECT_TRUE(seen.reached_upstream);
  EXPECT_EQ(seen.start, http_entry().start_time);
}

TEST(AccessLogEntry, OfAConnectionComesBackAsObserved) {
  const auto seen = observed(tcp_entry());
  EXPECT_FALSE(seen.http);
  EXPECT_TRUE(seen.ended);
  EXPECT_EQ(seen.peer, address("[fd00::1]:40000"));
  EXPECT_EQ(seen.source, address("[fd00::2]:50000"));
  EXPECT_EQ(seen.destination, address("[fd00::99]:3306"));
  EXPECT_EQ(seen.upstream_cluster, "outbound|3306||db.shop.svc.cluster.local");
  EXPECT_EQ(seen.response_code, 0U);
  EXPECT_TRUE(seen.reached_upstream);
}

TEST(AccessLogEntry, SaysWhatEnvoysSays) {
  const auto proto = sent<data::HTTPAccessLogEntry>(http_entry());
  EXPECT_EQ(proto.protocol_version(), data::HTTPAccessLogEntry::HTTP11);
  EXPECT_EQ(proto.request().request_method(), envoy::config::core::v3::POST);
  EXPECT_EQ(proto.request().path(), "/reviews/1?full=yes");
  EXPECT_EQ(proto.request().request_body_bytes(), 3U);
  EXPECT_EQ(proto.response().response_body_bytes(), 5U);
  EXPECT_EQ(proto.response().response_code_details(), "via_upstream");
  const auto& common = proto.common_properties();
  EXPECT_EQ(common.access_log_type(), data::DownstreamEnd);
  EXPECT_EQ(common.duration().seconds(), 1);
  EXPECT_EQ(common.duration().nanos(), 250'000'000);
  EXPECT_EQ(common.time_to_last_downstream_tx_byte().seconds(), 1);
  EXPECT_FALSE(common.has_response_flags());
  EXPECT_EQ(common.upstream_remote_address().socket_address().port_value(), 9080U);
}

TEST(AccessLogEntry, TellsItsMoment) {
  auto http = http_entry();
  auto tcp = tcp_entry();
  EXPECT_EQ(sent<data::TCPAccessLogEntry>(tcp).common_properties().access_log_type(),
            data::TcpConnectionEnd);
  http.moment = tcp.moment = AccessLogEntry::Moment::kUpstreamReady;
  EXPECT_EQ(sent<data::HTTPAccessLogEntry>(http).common_properties().access_log_type(),
            data::UpstreamPoolReady);
  EXPECT_EQ(sent<data::TCPAccessLogEntry>(tcp).common_properties().access_log_type(),
            data::TcpUpstreamConnected);
  EXPECT_FALSE(observed(http).ended);
  EXPECT_FALSE(observed(tcp).ended);
}

TEST(AccessLogEntry, OfTheStartOfARequestIsOfNothingThatEnded) {
  for (const auto type : {data::DownstreamStart, data::DownstreamPeriodic, data::UpstreamPeriodic,
                          data::UpstreamEnd, data::TcpPeriodic}) {
    data::HTTPAccessLogEntry proto;
    proto.mutable_common_properties()->set_access_log_type(type);
    EXPECT_FALSE(to_observation(proto).ended) << type;
  }
  EXPECT_TRUE(to_observation(data::HTTPAccessLogEntry()).ended) << "an Envoy without types";
}

TEST(AccessLogEntry, SetsTheFieldOfItsResponseFlag) {
  auto entry = http_entry();
  entry.response_flag = "NFCF";
  EXPECT_TRUE(sent<data::HTTPAccessLogEntry>(entry)
                  .common_properties()
                  .response_flags()
                  .no_filter_config_found());
  entry.response_flag = "unheard of";
  EXPECT_FALSE(sent<data::HTTPAccessLogEntry>(entry).common_properties().has_response_flags());
}

TEST(AccessLogEntry, ReachedNoUpstreamWhereTheFlagSaysSo) {
  for (const auto* flag : {"UF", "UH", "UO", "NR", "NC", "DF"}) {
    auto entry = http_entry();
    entry.response_flag = flag;
    EXPECT_FALSE(observed(entry).reached_upstream) << flag;
  }
  for (const auto* flag : {"", "UC", "UT", "DC", "DPE"}) {
    auto entry = http_entry();
    entry.response_flag = flag;
    EXPECT_TRUE(observed(entry).reached_upstream) << flag;
  }
  auto nowhere = http_entry();
  nowhere.upstream_remote_address.reset();
  EXPECT_FALSE(observed(nowhere).reached_upstream);
}

TEST(AccessLogEntry, IsValidWhateverTheCallerSent) {
  auto entry = http_entry();
  entry.path = std::string("/\xff\xfe") + std::string(100'000, 'x');
  entry.authority = "h\xc3\xb6st\xc3";  // valid, then cut short
  entry.method = "BREW";
  entry.duration = std::chrono::seconds(-5);
  entry.start_time = WallTime{} - std::chrono::milliseconds(1500);
  const auto proto = sent<data::HTTPAccessLogEntry>(entry);
  EXPECT_EQ(proto.request().path().substr(0, 4), "/!!x");
  EXPECT_EQ(proto.request().path().size(), kMaxFieldBytes);
  EXPECT_EQ(proto.request().authority(), "h\xc3\xb6st!");
  EXPECT_EQ(proto.request().request_method(), envoy::config::core::v3::METHOD_UNSPECIFIED);
  EXPECT_EQ(proto.common_properties().duration().seconds(), 0);
  EXPECT_EQ(proto.common_properties().start_time().nanos(), 500'000'000);
}

TEST(PrintableUtf8, ReplacesWhatRfc3629Forbids) {
  EXPECT_EQ(printable_utf8("a\xe2\x82\xac\xf0\x9f\x98\x80"), "a\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(printable_utf8("\xc0\x80"), "!!");            // overlong
  EXPECT_EQ(printable_utf8("\xe0\x80\x80"), "!!!");       // overlong
  EXPECT_EQ(printable_utf8("\xed\xa0\x80"), "!!!");       // a surrogate
  EXPECT_EQ(printable_utf8("\xf4\x90\x80\x80"), "!!!!");  // beyond U+10FFFF
  EXPECT_EQ(printable_utf8("\xf5\x80\x80\x80"), "!!!!");
  EXPECT_EQ(printable_utf8("\xe2\x82"), "!!");
  EXPECT_EQ(printable_utf8("\x80z"), "!z");
}

data::HTTPAccessLogEntry with_sans(const std::vector<std::string>& uris) {
  data::HTTPAccessLogEntry proto;
  auto& peer = *proto.mutable_common_properties()
                    ->mutable_tls_properties()
                    ->mutable_peer_certificate_properties();
  peer.add_subject_alt_name()->set_dns("web.shop");
  for (const auto& uri : uris) peer.add_subject_alt_name()->set_uri(uri);
  return proto;
}

TEST(SourceIdentity, IsTheOneUriOfTheCertificate) {
  const std::string id = "spiffe://cluster.local/ns/shop/sa/web";
  EXPECT_EQ(to_observation(with_sans({id})).source_identity, id);
  EXPECT_EQ(to_observation(with_sans({"https://web.shop"})).source_identity, "");
  EXPECT_EQ(to_observation(with_sans({})).source_identity, "");
  EXPECT_EQ(
      to_observation(with_sans({id, "spiffe://cluster.local/ns/shop/sa/api"})).source_identity, "");
}

TEST(Observation, LeavesOutWhatMakesNoSense) {
  data::HTTPAccessLogEntry proto;
  auto& common = *proto.mutable_common_properties();
  common.mutable_downstream_direct_remote_address()->mutable_pipe()->set_path("/run/app.sock");
  auto& source = *common.mutable_downstream_remote_address()->mutable_socket_address();
  source.set_address("10.1.0.1");
  source.set_port_value(70'000);
  auto& destination = *common.mutable_downstream_local_address()->mutable_socket_address();
  destination.set_address("reviews.shop");
  destination.set_port_value(80);
  common.mutable_start_time()->set_seconds(std::numeric_limits<std::int64_t>::max());
  common.set_upstream_cluster(std::string(kMaxNameBytes + 1, 'x'));
  proto.mutable_request()->set_authority(std::string(kMaxNameBytes + 1, 'x'));
  const auto seen = to_observation(proto);
  EXPECT_EQ(seen.peer, std::nullopt);
  EXPECT_EQ(seen.source, std::nullopt);
  EXPECT_EQ(seen.destination, std::nullopt);
  EXPECT_EQ(seen.start, WallTime{});
  EXPECT_EQ(seen.upstream_cluster, "");
  EXPECT_EQ(seen.authority, "");
}

TEST(Observations, AreAsManyAsAllowed) {
  StreamAccessLogsMessage message;
  for (int i = 0; i < 5; ++i) {
    to_proto(http_entry(std::to_string(i)), *message.mutable_http_logs()->add_log_entry());
  }
  EXPECT_EQ(entries_of(message), 5U);
  const auto seen = to_observations(message, 3);
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[2].authority, "2");
  message.mutable_tcp_logs()->add_log_entry();
  EXPECT_EQ(to_observations(message, 3).size(), 1U);
}

}  // namespace
}  // namespace lazymesh::als
