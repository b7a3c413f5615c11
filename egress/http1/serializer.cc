#include "egress/http1/serializer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "egress/http1/head_parser.h"

namespace lazymesh::egress::http1 {
namespace {

constexpr std::string_view kEnd = "\r\n";

void append_line(std::string& out, std::string_view name, std::string_view value) {
  // Within the reserved memory these are plain copies.
  out.append(name).append(": ").append(value).append(kEnd);
}

/// Whether one of the head's Connection lines names `name`.
bool named_by_connection(const MessageHead& head, std::string_view name) {
  return std::any_of(head.headers.begin(), head.headers.end(), [name](const HeaderLine& line) {
    return line.field == Field::kConnection && list_has(line.value, name);
  });
}

void append_connection(std::string& out, Framing::Connection connection) {
  switch (connection) {
    case Framing::Connection::kSilent:
      return;
    case Framing::Connection::kClose:
      return append_line(out, "Connection", "close");
    case Framing::Connection::kKeepAlive:
      return append_line(out, "Connection", "keep-alive");
    case Framing::Connection::kUpgrade:
      return append_line(out, "Connection", "Upgrade");
  }
}

/// All lines but Host (`host` replaces its value where given), and the empty line.
void append_headers(std::string& out, const MessageHead& head, std::string_view host,
                    const Framing& framing) {
  bool chunked_said = false;
  for (const auto& line : head.headers) {
    switch (line.field) {
      case Field::kConnection:
      case Field::kKeepAlive:
      case Field::kProxyConnection:
      case Field::kTe:
        continue;
      case Field::kTransferEncoding:
        if (framing.chunked || framing.keep_encoding) append_line(out, line.name, "chunked");
        chunked_said = true;
        continue;
      case Field::kContentLength:
        if (!framing.drop_length) append_line(out, line.name, line.value);
        continue;
      case Field::kUpgrade:
        if (framing.connection == Framing::Connection::kUpgrade) {
          append_line(out, line.name, line.value);
        }
        continue;
      case Field::kHost:
        append_line(out, line.name, host.empty() ? line.value : host);
        continue;
      default:
        if (head.connection_names_others && named_by_connection(head, line.name)) continue;
        append_line(out, line.name, line.value);
    }
  }
  if (framing.chunked && !chunked_said) append_line(out, "Transfer-Encoding", "chunked");
  append_connection(out, framing.connection);
  out.append(kEnd);
}

std::size_t size_of(const MessageHead& head) {
  std::size_t size = 128;
  for (const auto& line : head.headers) size += line.name.size() + line.value.size() + 4;
  return size;
}

void remove_line(MessageHead& head, std::string_view name) {
  std::erase_if(head.headers,
                [name](const HeaderLine& line) { return equals_ignoring_case(line.name, name); });
}

bool has_line(const MessageHead& head, std::string_view name) {
  return std::any_of(head.headers.begin(), head.headers.end(), [name](const HeaderLine& line) {
    return equals_ignoring_case(line.name, name);
  });
}

}  // namespace

void edit_headers(MessageHead& head, std::span<const EditLine> edits) {
  for (const auto& edit : edits) {
    // Routes do not touch how a message is framed.
    const auto field = field_of(edit.name);
    if (field == Field::kContentLength || field == Field::kTransferEncoding ||
        field == Field::kConnection || field == Field::kHost) {
      continue;
    }
    if (edit.kind == HeaderEdit::kAddIfAbsent && has_line(head, edit.name)) continue;
    if (edit.kind == HeaderEdit::kOverwriteIfPresent && !has_line(head, edit.name)) continue;
    if (edit.kind != HeaderEdit::kAppend) remove_line(head, edit.name);
    if (edit.kind != HeaderEdit::kRemove) head.headers.push_back({edit.name, edit.value, field});
  }
}

void append_request_head(std::string& out, const RequestHead& head, std::string_view target,
                         std::string_view host, const Framing& framing) {
  out.reserve(out.size() + size_of(head) + target.size() + host.size());
  out.append(head.method).append(" ").append(target).append(" HTTP/1.1\r\n");
  if (!head.host && !host.empty()) append_line(out, "Host", host);
  append_headers(out, head, host, framing);
}

void append_response_head(std::string& out, const ResponseHead& head, unsigned minor,
                          const Framing& framing) {
  out.reserve(out.size() + size_of(head) + head.reason.size());
  const std::array<char, 3> status{static_cast<char>('0' + head.status / 100),
                                   static_cast<char>('0' + head.status / 10 % 10),
                                   static_cast<char>('0' + head.status % 10)};
  out.append(minor == 0 ? "HTTP/1.0 " : "HTTP/1.1 ");
  out.append(status.data(), status.size()).append(" ").append(head.reason).append(kEnd);
  append_headers(out, head, {}, framing);
}

void append_chunk_size(std::string& out, std::uint64_t size) {
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), size, 16).ptr;
  out.append(digits.data(), static_cast<std::size_t>(end - digits.data())).append(kEnd);
}

void append_last_chunk(std::string& out, std::string_view trailers) {
  out.append("0\r\n");
  if (!trailers.empty()) {
    std::vector<HeaderLine> lines;
    // They were checked when they were read.
    (void)parse_trailers(trailers, {trailers.size(), trailers.size()}, lines);
    for (const auto& line : lines) {
      const bool framing = line.field != Field::kOther && line.field != Field::kRequestId &&
                           line.field != Field::kUserAgent;
      if (!framing) append_line(out, line.name, line.value);
    }
  }
  out.append(kEnd);
}

std::string_view reason_phrase(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 410:
      return "Gone";
    case 418:
      return "I'm a teapot";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";
  }
}

}  // namespace lazymesh::egress::http1
