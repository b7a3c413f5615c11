#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "egress/on_demand/routing.h"

namespace google::protobuf {
template <typename T>
class RepeatedPtrField;
}
namespace envoy::config::core::v3 {
class HeaderValueOption;
}

namespace lazymesh::egress {

class FieldAudit;

/// A header's value with Envoy's command operators: text, `%%`, and `%REQ(NAME?OTHER):LENGTH%`.
class HeaderFormat {
 public:
  /// nullopt: an operator that is not known here.
  static std::optional<HeaderFormat> compile(std::string_view text);
  std::string format(const RequestView& request) const;

 private:
  struct Piece {
    std::string text;   // literal, or the header's name
    std::string other;  // the header to take where that is absent
    bool header = false;
    std::size_t length = std::string::npos;
  };
  std::vector<Piece> pieces_;
};

/// The changes that one level (weighted cluster, route, virtual host, configuration) makes to one
/// direction's headers: what it removes, then what it adds.
class HeaderChange {
 public:
  using Options = google::protobuf::RepeatedPtrField<envoy::config::core::v3::HeaderValueOption>;
  using Names = google::protobuf::RepeatedPtrField<std::string>;

  /// kInvalidArgument where Envoy refuses it: a pseudo-header or Host.
  static Result<HeaderChange> compile(const Options& add, const Names& remove,
                                      std::string_view path, FieldAudit& audit);
  void append_to(std::vector<HeaderOperation>& operations, const RequestView& request) const;

 private:
  struct Addition {
    HeaderOperation::Kind kind;
    std::string name;
    HeaderFormat value;
    bool keep_empty = false;
  };
  std::vector<std::string> removals_;
  std::vector<Addition> additions_;
};

}  // namespace lazymesh::egress
