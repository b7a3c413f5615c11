set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

set(LAZYMESH_SANITIZE "" CACHE STRING "Sanitizers for our own code: address,undefined or thread")
option(LAZYMESH_FUZZ "Build the fuzz targets (needs clang)" OFF)
set(LAZYMESH_ENVOY_API "" CACHE PATH "The compiled Envoy API, as proto/envoy/build.sh prints it")
if(NOT EXISTS ${LAZYMESH_ENVOY_API}/libenvoy_api.a)
  message(FATAL_ERROR "LAZYMESH_ENVOY_API is not a compiled Envoy API; build with ./run build")
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
add_link_options(-fuse-ld=mold -Wl,--gc-sections)

# For our own targets only: generated code and libraries come in as SYSTEM.
add_library(lazymesh_options INTERFACE)
target_include_directories(lazymesh_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(lazymesh_options INTERFACE -Wall -Wextra -Wconversion -Wshadow -Werror
  -ffunction-sections -fdata-sections)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False alarms of GCC 12: -Wrestrict on std::string at -O3, -Wmismatched-new-delete on Asio's coroutine frames,
  # -Wtsan on the fences of standard headers.
  target_compile_options(lazymesh_options INTERFACE -Wno-restrict -Wno-mismatched-new-delete -Wno-tsan)
endif()
if(LAZYMESH_SANITIZE)
  add_compile_options(-fsanitize=${LAZYMESH_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${LAZYMESH_SANITIZE})
endif()
