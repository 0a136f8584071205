# Precompiled headers of presets that compile often (dev, asan-ubsan): the standard library, GoogleTest
# and the JSON library are two thirds of a cold build. The other presets compile without, and so find
# an #include that is missing.
option(LOGLINK_PRECOMPILE "Precompile the headers that most sources include (GCC)" OFF)

set(LOGLINK_STANDARD_HEADERS <algorithm> <chrono> <cstdint> <functional> <map> <memory> <optional> <set>
                             <span> <string> <string_view> <unordered_map> <utility> <variant> <vector>)

# loglink_precompiled(<set>, HEADERS ..., LINK ...): a set of headers, compiled once, that targets with
# the same options may use.
function(loglink_precompiled set)
  cmake_parse_arguments(ARG "" "" "HEADERS;LINK" ${ARGN})
  if(LOGLINK_PRECOMPILE)
    file(WRITE ${CMAKE_BINARY_DIR}/precompiled/${set}.cc "")
    add_library(precompiled_${set} OBJECT ${CMAKE_BINARY_DIR}/precompiled/${set}.cc)
    target_precompile_headers(precompiled_${set} PRIVATE ${LOGLINK_STANDARD_HEADERS} ${ARG_HEADERS})
    target_link_libraries(precompiled_${set} PRIVATE ${ARG_LINK})
  endif()
endfunction()

# loglink_use_precompiled(<target> <set>)
function(loglink_use_precompiled target set)
  if(LOGLINK_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM precompiled_${set})
  endif()
endfunction()

if(LOGLINK_PRECOMPILE)
  # ccache understands a precompiled header only so. All sources say -pthread, since the headers
  # depend on it.
  add_compile_options(-fpch-preprocess -pthread)
endif()
loglink_precompiled(standard)
if(LOGLINK_TESTS)
  loglink_precompiled(json HEADERS <nlohmann/json.hpp>)
  loglink_precompiled(test HEADERS <gmock/gmock.h> <gtest/gtest.h> LINK GTest::gmock)
endif()
