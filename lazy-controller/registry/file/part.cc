#include "lazy-controller/registry/file/part.h"

namespace lazymesh::registry {

void Part::reset(std::string path) {
  path_ = std::move(path);
  nodes_.clear();
  texts_.clear();
  open_.clear();
}

Part::Node& Part::add(Kind kind, Mark mark) {
  if (!open_.empty()) ++nodes_[open_.back()].children;
  Node node;
  node.mark = mark;
  node.kind = kind;
  node.end = static_cast<std::uint32_t>(nodes_.size() + 1);
  return nodes_.emplace_back(node);
}

void Part::add_scalar(Kind kind, Mark mark, std::string_view text) {
  Node& node = add(kind, mark);
  node.text = static_cast<std::uint32_t>(texts_.size());
  node.text_size = static_cast<std::uint32_t>(text.size());
  texts_.append(text);
}

void Part::open(Kind kind, Mark mark) {
  add(kind, mark);
  open_.push_back(static_cast<std::uint32_t>(nodes_.size() - 1));
}

void Part::close() {
  nodes_[open_.back()].end = static_cast<std::uint32_t>(nodes_.size());
  open_.pop_back();
}

bool Part::expects_key() const {
  if (open_.empty()) return false;
  const Node& parent = nodes_[open_.back()];
  return parent.kind == Kind::kMapping && parent.children % 2 == 0;
}

bool Part::expects_value() const {
  return !open_.empty() && nodes_[open_.back()].kind == Kind::kMapping && !expects_key();
}

Value Part::root() const { return {*this, 0}; }

Value::Children<Value, 1> Value::elements() const {
  return {*part_, index_ + 1, is_list() ? node().end : index_ + 1};
}

Value::Children<Value::Entry, 2> Value::entries() const {
  return {*part_, index_ + 1, is_mapping() ? node().end : index_ + 1};
}

std::string Value::path() const {
  std::string path = part_->path_;
  const auto add_key = [&path](std::string_view key) {
    path.append(path.empty() ? "" : ".").append(key);
  };
  const auto holds = [this](Value child) {
    return child.index_ <= index_ && index_ < child.node().end;
  };
  Value at = part_->root();
  while (at.index_ != index_) {
    Value next = at;
    if (at.is_list()) {
      std::size_t number = 0;
      for (const Value element : at.elements()) {
        if (holds(element)) {
          path.append("[").append(std::to_string(number)).append("]");
          next = element;
          break;
        }
        ++number;
      }
    }
    for (const auto& [key, value] : at.entries()) {
      if (!holds(key) && !holds(value)) continue;
      add_key(key.text());
      next = holds(key) ? key : value;
      break;
    }
    if (next.index_ == at.index_) break;
    at = next;
  }
  return path;
}

}  // namespace lazymesh::registry
