#pragma once

#include <vector>

#include <google/protobuf/arena.h>

namespace lazymesh::als {

/// Where one message after the other lives: a first block that serves most without an allocation,
/// and what a larger one needs beyond it. One thread.
class MessageArena {
 public:
  /// An empty message in the place of the last one, which is gone.
  template <class Message>
  Message& replace() {
    arena_.Reset();
    return *google::protobuf::Arena::CreateMessage<Message>(&arena_);
  }
  /// Gives back what the last message needed beyond the first block.
  void clear() { arena_.Reset(); }

 private:
  static google::protobuf::ArenaOptions options(std::vector<char>& block) {
    google::protobuf::ArenaOptions options;
    options.initial_block = block.data();
    options.initial_block_size = block.size();
    return options;
  }

  std::vector<char> block_ = std::vector<char>(64 * 1024);
  google::protobuf::Arena arena_{options(block_)};
};

}  // namespace lazymesh::als
