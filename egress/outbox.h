#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "egress/stream.h"

namespace lazymesh::egress {

/// What is to be written to one socket: text of our own (heads, chunk lines) and views into a
/// buffer that stays as it is until they are written; together one system call. Its memory is kept
/// from use to use.
class Outbox {
 public:
  /// Add what `append(std::string&)` appends.
  template <class Append>
  void text(Append append) {
    const auto begin = own_.size();
    append(own_);
    pieces_.push_back({nullptr, begin, own_.size() - begin});
  }
  void view(std::string_view bytes) { pieces_.push_back({bytes.data(), 0, bytes.size()}); }

  bool empty() const { return pieces_.empty(); }
  /// Write as much as the socket takes; kDone with all or a part of it.
  IoResult flush(Stream& to);
  void clear();

 private:
  struct Piece {
    const char* data;   ///< null: in own_
    std::size_t begin;  ///< in own_
    std::size_t size;
  };
  std::string own_;
  std::vector<Piece> pieces_;
};

}  // namespace lazymesh::egress
