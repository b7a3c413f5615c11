#include "egress/http1/serializer.h"

#include <gtest/gtest.h>

#include "egress/http1/head_parser.h"

namespace lazymesh::egress::http1 {
namespace {

using Connection = Framing::Connection;

std::string forwarded(const std::string& input, const Framing& framing = {},
                      std::string_view target = "/", std::string_view host = {}) {
  RequestHead head;
  EXPECT_FALSE(parse_request_head(input, {}, head));
  std::string out;
  append_request_head(out, head, target, host, framing);
  return out;
}

std::string answered(const std::string& input, const Framing& framing, unsigned minor = 1) {
  ResponseHead head;
  EXPECT_FALSE(parse_response_head(input, {}, "GET", head));
  std::string out;
  append_response_head(out, head, minor, framing);
  return out;
}

TEST(Serializer, KeepsOrderAndCase) {
  const std::string input = "GET / HTTP/1.1\r\nhOSt: a\r\nX-b: 1\r\nx-A: 2\r\nX-B: 3\r\n\r\n";
  EXPECT_EQ(forwarded(input), input);
}

TEST(Serializer, LeavesOutWhatIsForOneHop) {
  EXPECT_EQ(forwarded("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\n"
                      "Keep-Alive: 5\r\nProxy-Connection: close\r\nTE: trailers\r\n"
                      "Upgrade: foo\r\nX-End: 1\r\n\r\n"),
            "GET / HTTP/1.1\r\nHost: a\r\nX-End: 1\r\n\r\n");
}

TEST(Serializer, KeepsAnUpgrade) {
  Framing framing;
  framing.connection = Connection::kUpgrade;
  EXPECT_EQ(forwarded("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                      "Sec-WebSocket-Key: x\r\n\r\n",
                      framing),
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"
            "Connection: Upgrade\r\n\r\n");
}

TEST(Serializer, HostAndFramingCannotBeNamedByConnection) {
  EXPECT_EQ(forwarded("POST / HTTP/1.1\r\nHost: a\r\nConnection: host, content-length\r\n"
                      "Content-Length: 5\r\n\r\n"),
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
}

TEST(Serializer, RewritesTargetAndHostInPlace) {
  EXPECT_EQ(forwarded("GET http://b/x HTTP/1.1\r\nA: 1\r\nhost: a\r\n\r\n", {}, "/x", "b"),
            "GET /x HTTP/1.1\r\nA: 1\r\nhost: b\r\n\r\n");
  EXPECT_EQ(forwarded("GET / HTTP/1.0\r\nA: 1\r\n\r\n", {}, "/", "b"),
            "GET / HTTP/1.1\r\nHost: b\r\nA: 1\r\n\r\n");
}

TEST(Serializer, ChunkedIsSaidOnceInItsPlace) {
  Framing framing;
  framing.chunked = true;
  EXPECT_EQ(answered("HTTP/1.1 200 Fine\r\nTRANSFER-encoding: Chunked\r\nA: 1\r\n\r\n", framing),
            "HTTP/1.1 200 Fine\r\nTRANSFER-encoding: chunked\r\nA: 1\r\n\r\n");
  EXPECT_EQ(answered("HTTP/1.1 200 Fine\r\nA: 1\r\n\r\n", framing),
            "HTTP/1.1 200 Fine\r\nA: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST(Serializer, SaysWhetherTheConnectionGoesOn) {
  Framing framing;
  framing.connection = Connection::kClose;
  EXPECT_EQ(answered("HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n", framing),
            "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  framing.connection = Connection::kKeepAlive;
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", framing, 0),
            "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
}

TEST(Serializer, EditsHeadersButNotTheFraming) {
  RequestHead head;
  const std::string input = "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\na: 2\r\nB: 1\r\nC: 1\r\n\r\n";
  ASSERT_FALSE(parse_request_head(input, {}, head));
  const std::vector<EditLine> edits = {{HeaderEdit::kOverwrite, "A", "3"},
                                       {HeaderEdit::kAppend, "B", "2"},
                                       {HeaderEdit::kRemove, "c", ""},
                                       {HeaderEdit::kAddIfAbsent, "B", "9"},
                                       {HeaderEdit::kAddIfAbsent, "D", "4"},
                                       {HeaderEdit::kOverwriteIfPresent, "E", "9"},
                                       {HeaderEdit::kOverwriteIfPresent, "D", "5"},
                                       {HeaderEdit::kAppend, "Content-Length", "7"}};
  edit_headers(head, edits);
  std::string out;
  append_request_head(out, head, "/", {}, {});
  EXPECT_EQ(out, "GET / HTTP/1.1\r\nHost: a\r\nB: 1\r\nA: 3\r\nB: 2\r\nD: 5\r\n\r\n");
}

TEST(Serializer, TrailersFollowTheLastChunk) {
  std::string out;
  append_chunk_size(out, 255);
  append_last_chunk(out, "X-Sum: 1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n");
  EXPECT_EQ(out, "ff\r\n0\r\nX-Sum: 1\r\n\r\n");
}

}  // namespace
}  // namespace lazymesh::egress::http1
