#pragma once

#include <exception>
#include <functional>
#include <string>

namespace lazymesh {

/// The completion handler of every coroutine that nobody awaits: `co_spawn(executor, run(),
/// completion("egress: accept"))`. A coroutine of ours reports its failures as values; an exception
/// that reaches its end is a bug, which is logged under `name` and counted (escaped_exceptions()),
/// and the process goes on. Asio's `detached` would swallow it.
std::function<void(std::exception_ptr)> completion(std::string name);

/// How many exceptions have reached the end of a coroutine since the process started.
unsigned long escaped_exceptions();

}  // namespace lazymesh
