#include "lib/codec/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <map>
#include <optional>
#include <set>
#include <streambuf>
#include <utility>

#include "lib/base/text.h"
#include "lib/codec/yaml_scalar.h"
#include "lib/model/limits.h"
#include "lib/model/source_bounds.h"

namespace loglink {
namespace {

// A node's own share of memory, besides its text.
constexpr std::size_t kNodeWeight = 64;

[[noreturn]] void refuse(const YAML::Mark& mark, const std::string& message) {
  throw YAML::ParserException(mark, message);  // leaves through the parser; parse_yaml catches it
}

// Builds the tree from the parser's events, and stops it beyond a bound.
class TreeBuilder final : public YAML::EventHandler {
 public:
  // The document that has just ended; nullptr for an empty one.
  YamlNodePointer take() { return std::exchange(root_, nullptr); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    // Before a stray "," or "}" behind a document the parser finds empty documents for ever.
    if (mark.pos == last_start_) refuse(mark, "expected the end of the document");
    last_start_ = mark.pos;
    root_ = nullptr;
    anchors_.clear();
    open_.clear();
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add_scalar(mark, anchor, YamlNode::Kind::kNull, "");
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto known = anchors_.find(anchor);
    // An alias inside its own node would be a tree without end.
    if (known == anchors_.end()) refuse(mark, "an alias to a node that is not complete");
    add(mark, known->second);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    add_scalar(mark, anchor, kind_of(mark, tag, value), value);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check_collection_tag(mark, tag, "tag:yaml.org,2002:seq");
    open(mark, anchor, YamlNode::Kind::kList);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check_collection_tag(mark, tag, "tag:yaml.org,2002:map");
    open(mark, anchor, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override {
    merge();
    close();
  }

 private:
  struct Open {
    std::shared_ptr<YamlNode> node;
    YAML::Mark mark;
    YAML::anchor_t anchor = 0;
    std::optional<std::pair<std::string, int>> key;  // its value is to come
    std::set<std::string> keys;
    std::vector<YamlNodePointer> merged;  // the values of "<<"
  };

  static YamlNode::Kind kind_of(const YAML::Mark& mark, const std::string& tag,
                                const std::string& value) {
    if (tag == "!" || tag == "tag:yaml.org,2002:str") return YamlNode::Kind::kString;
    if (tag == "?" || tag.empty()) return resolve_plain(value);
    for (const char* known : {"null", "bool", "int", "float", "timestamp"}) {
      if (tag == std::string("tag:yaml.org,2002:") + known) return resolve_plain(value);
    }
    refuse(mark, "the tag " + sanitize(tag, 64) + " is not supported");
  }

  static void check_collection_tag(const YAML::Mark& mark, const std::string& tag,
                                   std::string_view known) {
    if (tag.empty() || tag == "?" || tag == "!" || tag == known) return;
    refuse(mark, "the tag " + sanitize(tag, 64) + " is not supported");
  }

  void add_scalar(const YAML::Mark& mark, YAML::anchor_t anchor, YamlNode::Kind kind,
                  const std::string& text) {
    auto node = std::make_shared<YamlNode>();
    node->kind = kind;
    node->line = mark.line + 1;
    node->text = text;
    node->weight = kNodeWeight + text.size();
    if (anchor != 0) anchors_[anchor] = node;
    add(mark, std::move(node));
  }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, YamlNode::Kind kind) {
    if (open_.size() >= limits::kYamlDepth) refuse(mark, "nested too deeply");
    auto node = std::make_shared<YamlNode>();
    node->kind = kind;
    node->line = mark.line + 1;
    node->weight = kNodeWeight;
    open_.push_back({std::move(node), mark, anchor, {}, {}, {}});
  }

  void close() {
    const Open closed = std::move(open_.back());
    open_.pop_back();
    if (closed.anchor != 0) anchors_[closed.anchor] = closed.node;
    add(closed.mark, closed.node);
  }

  // Puts a complete node where the parser is.
  void add(const YAML::Mark& mark, YamlNodePointer node) {
    if (node->weight > limits::kYamlExpandedBytes) too_large(mark);
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    add_weight(parent, node->weight);
    if (parent.node->kind == YamlNode::Kind::kList) {
      parent.node->items.push_back(std::move(node));
    } else if (!parent.key) {
      set_key(parent, mark, *node);
    } else if (parent.key->first == "<<") {
      parent.merged.push_back(std::move(node));
      parent.key.reset();
    } else {
      add_entry(parent, parent.key->first, parent.key->second, std::move(node));
      parent.key.reset();
    }
  }

  static void set_key(Open& parent, const YAML::Mark& mark, const YamlNode& node) {
    if (node.kind == YamlNode::Kind::kList || node.kind == YamlNode::Kind::kMap) {
      refuse(mark, "a key must be a word, not a list or a map");
    }
    if (!parent.keys.insert(node.text).second) {
      refuse(mark, "the key \"" + sanitize(node.text, 64) + "\" is there twice");
    }
    parent.key = {node.text, mark.line + 1};
  }

  static void add_entry(Open& parent, const std::string& key, int line, YamlNodePointer value) {
    parent.node->entries.push_back({key, line, std::move(value)});
  }

  void add_weight(Open& parent, std::size_t weight) const {
    parent.node->weight += weight;
    if (parent.node->weight > limits::kYamlExpandedBytes) too_large(parent.mark);
  }

  [[noreturn]] static void too_large(const YAML::Mark& mark) {
    refuse(mark, "too large when every alias is written out");
  }

  // "<<": what a map takes over from others; its own keys win.
  void merge() {
    Open& map = open_.back();
    for (const YamlNodePointer& merged : map.merged) {
      if (merged->kind == YamlNode::Kind::kMap) {
        merge_from(map, *merged);
        continue;
      }
      for (const YamlNodePointer& item : merged->items) {
        if (item->kind == YamlNode::Kind::kMap) merge_from(map, *item);
      }
    }
  }

  void merge_from(Open& map, const YamlNode& other) const {
    for (const YamlNode::Entry& entry : other.entries) {
      if (!map.keys.insert(entry.key).second) continue;
      add_weight(map, entry.value->weight);
      add_entry(map, entry.key, entry.line, entry.value);
    }
  }

  int last_start_ = -1;
  YamlNodePointer root_;
  std::map<YAML::anchor_t, YamlNodePointer> anchors_;
  std::vector<Open> open_;
};

// A stream over bytes that stay where they are.
class ViewBuffer final : public std::streambuf {
 public:
  explicit ViewBuffer(std::string& text) {
    setg(text.data(), text.data(), text.data() + text.size());
  }
};

void append_json(const YamlNode& node, std::string& out) {
  if (node.kind == YamlNode::Kind::kMap) {
    char separator = '{';
    for (const YamlNode::Entry& entry : node.entries) {
      out += separator;
      out += json_string(entry.key);
      out += ':';
      append_json(*entry.value, out);
      separator = ',';
    }
    if (node.entries.empty()) out += '{';
    out += '}';
  } else if (node.kind == YamlNode::Kind::kList) {
    char separator = '[';
    for (const YamlNodePointer& item : node.items) {
      out += separator;
      append_json(*item, out);
      separator = ',';
    }
    if (node.items.empty()) out += '[';
    out += ']';
  } else {
    out += scalar_to_json(node);
  }
}

// Takes "name" off a path whose next step is that key; false when it is another one.
bool take_key(std::string_view& path, std::string_view key) {
  if (!path.starts_with(key)) return false;
  const std::string_view rest = path.substr(key.size());
  if (!rest.empty() && rest[0] != '.' && rest[0] != '[') return false;
  path = rest;
  if (path.starts_with('.')) path.remove_prefix(1);
  return true;
}

std::optional<std::size_t> take_index(std::string_view& path) {
  const std::size_t end = path.find(']');
  if (!path.starts_with('[') || end == std::string_view::npos) return std::nullopt;
  std::size_t index = 0;
  for (const char c : path.substr(1, end - 1)) {
    if (c < '0' || c > '9' || index > 1'000'000'000) return std::nullopt;
    index = index * 10 + static_cast<std::size_t>(c - '0');
  }
  path.remove_prefix(end + 1);
  if (path.starts_with('.')) path.remove_prefix(1);
  return index;
}

}  // namespace

const YamlNode::Entry* YamlNode::find(std::string_view key) const {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& entry) { return entry.key == key; });
  if (found == entries.end()) return nullptr;
  return &*found;
}

tl::expected<std::vector<YamlNodePointer>, YamlError> parse_yaml(std::string_view text) {
  const auto bad = [](int line, std::string message) {
    return tl::unexpected(YamlError{line, std::move(message)});
  };
  if (text.size() > limits::kFileBytes) return bad(0, "larger than 16 MiB");
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (!is_utf8(text) || text.find('\0') != std::string_view::npos) return bad(0, "not UTF-8 text");
  std::vector<YamlNodePointer> documents;
  try {
    std::string bytes(text);
    ViewBuffer buffer(bytes);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    TreeBuilder builder;
    while (parser.HandleNextDocument(builder)) {
      YamlNodePointer document = builder.take();
      if (document && document->kind != YamlNode::Kind::kNull) documents.push_back(document);
    }
  } catch (const YAML::Exception& error) {
    return bad(std::max(error.mark.line + 1, 0), sanitize(error.msg));
  } catch (const std::exception& error) {
    return bad(0, sanitize(error.what()));
  }
  return documents;
}

std::string yaml_to_json(const YamlNode& node) {
  std::string out;
  append_json(node, out);
  return out;
}

int line_of(const YamlNode& document, std::string_view path) {
  const YamlNode* node = &document;
  int line = document.line;
  while (!path.empty()) {
    if (node->kind == YamlNode::Kind::kList) {
      const auto index = take_index(path);
      if (!index || *index >= node->items.size()) return line;
      node = node->items[*index].get();
      line = node->line;
      continue;
    }
    const YamlNode::Entry* next = nullptr;
    for (const YamlNode::Entry& entry : node->entries) {
      if (take_key(path, entry.key)) {
        next = &entry;
        break;
      }
    }
    if (next == nullptr) return line;
    line = next->line;
    node = next->value.get();
  }
  return line;
}

}  // namespace loglink
