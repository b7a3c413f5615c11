# What ./run builds when it does not need everything.
add_custom_target(programs)
add_custom_target(unit-tests)
add_custom_target(fuzz-targets)

# lazymesh_library(NAME SOURCES a.cc … DEPENDS target …): one folder's library.
function(lazymesh_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC lazymesh_options ${arg_DEPENDS})
endfunction()

# lazymesh_program(NAME SOURCES main.cc DEPENDS target …): an executable in build/PRESET/bin.
function(lazymesh_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE lazymesh_options ${arg_DEPENDS})
  add_dependencies(programs ${name})
endfunction()

# lazymesh_test(NAME SOURCES a_test.cc … DEPENDS target … [NO_GRPC]): the unit tests of one folder. NO_GRPC says that
# nothing in it links gRPC, so that it is also run under ThreadSanitizer.
function(lazymesh_test name)
  cmake_parse_arguments(arg "NO_GRPC" "" "SOURCES;DEPENDS" ${ARGN})
  if(LAZYMESH_SANITIZE STREQUAL "thread" AND NOT arg_NO_GRPC)
    return()
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE lazymesh_options ${arg_DEPENDS} GTest::gmock GTest::gtest_main)
  add_dependencies(unit-tests ${name})
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  # The same cases of every property each time; run by hand, the program explores others.
  set_tests_properties(${name} PROPERTIES TIMEOUT 120 LABELS unit ENVIRONMENT "RC_PARAMS=seed=1")
endfunction()

# lazymesh_fuzz(NAME SOURCES name_fuzz.cc DEPENDS target …): a libFuzzer target; its corpus is test/fuzz/corpus/NAME.
function(lazymesh_fuzz name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(fuzz-${name} ${arg_SOURCES})
  add_dependencies(fuzz-targets fuzz-${name})
  target_link_options(fuzz-${name} PRIVATE -fsanitize=fuzzer)
  target_link_libraries(fuzz-${name} PRIVATE lazymesh_options ${arg_DEPENDS})
endfunction()
