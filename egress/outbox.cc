#include "egress/outbox.h"

#include <algorithm>
#include <array>

namespace lazymesh::egress {
namespace {

constexpr std::size_t kPieces = 48;           // of one system call
constexpr std::size_t kKeptBytes = 8 * 1024;  // of an empty outbox

}  // namespace

IoResult Outbox::flush(Stream& to) {
  std::array<std::string_view, kPieces> views;
  const auto count = std::min(pieces_.size(), kPieces);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& piece = pieces_[i];
    const char* data = piece.data != nullptr ? piece.data : own_.data() + piece.begin;
    views[i] = {data, piece.size};
  }
  const auto result = to.write(std::span(views).first(count));
  std::size_t left = result.bytes;
  std::size_t done = 0;
  while (done < count && pieces_[done].size <= left) left -= pieces_[done++].size;
  if (result.state != IoState::kDone) return result;
  if (done == pieces_.size()) {
    clear();
    return result;
  }
  pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(done));
  auto& first = pieces_.front();
  if (first.data != nullptr) {
    first.data += left;
  } else {
    first.begin += left;
  }
  first.size -= left;
  return result;
}

void Outbox::clear() {
  pieces_.clear();
  own_.clear();
  if (own_.capacity() > kKeptBytes) own_.shrink_to_fit();
}

}  // namespace lazymesh::egress
