// The mesh file's documents say what the loader does.
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "google/protobuf/descriptor.h"

#include "lazy-controller/registry/file/known_types.h"
#include "lazy-controller/registry/file/loader.h"
#include "lazy-controller/registry/file/schema.h"

namespace lazymesh::registry {
namespace {

namespace json = boost::json;

// Tests run in the repository's root.
std::string read(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> yaml_blocks(const std::string& markdown) {
  constexpr std::string_view kBegin = "```yaml\n";
  std::vector<std::string> blocks;
  for (auto at = markdown.find(kBegin); at != std::string::npos; at = markdown.find(kBegin, at)) {
    at += kBegin.size();
    const auto end = markdown.find("```", at);
    blocks.push_back(markdown.substr(at, end - at));
    at = end;
  }
  return blocks;
}

std::vector<std::string> keys_of(const json::object& mapping) {
  std::set<std::string> required;
  if (const auto* list = mapping.if_contains("required")) {
    for (const auto& key : list->as_array()) required.emplace(key.as_string());
  }
  std::vector<std::string> keys;
  for (const auto& [key, value] : mapping.at("properties").as_object()) {
    const std::string name(key);
    keys.push_back(name + (required.contains(name) ? "!" : ""));
  }
  return keys;
}

TEST(MeshFileDocument, EveryExampleLoads) {
  const auto blocks = yaml_blocks(read("docs/mesh-file.md"));
  ASSERT_EQ(blocks.size(), 2U);
  for (const auto& block : blocks) {
    const auto loaded = load_mesh(block, "docs/mesh-file.md", *mesh::Registry::empty());
    EXPECT_TRUE(loaded) << loaded.error().message;
  }
}

TEST(MeshFileDocument, EveryKeyHasARow) {
  const auto document = read("docs/mesh-file.md");
  for (const auto& [mapping, keys] : known_keys()) {
    for (auto key : keys) {
      const bool required = key.ends_with('!');
      if (required) key.pop_back();
      const auto row = "| `" + key + "` | ";
      EXPECT_THAT(document, testing::HasSubstr(required ? row + "required |" : row)) << mapping;
    }
  }
}

TEST(MeshSchema, HasTheKeysThatTheLoaderHas) {
  const auto schema = json::parse(read("docs/mesh.schema.json"));
  const auto& definitions = schema.at("$defs").as_object();
  for (const auto& [name, keys] : known_keys()) {
    const auto& definition = definitions.at(name).as_object();
    EXPECT_THAT(keys_of(definition), testing::UnorderedElementsAreArray(keys)) << name;
    EXPECT_FALSE(definition.at("additionalProperties").as_bool()) << name;
  }
  EXPECT_THAT(keys_of(schema.as_object()), testing::UnorderedElementsAreArray(kSections));
}

TEST(KnownTypes, EveryExtensionOfTheEnvoyApiIsLinked) {
  link_known_types();
  std::ifstream roots("proto/envoy/roots.txt");
  int files = 0;
  for (std::string line; std::getline(roots, line);) {
    if (!line.starts_with("envoy/extensions/")) continue;
    const auto name = line.substr(0, line.find(' '));
    EXPECT_NE(google::protobuf::DescriptorPool::generated_pool()->FindFileByName(name), nullptr)
        << name;
    ++files;
  }
  EXPECT_GT(files, 15);
}

}  // namespace
}  // namespace lazymesh::registry
