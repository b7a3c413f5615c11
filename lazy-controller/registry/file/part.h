#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lazymesh::registry {

/// Where something is written, both counted from 1.
struct Mark {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

class Value;

/// One part of a YAML document (a service, say) as a flat tree: nodes in the order in which they
/// are written, their texts in one string. Refilled for part after part, so that a document of any
/// length needs the memory of its largest part. One thread.
class Part {
 public:
  enum class Kind : std::uint8_t {
    kNull,
    kPlain,   ///< a scalar without quotes, which may be a number or a boolean
    kQuoted,  ///< a scalar with quotes, or a block scalar: always text
    kList,
    kMapping,
  };

  /// Begin anew; `path` is where the part is in the document: "services[3]".
  void reset(std::string path);
  void add_scalar(Kind kind, Mark mark, std::string_view text);
  void open(Kind kind, Mark mark);
  /// End the list or mapping opened last.
  void close();

  bool empty() const { return nodes_.empty(); }
  /// All opened was closed.
  bool complete() const { return !empty() && open_.empty(); }
  /// The next scalar added would be a key of a mapping.
  bool expects_key() const;
  /// The next scalar added would be what a key of a mapping stands for.
  bool expects_value() const;
  std::size_t depth() const { return open_.size(); }

  Value root() const;

 private:
  friend class Value;
  struct Node {
    Mark mark;
    std::uint32_t text = 0;
    std::uint32_t text_size = 0;
    std::uint32_t end = 0;       // the node after this one and all below it
    std::uint32_t children = 0;  // keys and values both count
    Kind kind = Kind::kNull;
  };

  Node& add(Kind kind, Mark mark);

  std::string path_;
  std::vector<Node> nodes_;
  std::string texts_;
  std::vector<std::uint32_t> open_;
};

/// One node of a Part and what is below it: a scalar, a list, or a mapping. A view.
class Value {
 public:
  struct Entry;

  /// Steps over the children of a node; `kStride` of a mapping's entries is 2.
  template <class Item, std::uint32_t kStride>
  class Children {
   public:
    class Iterator {
     public:
      Iterator(const Part& part, std::uint32_t at) : part_(&part), at_(at) {}
      Item operator*() const;
      Iterator& operator++() {
        for (std::uint32_t i = 0; i < kStride; ++i) at_ = part_->nodes_[at_].end;
        return *this;
      }
      bool operator==(const Iterator& other) const { return at_ == other.at_; }

     private:
      const Part* part_;
      std::uint32_t at_;
    };

    Children(const Part& part, std::uint32_t begin, std::uint32_t end)
        : part_(&part), begin_(begin), end_(end) {}
    Iterator begin() const { return {*part_, begin_}; }
    Iterator end() const { return {*part_, end_}; }

   private:
    const Part* part_;
    std::uint32_t begin_;
    std::uint32_t end_;
  };

  Value(const Part& part, std::uint32_t index) : part_(&part), index_(index) {}

  Part::Kind kind() const { return node().kind; }
  bool is_scalar() const { return kind() == Part::Kind::kPlain || kind() == Part::Kind::kQuoted; }
  bool is_list() const { return kind() == Part::Kind::kList; }
  bool is_mapping() const { return kind() == Part::Kind::kMapping; }
  Mark mark() const { return node().mark; }
  /// Of a scalar; empty for anything else.
  std::string_view text() const {
    return std::string_view(part_->texts_).substr(node().text, node().text_size);
  }
  /// Elements of a list, or entries of a mapping.
  std::size_t size() const { return is_mapping() ? node().children / 2 : node().children; }

  /// The elements of a list; nothing for anything else.
  Children<Value, 1> elements() const;
  /// The entries of a mapping in the order in which they are written; nothing for anything else.
  Children<Entry, 2> entries() const;

  /// Where this node is in the document: "services[3].ports[0].number". Of a key, too.
  std::string path() const;

 private:
  const Part::Node& node() const { return part_->nodes_[index_]; }

  const Part* part_;
  std::uint32_t index_;
};

struct Value::Entry {
  Value key;
  Value value;
};

template <class Item, std::uint32_t kStride>
Item Value::Children<Item, kStride>::Iterator::operator*() const {
  if constexpr (kStride == 2) {
    return Item{Value(*part_, at_), Value(*part_, part_->nodes_[at_].end)};
  } else {
    return Value(*part_, at_);
  }
}

}  // namespace lazymesh::registry
