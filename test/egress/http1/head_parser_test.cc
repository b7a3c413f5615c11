#include "egress/http1/head_parser.h"

#include <gtest/gtest.h>

namespace lazymesh::egress::http1 {
namespace {

using State = HeadScanner::State;

struct Parsed {
  RequestHead head;
  ParseError error;
};

/// Through the scanner and the parser, as a connection does.
Parsed parse(const std::string& input, Limits limits = {}) {
  Parsed out;
  HeadScanner scanner;
  const auto state = scanner.scan(input, limits);
  if (state == State::kBad) {
    out.error = scanner.error();
  } else if (state == State::kIncomplete) {
    out.error = {1, "incomplete"};
  } else {
    out.error =
        parse_request_head(std::string_view(input).substr(0, scanner.length()), limits, out.head);
  }
  return out;
}

unsigned status_of(const std::string& lines) {
  return parse("GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n").error.status;
}

ResponseHead parse_response(const std::string& input, ParseError& error,
                            std::string_view method = "GET") {
  ResponseHead head;
  error = parse_response_head(input, {}, method, head);
  return head;
}

TEST(HeadScanner, FindsTheEndWhereverTheBytesAreSplit) {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
  const std::string input = head + "body";
  for (std::size_t first = 0; first <= input.size(); ++first) {
    for (std::size_t second = first; second <= input.size(); ++second) {
      HeadScanner scanner;
      auto state = scanner.scan(input.substr(0, first), {});
      ASSERT_EQ(state, first < head.size() ? State::kIncomplete : State::kComplete) << first;
      if (state == State::kComplete) {
        ASSERT_EQ(scanner.length(), head.size());
        continue;
      }
      state = scanner.scan(input.substr(0, second), {});
      ASSERT_EQ(state, second < head.size() ? State::kIncomplete : State::kComplete) << second;
    }
  }
}

TEST(HeadScanner, RefusesABareLineFeedAtOnce) {
  HeadScanner scanner;
  EXPECT_EQ(scanner.scan("GET / HTTP/1.1\n", {}), State::kBad);
  EXPECT_EQ(scanner.error().status, 400U);
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: a\n\r\n").error.status, 400U);
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: a\r\n\n").error.status, 400U);
}

TEST(HeadScanner, RefusesAHeadAboveTheLimitBeforeItsEnd) {
  const Limits limits{100, 10};
  HeadScanner scanner;
  EXPECT_EQ(scanner.scan(std::string(100, 'a'), limits), State::kIncomplete);
  EXPECT_EQ(scanner.scan(std::string(101, 'a'), limits), State::kBad);
  EXPECT_EQ(scanner.error().status, 431U);
  const std::string head = "GET / HTTP/1.1\r\nX: " + std::string(200, 'x') + "\r\n\r\n";
  EXPECT_EQ(parse(head, limits).error.status, 431U);
}

TEST(HeadScanner, SkipsOneEmptyLineBeforeARequest) {
  EXPECT_EQ(parse("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").error.status, 0U);
  EXPECT_EQ(parse("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").error.status, 400U);
}

TEST(RequestHead, KeepsLinesInOrderAndCase) {
  const std::string input =
      "POST /a?b HTTP/1.1\r\nhOsT: Example:8080\r\nX-One:1\r\nx-ONE: \t 2 \t\r\nEmpty:\r\n\r\n";
  const auto [head, error] = parse(input);
  ASSERT_FALSE(error) << error.reason;
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/a?b");
  EXPECT_EQ(head.host, "Example:8080");
  ASSERT_EQ(head.headers.size(), 4U);
  EXPECT_EQ(head.headers[0].name, "hOsT");
  EXPECT_EQ(head.headers[1].name, "X-One");
  EXPECT_EQ(head.headers[1].value, "1");
  EXPECT_EQ(head.headers[2].name, "x-ONE");
  EXPECT_EQ(head.headers[2].value, "2");
  EXPECT_EQ(head.headers[3].value, "");
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(head.body, BodyKind::kNone);
}

TEST(RequestHead, RefusesWhatIsAmbiguous) {
  EXPECT_EQ(status_of("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400U);
  EXPECT_EQ(status_of("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400U);
  EXPECT_EQ(status_of("Content-Length: 5\r\nContent-Length: 6\r\n"), 400U);
  EXPECT_EQ(status_of("Content-Length: 5\r\nContent-Length: 5\r\n"), 400U);
  EXPECT_EQ(status_of("Content-Length: 5, 5\r\n"), 400U);
  for (const auto* length : {"", "-1", "+1", "0x5", "5 ", "1e1", "5a", "99999999999999999999"}) {
    if (std::string(length) == "5 ") continue;  // white space around a value is none of it
    EXPECT_EQ(status_of(std::string("Content-Length: ") + length + "\r\n"), 400U) << length;
  }
  EXPECT_EQ(status_of("Transfer-Encoding: gzip, chunked\r\n"), 501U);
  EXPECT_EQ(status_of("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 501U);
  EXPECT_EQ(status_of("Transfer-Encoding: xchunked\r\n"), 501U);
  EXPECT_EQ(status_of("X: a\r\n folded\r\n"), 400U);
  EXPECT_EQ(status_of("X: a\r\n\tfolded\r\n"), 400U);
  EXPECT_EQ(status_of("X : a\r\n"), 400U);
  EXPECT_EQ(status_of("X\t: a\r\n"), 400U);
  EXPECT_EQ(status_of(": a\r\n"), 400U);
  EXPECT_EQ(status_of("nocolon\r\n"), 400U);
  EXPECT_EQ(status_of("X(: a\r\n"), 400U);
  EXPECT_EQ(status_of(std::string("X: a\0b\r\n", 8)), 400U);
  EXPECT_EQ(status_of(std::string("X\0: a\r\n", 7)), 400U);
  EXPECT_EQ(status_of("X: a\rb\r\n"), 400U);
  EXPECT_EQ(status_of("X: \x7f\r\n"), 400U);
  EXPECT_EQ(status_of("Host: b\r\n"), 400U);
  EXPECT_EQ(status_of("X: \xe4\xb8\xad ok\r\n"), 0U);
}

TEST(RequestHead, RefusesMalformedRequestLines) {
  const auto line = [](const std::string& text) {
    return parse(text + "\r\nHost: a\r\n\r\n").error.status;
  };
  EXPECT_EQ(line("GET  / HTTP/1.1"), 400U);
  EXPECT_EQ(line("GET / HTTP/1.1 "), 400U);
  EXPECT_EQ(line("GET /  HTTP/1.1"), 400U);
  EXPECT_EQ(line("GET / b HTTP/1.1"), 400U);
  EXPECT_EQ(line(" GET / HTTP/1.1"), 400U);
  EXPECT_EQ(line("GET\t/ HTTP/1.1"), 400U);
  EXPECT_EQ(line("GET /"), 400U);
  EXPECT_EQ(line("GET / http/1.1"), 400U);
  EXPECT_EQ(line("G(T / HTTP/1.1"), 400U);
  EXPECT_EQ(line(std::string("GET /\0 HTTP/1.1", 15)), 400U);
  EXPECT_EQ(line("GET / HTTP/2.0"), 505U);
  EXPECT_EQ(line("GET / HTTP/1.2"), 505U);
  EXPECT_EQ(line("PURGE /x HTTP/1.1"), 0U);
}

TEST(RequestHead, RefusesTooManyLines) {
  std::string lines = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 9; ++i) lines += "X: y\r\n";
  EXPECT_EQ(parse(lines + "\r\n", {65536, 10}).error.status, 0U);
  EXPECT_EQ(parse(lines + "X: y\r\n\r\n", {65536, 10}).error.status, 431U);
}

TEST(RequestHead, NeedsAHostInHttp11Only) {
  EXPECT_EQ(parse("GET / HTTP/1.1\r\n\r\n").error.status, 400U);
  EXPECT_EQ(parse("GET / HTTP/1.0\r\n\r\n").error.status, 0U);
}

TEST(RequestHead, KnowsWhetherTheConnectionGoesOn) {
  const auto keeps = [](const std::string& version, const std::string& connection) {
    return parse("GET / HTTP/" + version + "\r\nHost: a\r\n" + connection + "\r\n").head.keep_alive;
  };
  EXPECT_TRUE(keeps("1.1", ""));
  EXPECT_FALSE(keeps("1.1", "Connection: close\r\n"));
  EXPECT_FALSE(keeps("1.1", "Connection: keep-alive, Close\r\n"));
  EXPECT_FALSE(keeps("1.0", ""));
  EXPECT_TRUE(keeps("1.0", "Connection: Keep-Alive\r\n"));
}

TEST(RequestHead, KnowsAnUpgrade) {
  const auto upgrades = [](const std::string& lines) {
    return parse("GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n").head.upgrade;
  };
  EXPECT_TRUE(upgrades("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"));
  EXPECT_FALSE(upgrades("Upgrade: websocket\r\n"));
  EXPECT_FALSE(upgrades("Connection: Upgrade\r\n"));
}

TEST(RequestHead, ChunkedInHttp10IsRefused) {
  EXPECT_EQ(parse("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").error.status, 400U);
}

TEST(ResponseHead, ParsesTheStatusLine) {
  ParseError error;
  const std::string input = "HTTP/1.1 404 Not Found At All\r\n\r\n";
  const auto head = parse_response(input, error);
  EXPECT_FALSE(error);
  EXPECT_EQ(head.status, 404U);
  EXPECT_EQ(head.reason, "Not Found At All");
  EXPECT_EQ(parse_response("HTTP/1.0 200\r\n\r\n", error).status, 200U);
  EXPECT_FALSE(error);
  for (const auto* bad : {"HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1  200 OK", "HTTP/2 200",
                          "200 OK", "HTTP/1.1 099 OK", "HTTP/1.1 2x0 OK"}) {
    parse_response(std::string(bad) + "\r\n\r\n", error);
    EXPECT_EQ(error.status, 502U) << bad;
  }
}

TEST(ResponseHead, KnowsWhereItsBodyEnds) {
  const auto body = [](const std::string& lines, std::string_view method = "GET") {
    ParseError error;
    const auto head = parse_response("HTTP/1.1 " + lines + "\r\n", error, method);
    EXPECT_FALSE(error) << error.reason;
    return head.body;
  };
  EXPECT_EQ(body("200 OK\r\nContent-Length: 5\r\n"), BodyKind::kLength);
  EXPECT_EQ(body("200 OK\r\nTransfer-Encoding: chunked\r\n"), BodyKind::kChunked);
  EXPECT_EQ(body("200 OK\r\n"), BodyKind::kUntilClose);
  EXPECT_EQ(body("200 OK\r\nContent-Length: 5\r\n", "HEAD"), BodyKind::kNone);
  EXPECT_EQ(body("204 No Content\r\n"), BodyKind::kNone);
  EXPECT_EQ(body("304 Not Modified\r\nContent-Length: 5\r\n"), BodyKind::kNone);
  EXPECT_EQ(body("100 Continue\r\n"), BodyKind::kNone);
}

TEST(ResponseHead, AmbiguityIsTheUpstreamsFault) {
  ParseError error;
  parse_response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                 error);
  EXPECT_EQ(error.status, 502U);
}

}  // namespace
}  // namespace lazymesh::egress::http1
