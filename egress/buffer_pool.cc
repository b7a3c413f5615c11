#include "egress/buffer_pool.h"

#include <cstring>

namespace lazymesh::egress {

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  release();
  pool_ = std::exchange(other.pool_, nullptr);
  memory_ = std::exchange(other.memory_, nullptr);
  capacity_ = std::exchange(other.capacity_, 0);
  begin_ = std::exchange(other.begin_, 0);
  end_ = std::exchange(other.end_, 0);
  return *this;
}

void Buffer::consume(std::size_t size) {
  begin_ += size;
  if (begin_ == end_) begin_ = end_ = 0;
}

void Buffer::release() {
  if (memory_ != nullptr) pool_->give_back(memory_, capacity_);
  memory_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

Buffer BufferPool::take(Size size) {
  auto& shelf = shelves_[static_cast<std::size_t>(size)];
  Buffer buffer;
  buffer.pool_ = this;
  buffer.capacity_ = shelf.bytes;
  if (shelf.free.empty()) {
    buffer.memory_ = new char[shelf.bytes];  // NOLINT: given back by ~Buffer
  } else {
    buffer.memory_ = shelf.free.back().release();
    shelf.free.pop_back();
  }
  lent_ += shelf.bytes;
  return buffer;
}

bool BufferPool::make_space(Buffer& buffer) {
  if (buffer.space_size() > 0) return true;
  const auto data = buffer.data();
  if (buffer.begin_ > 0) {
    std::memmove(buffer.memory_, data.data(), data.size());
    buffer.begin_ = 0;
    buffer.end_ = data.size();
    return true;
  }
  if (buffer.capacity() == kBulkBytes) return false;
  auto larger = take(Size::kBulk);
  std::memcpy(larger.space(), data.data(), data.size());
  larger.produced(data.size());
  buffer = std::move(larger);
  return true;
}

void BufferPool::give_back(char* memory, std::size_t capacity) {
  lent_ -= capacity;
  auto& shelf = shelves_[capacity == kSmallBytes ? 0 : 1];
  std::unique_ptr<char[]> owned(memory);
  if (shelf.free.size() < shelf.most) shelf.free.push_back(std::move(owned));
}

}  // namespace lazymesh::egress
