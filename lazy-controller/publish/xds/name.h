#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <absl/container/flat_hash_set.h>

namespace lazymesh::publish::xds {

/// The names in use. A name is held once, however many clients and resources carry it, and is
/// forgotten with its last user; so what a client holds of a resource costs a pointer and a
/// version. Control thread.
class Names {
 public:
  Names() = default;
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;
  /// All Name values must be gone.
  ~Names();

  class Name intern(std::string_view text);
  /// The name, if anybody uses it; else an empty one.
  class Name find(std::string_view text) const;
  std::size_t size() const { return nodes_.size(); }

 private:
  friend class Name;
  struct Node {
    Names* owner;
    std::uint64_t hash;
    std::uint32_t references;
    std::string text;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const Node* node) const { return (*this)(node->text); }
    std::size_t operator()(std::string_view text) const {
      return absl::Hash<std::string_view>{}(text);
    }
  };
  struct Equal {
    using is_transparent = void;
    static std::string_view text(const Node* node) { return node->text; }
    static std::string_view text(std::string_view text) { return text; }
    bool operator()(const auto& a, const auto& b) const { return text(a) == text(b); }
  };
  void forget(Node* node);

  absl::flat_hash_set<Node*, Hash, Equal> nodes_;
};

/// The name of a resource, or none. Names of one Names are equal if their texts are. Control
/// thread.
class Name {
 public:
  Name() = default;
  Name(const Name& other) : node_(other.node_) {
    if (node_ != nullptr) ++node_->references;
  }
  Name(Name&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  Name& operator=(Name other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~Name() {
    if (node_ != nullptr && --node_->references == 0) node_->owner->forget(node_);
  }

  explicit operator bool() const { return node_ != nullptr; }
  std::string_view text() const { return node_->text; }
  /// Of the text: the same in every process.
  std::uint64_t hash() const { return node_->hash; }

  friend bool operator==(const Name& a, const Name& b) { return a.node_ == b.node_; }
  template <class H>
  friend H AbslHashValue(H state, const Name& name) {
    return H::combine(std::move(state), name.node_);
  }

 private:
  friend class Names;
  explicit Name(Names::Node* node) : node_(node) {
    if (node_ != nullptr) ++node_->references;
  }
  Names::Node* node_ = nullptr;
};

}  // namespace lazymesh::publish::xds
