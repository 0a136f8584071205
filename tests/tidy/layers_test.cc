// The layer rule of docs/architecture.md, checked on #include lines:
//   base <- model <- {codec, kube} <- io;  core: model + base;  shell: core + kube + codec + io;
//   nothing includes a shell but its own program. Cores have no JSON, no sockets, no POSIX.
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

#include "tests/tidy/tree.h"

namespace loglink::testing {
namespace {

std::string layer_of(const std::string& path) {
  static const std::regex kLayer("^(lib/[a-z]+|(agent|controller)/(core|shell))/.*");
  std::smatch match;
  if (std::regex_match(path, match, kLayer)) return match[1];
  static const std::regex kMain("^(agent|controller)/[a-z_]+[.](cc|h)$");
  if (std::regex_match(path, match, kMain)) return match[1].str() + "/main";
  return "?";
}

const std::map<std::string, std::set<std::string>>& allowed_layers() {
  static const std::map<std::string, std::set<std::string>> kAllowed = {
      {"lib/base", {"lib/base"}},
      {"lib/model", {"lib/base", "lib/model"}},
      {"lib/codec", {"lib/base", "lib/model", "lib/codec"}},
      {"lib/kube", {"lib/base", "lib/model", "lib/kube"}},
      {"lib/io", {"lib/base", "lib/model", "lib/codec", "lib/kube", "lib/io"}},
      {"agent/core", {"lib/base", "lib/model", "agent/core"}},
      {"controller/core", {"lib/base", "lib/model", "controller/core"}},
      {"agent/shell",
       {"lib/base", "lib/model", "lib/codec", "lib/kube", "lib/io", "agent/core", "agent/shell"}},
      {"controller/shell",
       {"lib/base", "lib/model", "lib/codec", "lib/kube", "lib/io", "controller/core",
        "controller/shell"}},
      {"agent/main",
       {"lib/base", "lib/model", "lib/codec", "lib/kube", "lib/io", "agent/core", "agent/shell",
        "agent/main"}},
      {"controller/main",
       {"lib/base", "lib/model", "lib/codec", "lib/kube", "lib/io", "controller/core",
        "controller/shell", "controller/main"}},
  };
  return kAllowed;
}

// Third-party and system headers that only some layers may see.
struct Fence {
  std::regex header;
  std::set<std::string> layers;
  std::string what;
};

const std::vector<Fence>& fences() {
  const std::set<std::string> mains = {"agent/main", "controller/main"};
  static const std::vector<Fence> kFences = {
      {std::regex("simdjson.*|nlohmann/.*"), {"lib/codec", "lib/io"}, "a JSON library"},
      {std::regex("protozero/.*"), {"lib/codec"}, "a protobuf library"},
      {std::regex("yaml-cpp/.*"), {"lib/codec", "lib/io"}, "yaml-cpp"},
      {std::regex("boost/.*"), {"lib/io"}, "Boost"},
      {std::regex("cpprest/.*|pplx/.*"), {"lib/io"}, "cpprestsdk"},
      {std::regex("spdlog/.*"), {"lib/io"}, "spdlog"},
      {std::regex("prometheus/.*"), {"lib/io"}, "prometheus-cpp"},
      {std::regex("openssl/.*"), {"lib/base", "lib/io"}, "OpenSSL"},
      {std::regex("CLI/.*"), mains, "CLI11"},
      {std::regex("unistd[.]h|fcntl[.]h|sys/.*|netinet/.*|arpa/.*|poll[.]h|linux/.*|dirent[.]h"),
       {"lib/base", "lib/io", "agent/shell", "agent/main", "controller/main"},
       "POSIX"},
      {std::regex("thread|mutex|condition_variable|atomic|future"),
       {"lib/io", "agent/shell", "controller/shell", "agent/main", "controller/main"},
       "threads"},
      {std::regex("fstream|iostream|filesystem|cstdio"),
       {"lib/base", "lib/io", "agent/shell", "controller/shell", "agent/main", "controller/main"},
       "files and streams"},
  };
  return kFences;
}

TEST(Layers, EveryIncludePointsDownTheLayers) {
  std::size_t checked = 0;
  for (const SourceFile& file : source_files({"lib", "agent", "controller"})) {
    const std::string layer = layer_of(file.path);
    const auto allowed = allowed_layers().find(layer);
    ASSERT_NE(allowed, allowed_layers().end()) << file.path << " is in no layer";
    for (const Include& include : includes_of(file)) {
      if (!include.quoted) continue;
      ++checked;
      EXPECT_TRUE(allowed->second.count(layer_of(include.path)) != 0)
          << file.path << ":" << include.line << ": " << layer << " must not include "
          << include.path;
    }
  }
  EXPECT_GT(checked, 100U);
}

TEST(Layers, LibrariesAndSystemHeadersStayWhereTheyBelong) {
  for (const SourceFile& file : source_files({"lib", "agent", "controller"})) {
    for (const Include& include : includes_of(file)) {
      if (include.quoted) continue;
      for (const Fence& fence : fences()) {
        if (!std::regex_match(include.path, fence.header)) continue;
        EXPECT_TRUE(fence.layers.count(layer_of(file.path)) != 0)
            << file.path << ":" << include.line << ": " << fence.what << " (<" << include.path
            << ">) has no place in " << layer_of(file.path);
      }
    }
  }
}

TEST(Layers, HeavyLibrariesStayOutOfHeaders) {
  static const std::regex kHeavy(
      "(boost|cpprest|pplx|nlohmann|spdlog|prometheus|yaml-cpp|CLI)/.*|simdjson.*");
  // What the decoders share among themselves; no other layer may include it.
  static const std::string kInsideCodec = "lib/codec/json_reader.h";
  for (const SourceFile& file : source_files({"lib", "agent", "controller"}, {".h"})) {
    if (file.path == kInsideCodec) continue;
    for (const Include& include : includes_of(file)) {
      EXPECT_FALSE(!include.quoted && std::regex_match(include.path, kHeavy))
          << file.path << ":" << include.line << " includes <" << include.path << ">";
    }
  }
}

TEST(Layers, InternalHeadersOfTheDecodersStayInside) {
  static const std::set<std::string> kInternal = {
      "lib/codec/decode_object.h", "lib/codec/encode_object.h", "lib/codec/json_reader.h",
      "lib/codec/strict_map.h",    "lib/codec/yaml_scalar.h",   "lib/codec/yaml_tree.h"};
  for (const SourceFile& file : source_files({"lib", "agent", "controller"})) {
    if (layer_of(file.path) == "lib/codec") continue;
    for (const Include& include : includes_of(file)) {
      EXPECT_EQ(kInternal.count(include.path), 0U) << file.path << ":" << include.line;
    }
  }
}

TEST(Layers, NothingOutsideTestsIncludesATest) {
  for (const SourceFile& file : source_files({"lib", "agent", "controller"})) {
    for (const Include& include : includes_of(file)) {
      EXPECT_NE(include.path.substr(0, 6), "tests/") << file.path << ":" << include.line;
    }
  }
}

}  // namespace
}  // namespace loglink::testing
