# Flags for every target. Per-layer link rules live in Targets.cmake.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # The same sources in another checkout hit the same cache entry; a miss costs no preprocessing.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_DEPEND=1
      CCACHE_SLOPPINESS=time_macros,pch_defines ${CCACHE})
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
                    -Wcast-qual -Wformat=2 -Wundef -Werror -fno-omit-frame-pointer)
# The prefix keeps machine paths out of the binaries, so that they are reproducible.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
# cpprest's U() macro breaks Boost's headers.
add_compile_definitions(_TURN_OFF_PLATFORM_STRING LOGLINK_VERSION="${PROJECT_VERSION}")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -D_FORTIFY_SOURCE=2 -fstack-protector-strong")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")
if(LOGLINK_SANITIZE MATCHES "thread")
  set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")  # else each TLS handshake takes a second
endif()
# Everything ends in a program, so that all sources take the same option and may share precompiled
# headers (CMAKE_POSITION_INDEPENDENT_CODE would be -fPIC for libraries).
add_compile_options(-fPIE)
add_link_options($<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-pie>)
add_link_options(-Wl,-z,relro,-z,now)

if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12 hides coroutines from clang 14 unless told; Asio likewise.
  add_compile_definitions(__cpp_impl_coroutine=201902L BOOST_ASIO_HAS_CO_AWAIT=1
                          BOOST_ASIO_HAS_STD_COROUTINE=1)
  add_compile_options(-Wno-builtin-macro-redefined -Wno-reserved-macro-identifier)
endif()
if(LOGLINK_SANITIZE)
  add_compile_options(-fsanitize=${LOGLINK_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${LOGLINK_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_compile_options(-fno-sanitize=function)
  elseif(LOGLINK_SANITIZE MATCHES "thread")
    add_compile_options(-Wno-tsan)
  endif()
endif()
if(LOGLINK_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(LOGLINK_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
