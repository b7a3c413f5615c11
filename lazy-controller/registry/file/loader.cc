#include "lazy-controller/registry/file/loader.h"

#include "lazy-controller/registry/file/content.h"
#include "lazy-controller/registry/file/yaml_stream.h"

namespace lazymesh::registry {

Result<std::shared_ptr<const mesh::Registry>> load_mesh(std::string_view yaml,
                                                        std::string_view file_name,
                                                        const mesh::Registry& previous) {
  if (yaml.size() > kMaxMeshFileBytes) {
    return fail(Code::kResourceExhausted, std::string(file_name) + ": larger than " +
                                              std::to_string(kMaxMeshFileBytes / (1024 * 1024)) +
                                              " MiB, the limit");
  }
  Problems problems;
  Content content(previous, problems);
  read_yaml(yaml, content, problems);
  if (auto registry = content.finish()) return registry;

  const Problem& problem = *problems.first();
  std::string message(file_name);
  message.append(":").append(std::to_string(problem.mark.line));
  message.append(":").append(std::to_string(problem.mark.column)).append(": ");
  if (!problem.path.empty()) message.append(problem.path).append(": ");
  return fail(Code::kInvalidArgument, message.append(problem.reason));
}

}  // namespace lazymesh::registry
