// YAML as a tree that knows its lines. Unquoted scalars mean what they mean to Kubernetes (YAML 1.1
// as go-yaml reads it). For the .cc files of this library only.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace loglink {

struct YamlNode;
using YamlNodePointer = std::shared_ptr<const YamlNode>;

struct YamlNode {
  enum class Kind { kNull, kBool, kInteger, kFloat, kString, kList, kMap };
  struct Entry {
    std::string key;
    int line = 0;
    YamlNodePointer value;  // never null
  };

  Kind kind = Kind::kNull;
  int line = 0;                        // from 1
  std::string text;                    // of a scalar, as written but without its quotes
  std::vector<YamlNodePointer> items;  // of a list
  std::vector<Entry> entries;          // of a map, in order; keys are unique
  std::size_t weight = 0;              // bytes it would take with every alias written out

  [[nodiscard]] const Entry* find(std::string_view key) const;
};

struct YamlError {
  int line = 0;  // from 1; 0 when unknown
  std::string message;
};

// The documents of a text; empty ones are left out. Bounded: at most 16 MiB, 200 levels, and 96 MiB
// with every alias written out. Never throws.
tl::expected<std::vector<YamlNodePointer>, YamlError> parse_yaml(std::string_view text);

std::string yaml_to_json(const YamlNode& node);

// The line of "spec.containers[0].name", or of the nearest node above it that exists.
int line_of(const YamlNode& document, std::string_view path);

// What an unquoted scalar is.
YamlNode::Kind resolve_plain(std::string_view text);

}  // namespace loglink
