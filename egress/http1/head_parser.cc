#include "egress/http1/head_parser.h"

#include <charconv>
#include <cstring>

#include "egress/http1/characters.h"

namespace lazymesh::egress::http1 {
namespace {

constexpr ParseError kTooLarge{431, "the request's header is too large"};
constexpr ParseError kBareLineFeed{400, "a header line ends without a carriage return"};
constexpr ParseError kBadRequestLine{400, "malformed request line"};
constexpr ParseError kBadVersion{505, "only HTTP/1.0 and HTTP/1.1 are spoken here"};
constexpr ParseError kBadStatusLine{400, "malformed status line"};
constexpr ParseError kFolded{400, "a header line is folded"};
constexpr ParseError kBadName{400, "malformed header name"};
constexpr ParseError kBadValue{400, "a control character in a header value"};
constexpr ParseError kTooManyHeaders{431, "too many header lines"};
constexpr ParseError kSeveralLengths{400, "more than one Content-Length"};
constexpr ParseError kBadLength{400, "malformed Content-Length"};
constexpr ParseError kLengthAndEncoding{400, "both Content-Length and Transfer-Encoding"};
constexpr ParseError kEncodingInOldVersion{400, "Transfer-Encoding in HTTP/1.0"};
constexpr ParseError kUnknownEncoding{501, "a Transfer-Encoding other than chunked"};
constexpr ParseError kSeveralHosts{400, "more than one Host"};
constexpr ParseError kNoHost{400, "HTTP/1.1 without Host"};

/// The lines of a complete head, one after the other.
class Lines {
 public:
  explicit Lines(std::string_view input) : rest_(input) {}

  /// Without its CRLF; false at the end of the input.
  bool next(std::string_view& line) {
    const auto end = rest_.find('\n');
    if (end == std::string_view::npos || end == 0) return false;
    line = rest_.substr(0, end - 1);  // the scanner saw the CR
    rest_.remove_prefix(end + 1);
    return true;
  }

 private:
  std::string_view rest_;
};

ParseError parse_line(std::string_view line, HeaderLine& header) {
  if (line.front() == ' ' || line.front() == '\t') return kFolded;
  std::size_t colon = 0;
  while (colon < line.size() && is(line[colon], kToken)) ++colon;
  if (colon == 0 || colon == line.size() || line[colon] != ':') return kBadName;
  header.name = line.substr(0, colon);
  header.value = trim(line.substr(colon + 1));
  if (!all(header.value, kValue)) return kBadValue;
  header.field = field_of(header.name);
  return {};
}

/// What the lines of one head say together.
struct Framing {
  bool close = false;
  bool keep_alive = false;
  bool chunked = false;
  bool length = false;
};

void understand_connection(std::string_view value, MessageHead& head, Framing& framing) {
  for_each_element(value, [&](std::string_view option) {
    if (equals_ignoring_case(option, "close")) {
      framing.close = true;
    } else if (equals_ignoring_case(option, "keep-alive")) {
      framing.keep_alive = true;
    } else if (equals_ignoring_case(option, "upgrade")) {
      head.connection_upgrade = true;
    } else {
      head.connection_names_others = true;
    }
  });
}

ParseError understand_length(std::string_view value, MessageHead& head, Framing& framing) {
  if (framing.length) return kSeveralLengths;
  framing.length = true;
  const auto* end = value.data() + value.size();
  const auto parsed = std::from_chars(value.data(), end, head.content_length);
  if (value.empty() || value.front() == '-' || parsed.ec != std::errc{} || parsed.ptr != end) {
    return value.find(',') == std::string_view::npos ? kBadLength : kSeveralLengths;
  }
  return {};
}

ParseError understand(const HeaderLine& header, MessageHead& head, Framing& framing) {
  switch (header.field) {
    case Field::kConnection:
      understand_connection(header.value, head, framing);
      return {};
    case Field::kContentLength:
      return understand_length(header.value, head, framing);
    case Field::kTransferEncoding:
      if (framing.chunked || !equals_ignoring_case(header.value, "chunked")) {
        return kUnknownEncoding;
      }
      framing.chunked = true;
      return {};
    default:
      return {};
  }
}

/// The header lines, and what is decided by them alone.
template <class Visit>
ParseError parse_headers(Lines& lines, const Limits& limits, MessageHead& head, Visit visit) {
  Framing framing;
  std::string_view line;
  while (lines.next(line) && !line.empty()) {
    if (head.headers.size() == limits.headers) return kTooManyHeaders;
    HeaderLine header;
    if (const auto error = parse_line(line, header)) return error;
    if (header.field != Field::kOther) {
      if (const auto error = understand(header, head, framing)) return error;
      if (const auto error = visit(header)) return error;
    }
    head.headers.push_back(header);
  }
  if (framing.chunked && framing.length) return kLengthAndEncoding;
  if (framing.chunked && head.minor == 0) return kEncodingInOldVersion;
  head.body = framing.chunked  ? BodyKind::kChunked
              : framing.length ? BodyKind::kLength
                               : BodyKind::kNone;
  head.keep_alive = !framing.close && (head.minor > 0 || framing.keep_alive);
  return {};
}

void clear(MessageHead& head) {
  head.headers.clear();
  head.minor = 1;
  head.body = BodyKind::kNone;
  head.content_length = 0;
  head.keep_alive = true;
  head.connection_upgrade = false;
  head.connection_names_others = false;
}

/// "HTTP/1.0" or "HTTP/1.1".
ParseError parse_version(std::string_view text, unsigned& minor, ParseError malformed) {
  if (text.size() != 8 || text.substr(0, 5) != "HTTP/" || text[6] != '.') return malformed;
  if (text[5] != '1' || (text[7] != '0' && text[7] != '1')) return kBadVersion;
  minor = static_cast<unsigned>(text[7] - '0');
  return {};
}

ParseError parse_request_line(std::string_view line, RequestHead& head) {
  const auto first = line.find(' ');
  if (first == std::string_view::npos || first == 0) return kBadRequestLine;
  const auto second = line.find(' ', first + 1);
  if (second == std::string_view::npos || second == first + 1) return kBadRequestLine;
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, second - first - 1);
  if (!all(head.method, kToken) || !all(head.target, kTarget)) return kBadRequestLine;
  return parse_version(line.substr(second + 1), head.minor, kBadRequestLine);
}

ParseError parse_status_line(std::string_view line, ResponseHead& head) {
  // "HTTP/1.1 200" with or without a space and a reason.
  if (line.size() < 12 || line[8] != ' ') return kBadStatusLine;
  if (const auto error = parse_version(line.substr(0, 8), head.minor, kBadStatusLine)) {
    return error;
  }
  const auto digits = line.substr(9, 3);
  const auto parsed = std::from_chars(digits.data(), digits.data() + 3, head.status);
  if (parsed.ptr != digits.data() + 3 || head.status < 100) return kBadStatusLine;
  if (line.size() > 12 && line[12] != ' ') return kBadStatusLine;
  head.reason = line.size() > 12 ? line.substr(13) : std::string_view{};
  return all(head.reason, kValue) ? ParseError{} : kBadStatusLine;
}

ParseError as_bad_gateway(ParseError error) {
  if (error) error.status = 502;
  return error;
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

bool list_has(std::string_view list, std::string_view token) {
  bool found = false;
  for_each_element(list, [&](std::string_view element) {
    found = found || equals_ignoring_case(element, token);
  });
  return found;
}

Field field_of(std::string_view name) {
  const auto when = [name](std::string_view known, Field field) {
    return equals_ignoring_case(name, known) ? field : Field::kOther;
  };
  switch (name.size()) {
    case 2:
      return when("te", Field::kTe);
    case 4:
      return when("host", Field::kHost);
    case 6:
      return when("expect", Field::kExpect);
    case 7:
      return when("upgrade", Field::kUpgrade);
    case 10:
      if (lower(name[0]) == 'u') return when("user-agent", Field::kUserAgent);
      if (lower(name[0]) == 'k') return when("keep-alive", Field::kKeepAlive);
      return when("connection", Field::kConnection);
    case 12:
      return when("x-request-id", Field::kRequestId);
    case 14:
      return when("content-length", Field::kContentLength);
    case 16:
      return when("proxy-connection", Field::kProxyConnection);
    case 17:
      return when("transfer-encoding", Field::kTransferEncoding);
    default:
      return Field::kOther;
  }
}

HeadScanner::State HeadScanner::scan(std::string_view input, const Limits& limits) {
  while (searched_ < input.size()) {
    const auto* found = static_cast<const char*>(
        std::memchr(input.data() + searched_, '\n', input.size() - searched_));
    if (found == nullptr) break;
    const auto line_feed = static_cast<std::size_t>(found - input.data());
    if (line_feed == position_ || input[line_feed - 1] != '\r') {
      error_ = kBareLineFeed;
      return State::kBad;
    }
    const bool empty = line_feed == position_ + 1;
    const bool first = position_ == 0;
    position_ = searched_ = line_feed + 1;
    if (position_ > limits.head_bytes) break;
    if (empty && started_) return State::kComplete;
    if (empty && !first) {  // a second empty line before the message
      error_ = kBadRequestLine;
      return State::kBad;
    }
    started_ = started_ || !empty;
  }
  searched_ = std::max(searched_, input.size());
  if (input.size() <= limits.head_bytes && position_ <= limits.head_bytes) {
    return State::kIncomplete;
  }
  error_ = kTooLarge;
  return State::kBad;
}

ParseError parse_request_head(std::string_view input, const Limits& limits, RequestHead& head) {
  clear(head);
  head.host.reset();
  head.user_agent = {};
  head.request_id = {};
  head.upgrade = false;
  Lines lines(input);
  std::string_view line;
  if (!lines.next(line)) return kBadRequestLine;
  if (line.empty() && !lines.next(line)) return kBadRequestLine;
  if (const auto error = parse_request_line(line, head)) return error;
  bool upgrade_line = false;
  const auto error = parse_headers(lines, limits, head, [&](const HeaderLine& header) {
    switch (header.field) {
      case Field::kHost:
        if (head.host) return kSeveralHosts;
        head.host = header.value;
        break;
      case Field::kUserAgent:
        head.user_agent = header.value;
        break;
      case Field::kRequestId:
        head.request_id = header.value;
        break;
      case Field::kUpgrade:
        upgrade_line = true;
        break;
      default:
        break;
    }
    return ParseError{};
  });
  if (error) return error;
  if (head.minor > 0 && !head.host) return kNoHost;
  head.upgrade = upgrade_line && head.connection_upgrade && head.minor > 0;
  return {};
}

ParseError parse_response_head(std::string_view input, const Limits& limits,
                               std::string_view request_method, ResponseHead& head) {
  clear(head);
  Lines lines(input);
  std::string_view line;
  if (!lines.next(line)) return as_bad_gateway(kBadStatusLine);
  if (const auto error = parse_status_line(line, head)) return as_bad_gateway(error);
  const auto error =
      parse_headers(lines, limits, head, [](const HeaderLine&) { return ParseError{}; });
  if (error) return as_bad_gateway(error);
  if (request_method == "HEAD" || head.status < 200 || head.status == 204 || head.status == 304) {
    head.body = BodyKind::kNone;
  } else if (head.body == BodyKind::kNone) {
    head.body = BodyKind::kUntilClose;
  }
  return {};
}

ParseError parse_trailers(std::string_view input, const Limits& limits,
                          std::vector<HeaderLine>& out) {
  out.clear();
  Lines lines(input);
  std::string_view line;
  while (lines.next(line) && !line.empty()) {
    if (out.size() == limits.headers) return kTooManyHeaders;
    HeaderLine header;
    if (const auto error = parse_line(line, header)) return error;
    out.push_back(header);
  }
  return {};
}

}  // namespace lazymesh::egress::http1
