#include "egress/on_demand/field_audit.h"

#include <algorithm>
#include <utility>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

namespace lazymesh::egress {

void FieldAudit::fields(const google::protobuf::Message& message, std::string_view path,
                        std::initializer_list<std::string_view> honoured) {
  std::vector<const google::protobuf::FieldDescriptor*> set;
  message.GetReflection()->ListFields(message, &set);
  for (const auto* field : set) {
    if (std::find(honoured.begin(), honoured.end(), field->name()) != honoured.end()) continue;
    add(std::string(path) + "." + field->name());
  }
}

std::vector<std::string> FieldAudit::take() {
  std::sort(found_.begin(), found_.end());
  found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
  return std::exchange(found_, {});
}

}  // namespace lazymesh::egress
