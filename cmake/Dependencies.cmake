# Every library, with Debian 12's package of it in cmake/packages.txt.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(OpenSSL 3.0 REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED COMPONENTS core)
find_package(spdlog CONFIG REQUIRED)
find_package(fmt CONFIG REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(SQLiteCpp REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(tl-expected CONFIG REQUIRED)
find_package(GTest CONFIG REQUIRED)
find_library(XXHASH_LIBRARY xxhash REQUIRED)
find_library(RAPIDCHECK_LIBRARY rapidcheck)

# Asio and Beast without headers-only code in every unit: compiled once, in base/asio.cc.
add_library(lazymesh_boost INTERFACE)
target_compile_definitions(lazymesh_boost INTERFACE BOOST_ASIO_SEPARATE_COMPILATION
  BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)
target_link_libraries(lazymesh_boost INTERFACE Boost::headers Boost::json Boost::url OpenSSL::SSL
  Threads::Threads)

# The generated Envoy API: imported, so that nothing of ours can rebuild it.
add_library(envoy_api STATIC IMPORTED)
set_target_properties(envoy_api PROPERTIES IMPORTED_LOCATION ${LAZYMESH_ENVOY_API}/libenvoy_api.a)
target_include_directories(envoy_api SYSTEM INTERFACE ${LAZYMESH_ENVOY_API}/include)
target_link_libraries(envoy_api INTERFACE gRPC::grpc++ protobuf::libprotobuf)
