#include "egress/on_demand/header_change.h"

#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/numbers.h>

#include "envoy/config/core/v3/base.pb.h"

#include "egress/on_demand/field_audit.h"
#include "egress/on_demand/request_match.h"

// Deprecated fields are still in use by control planes, and Envoy honours them.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace lazymesh::egress {
namespace {

namespace core = envoy::config::core::v3;

constexpr std::string_view kRequestHeader = "REQ(";

Result<void> check_name(const std::string& name) {
  if (name.empty() || name.front() == ':' || absl::EqualsIgnoreCase(name, "host")) {
    return fail(Code::kInvalidArgument, "header '" + name + "' may not be added or removed");
  }
  return {};
}

HeaderOperation::Kind kind_of(const core::HeaderValueOption& option) {
  using Kind = HeaderOperation::Kind;
  if (option.has_append()) return option.append().value() ? Kind::kAppend : Kind::kOverwrite;
  switch (option.append_action()) {
    case core::HeaderValueOption::ADD_IF_ABSENT:
      return Kind::kAddIfAbsent;
    case core::HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD:
      return Kind::kOverwrite;
    case core::HeaderValueOption::OVERWRITE_IF_EXISTS:
      return Kind::kOverwriteIfPresent;
    default:
      break;
  }
  return Kind::kAppend;
}

}  // namespace

std::optional<HeaderFormat> HeaderFormat::compile(std::string_view text) {
  HeaderFormat format;
  std::string literal;
  const auto end_literal = [&] {
    if (!literal.empty()) format.pieces_.push_back({std::exchange(literal, {}), {}, false});
  };
  while (!text.empty()) {
    if (text.front() != '%') {
      const auto end = std::min(text.find('%'), text.size());
      literal.append(text.substr(0, end));
      text.remove_prefix(end);
      continue;
    }
    if (text.starts_with("%%")) {
      literal += '%';
      text.remove_prefix(2);
      continue;
    }
    text.remove_prefix(1);
    const auto close = text.find(')');
    if (!text.starts_with(kRequestHeader) || close == std::string_view::npos) return std::nullopt;
    Piece piece;
    piece.header = true;
    auto names = text.substr(kRequestHeader.size(), close - kRequestHeader.size());
    const auto question = std::min(names.find('?'), names.size());
    piece.text = absl::AsciiStrToLower(std::string(names.substr(0, question)));
    if (question < names.size()) {
      piece.other = absl::AsciiStrToLower(std::string(names.substr(question + 1)));
    }
    text.remove_prefix(close + 1);
    const auto end = text.find('%');
    if (end == std::string_view::npos) return std::nullopt;
    if (const auto length = text.substr(0, end); !length.empty()) {
      if (length.front() != ':' ||
          !absl::SimpleAtoi(std::string(length.substr(1)), &piece.length)) {
        return std::nullopt;
      }
    }
    text.remove_prefix(end + 1);
    end_literal();
    format.pieces_.push_back(std::move(piece));
  }
  end_literal();
  return format;
}

std::string HeaderFormat::format(const RequestView& request) const {
  std::string value;
  for (const auto& piece : pieces_) {
    if (!piece.header) {
      value += piece.text;
      continue;
    }
    auto header = header_of(request, piece.text);
    if (!header && !piece.other.empty()) header = header_of(request, piece.other);
    if (header) value.append(*header, 0, piece.length);
  }
  return value;
}

Result<HeaderChange> HeaderChange::compile(const Options& add, const Names& remove,
                                           std::string_view path, FieldAudit& audit) {
  HeaderChange change;
  for (const auto& name : remove) {
    if (auto checked = check_name(name); !checked) return tl::unexpected(checked.error());
    change.removals_.push_back(absl::AsciiStrToLower(name));
  }
  for (const auto& option : add) {
    const auto& header = option.header();
    if (auto checked = check_name(header.key()); !checked) return tl::unexpected(checked.error());
    auto value =
        HeaderFormat::compile(header.raw_value().empty() ? header.value() : header.raw_value());
    if (!value) {
      audit.add(std::string(path) + ".header.value");
      continue;
    }
    change.additions_.push_back(
        {kind_of(option), header.key(), std::move(*value), option.keep_empty_value()});
  }
  return change;
}

void HeaderChange::append_to(std::vector<HeaderOperation>& operations,
                             const RequestView& request) const {
  for (const auto& name : removals_) {
    operations.push_back({HeaderOperation::Kind::kRemove, name, {}});
  }
  for (const auto& addition : additions_) {
    auto value = addition.value.format(request);
    if (value.empty() && !addition.keep_empty) continue;
    operations.push_back({addition.kind, addition.name, std::move(value)});
  }
}

}  // namespace lazymesh::egress
