#include "base/heap.h"

#include <cstdlib>  // defines __GLIBC__

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace lazymesh {

void keep_heap_small() {
#ifdef __GLIBC__
  constexpr int kArenas = 2;
  constexpr int kTrimBytes = 1024 * 1024;
  constexpr int kOwnMappingBytes = 128 * 1024;  // setting it keeps it from growing (mallopt(3))
  (void)mallopt(M_ARENA_MAX, kArenas);
  (void)mallopt(M_TRIM_THRESHOLD, kTrimBytes);
  (void)mallopt(M_MMAP_THRESHOLD, kOwnMappingBytes);
#endif
}

}  // namespace lazymesh
