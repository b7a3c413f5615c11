#include "base/completion.h"

#include <atomic>

#include <spdlog/spdlog.h>

namespace lazymesh {
namespace {

std::atomic<unsigned long> escaped{0};

}  // namespace

std::function<void(std::exception_ptr)> completion(std::string name) {
  return [name = std::move(name)](std::exception_ptr failure) {
    if (!failure) return;
    escaped.fetch_add(1, std::memory_order_relaxed);
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& e) {
      spdlog::error("{}: escaped exception: {}", name, e.what());
    } catch (...) {
      spdlog::error("{}: escaped exception of an unknown type", name);
    }
  };
}

unsigned long escaped_exceptions() { return escaped.load(std::memory_order_relaxed); }

}  // namespace lazymesh
