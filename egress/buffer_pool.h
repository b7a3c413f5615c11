#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace lazymesh::egress {

class BufferPool;

/// A buffer lent by a loop's pool while there are bytes in flight, with what was read into it and
/// not yet consumed. Empty values hold no memory, so an idle connection costs none.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer() { release(); }

  explicit operator bool() const { return memory_ != nullptr; }
  std::string_view data() const { return {memory_ + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  std::size_t capacity() const { return capacity_; }

  /// Where more may be read to.
  char* space() { return memory_ + end_; }
  std::size_t space_size() const { return capacity_ - end_; }
  void produced(std::size_t size) { end_ += size; }
  void consume(std::size_t size);
  /// Give the memory back; what is in it is lost.
  void release();

 private:
  friend class BufferPool;
  BufferPool* pool_ = nullptr;
  char* memory_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

/// The buffers of one loop: two sizes, a bounded number kept for reuse. One thread.
class BufferPool {
 public:
  enum class Size {
    kSmall,  ///< 16 KiB: heads and small bodies
    kBulk,   ///< 128 KiB: while a flow fills smaller ones
  };
  static constexpr std::size_t kSmallBytes = 16 * 1024;
  static constexpr std::size_t kBulkBytes = 128 * 1024;

  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  Buffer take(Size size);
  /// Make space in a full buffer: by moving what is in it to its front, else to a bulk buffer.
  /// False: it is full, and as large as they get.
  bool make_space(Buffer& buffer);
  std::size_t lent_bytes() const { return lent_; }

 private:
  friend class Buffer;
  struct Shelf {
    std::size_t bytes;
    std::size_t most;  ///< kept for reuse; the rest goes back to the allocator
    std::vector<std::unique_ptr<char[]>> free;
  };
  void give_back(char* memory, std::size_t capacity);

  std::array<Shelf, 2> shelves_{Shelf{kSmallBytes, 128, {}}, Shelf{kBulkBytes, 8, {}}};
  std::size_t lent_ = 0;
};

}  // namespace lazymesh::egress
