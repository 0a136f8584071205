# Debian 12 packages; scripts/setup installs them.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(cpprestsdk REQUIRED)
find_package(simdjson REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tl-expected REQUIRED)

# prometheus-cpp's own package file demands civetweb, zlib and curl, which its core does not use.
find_path(PROMETHEUS_CPP_INCLUDE_DIR prometheus/registry.h REQUIRED)
find_library(PROMETHEUS_CPP_CORE_LIBRARY prometheus-cpp-core REQUIRED)
add_library(prometheus-core INTERFACE)
target_include_directories(prometheus-core SYSTEM INTERFACE ${PROMETHEUS_CPP_INCLUDE_DIR})
target_link_libraries(prometheus-core INTERFACE ${PROMETHEUS_CPP_CORE_LIBRARY})

find_path(PROTOZERO_INCLUDE_DIR protozero/pbf_reader.hpp REQUIRED)
add_library(protozero INTERFACE)
target_include_directories(protozero SYSTEM INTERFACE ${PROTOZERO_INCLUDE_DIR})

if(LOGLINK_TESTS)
  find_package(GTest REQUIRED)
  find_package(benchmark REQUIRED)
endif()
