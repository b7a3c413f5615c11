#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "egress/http1/message.h"
#include "egress/outbox.h"

namespace lazymesh::egress {

/// What one request needs and an idle connection does not have: kept by the loop between requests,
/// so that a request allocates none of it.
struct ExchangeMemory {
  http1::RequestHead request;
  http1::ResponseHead response;
  Outbox to_upstream;
  Outbox to_downstream;

  void clear() {
    to_upstream.clear();
    to_downstream.clear();
  }
};

/// One thread.
class ExchangeMemoryPool {
 public:
  std::unique_ptr<ExchangeMemory> take() {
    if (free_.empty()) return std::make_unique<ExchangeMemory>();
    auto memory = std::move(free_.back());
    free_.pop_back();
    return memory;
  }
  void give_back(std::unique_ptr<ExchangeMemory> memory) {
    memory->clear();
    if (free_.size() < kKept) free_.push_back(std::move(memory));
  }

 private:
  static constexpr std::size_t kKept = 64;
  std::vector<std::unique_ptr<ExchangeMemory>> free_;
};

}  // namespace lazymesh::egress
