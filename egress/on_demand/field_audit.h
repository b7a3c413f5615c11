#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class Message;
}

namespace lazymesh::egress {

/// Collects the paths of fields that are set in a configuration and that the egress does not
/// honour, so that nothing is ignored in silence. Paths are those of the schema
/// ("route.retry_policy", without indexes and names), hence of bounded number.
class FieldAudit {
 public:
  /// Everything set in `message` that is not among `honoured` (which its reader knows, or which
  /// changes nothing about how a request is answered).
  void fields(const google::protobuf::Message& message, std::string_view path,
              std::initializer_list<std::string_view> honoured);
  void add(std::string path) { found_.push_back(std::move(path)); }
  /// Ascending, each once.
  std::vector<std::string> take();

 private:
  std::vector<std::string> found_;
};

}  // namespace lazymesh::egress
