# loglink_library(<layer>/<name> target, SOURCES ..., LINK ... [PRECOMPILED json]): one static library
# per layer; PRECOMPILED is a set of Precompiled.cmake.
# The link graph is the layer rule of docs/architecture.md; tests/tidy checks the includes too.
function(loglink_library target)
  cmake_parse_arguments(ARG "" "PRECOMPILED" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  if(NOT ARG_PRECOMPILED)
    set(ARG_PRECOMPILED standard)
  endif()
  add_library(${target} STATIC ${ARG_SOURCES})
  loglink_use_precompiled(${target} ${ARG_PRECOMPILED})
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${target} PUBLIC ${ARG_LINK} PRIVATE ${ARG_PRIVATE_LINK})
endfunction()

# loglink_program(<name>, SOURCES ..., LINK ...): an executable that lands in build/<preset>/bin.
function(loglink_program target)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${target} ${ARG_SOURCES})
  loglink_use_precompiled(${target} standard)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE ${ARG_LINK})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# loglink_test(<name>, LABEL unit|contract|sim|integration|tidy, SOURCES ..., LINK ...
# [TIMEOUT seconds] [NOT_PRECOMPILED]): a GoogleTest executable that is one ctest case. NOT_PRECOMPILED
# is for targets with compile options of their own. Tests get the source tree as LOGLINK_SOURCE_DIR.
function(loglink_test target)
  cmake_parse_arguments(ARG "NOT_PRECOMPILED" "LABEL;TIMEOUT" "SOURCES;LINK" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${target} ${ARG_SOURCES})
  if(NOT ARG_NOT_PRECOMPILED)
    loglink_use_precompiled(${target} test)
  endif()
  target_link_libraries(${target} PRIVATE ${ARG_LINK} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${target} PRIVATE LOGLINK_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                               LOGLINK_BINARY_DIR="${CMAKE_BINARY_DIR}")
  add_test(NAME ${target} COMMAND ${target})
  set_tests_properties(${target} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
endfunction()
