#pragma once

namespace lazymesh {

/// Let the allocator give freed memory back to the system instead of keeping it for the next burst,
/// and keep it from spreading over an arena a thread: for a process that is quiet after bursts (a
/// registry that is read, a mesh's sidecars that come back) and is weighed when it is quiet. glibc
/// only; elsewhere it does nothing. At start, before other threads.
void keep_heap_small();

}  // namespace lazymesh
