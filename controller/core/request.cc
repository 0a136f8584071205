#include "controller/core/request.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "lib/base/text.h"
#include "lib/model/glob.h"
#include "lib/model/limits.h"
#include "lib/model/names.h"
#include "lib/model/path.h"

namespace loglink {
namespace {

constexpr std::array<std::string_view, 4> kRequestKeys = {names::kWatchDir, names::kInclude,
                                                          names::kExclude, names::kMaxDepth};
constexpr std::size_t kContainerBytes = 63;
// A pod's annotations hold thousands of short keys; no message has room for more than these.
constexpr std::size_t kUnknownTold = 16;
constexpr std::string_view kCureOfPatterns =
    "write 1 to 16 file name patterns of at most 64 letters, digits, ._@+=~- and the wildcards * "
    "and ?, with commas between them";

// Not <cctype>: its answers depend on the locale.
bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_directory_character(char c) {
  return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') ||
         std::string_view("._@+=~-").find(c) != std::string_view::npos;
}

bool is_container_name(std::string_view name) {
  return !name.empty() && name.size() <= kContainerBytes && is_lower_or_digit(name.front()) &&
         is_lower_or_digit(name.back()) && std::all_of(name.begin(), name.end(), [](char c) {
           return is_lower_or_digit(c) || c == '-';
         });
}

// A piece of the user's text inside a message, short enough to leave room for the cure.
std::string quoted(std::string_view text) { return '"' + sanitize(text, 64) + '"'; }

bool has_dot_component(std::string_view directory) {
  const std::vector<std::string> parts = split(directory, '/');
  return std::any_of(parts.begin(), parts.end(),
                     [](const std::string& part) { return part == "." || part == ".."; });
}

bool has_line_break(std::string_view text) {
  return text.find_first_of("\n\r\t") != std::string_view::npos;
}

// Most come with the block scalars of YAML. `separated`: what stands between the parts, or "".
std::string cure_of_line_break(std::string_view separated, std::string_view example) {
  return "write all on one line, without tabs" + std::string(separated) + ": in YAML as \"" +
         std::string(example) + "\", or after |- or >- instead of | or >";
}

std::string cure_of_line_break_in_directories() {
  return cure_of_line_break(", and commas between directories", "/a,/b");
}

// What people mean by a character that no directory here may have.
std::string cure_of_character(char c) {
  switch (c) {
    case ' ':
    case ';':
      return "put commas between directories, and no blanks into them";
    case '*':
    case '?':
      return "put patterns into loglink/include";
    case '$':
      return "name the directory itself: variables are not expanded here";
    case '"':
    case '\'':
    case '[':
    case ']':
      return "write it without quotes and brackets";
    case '\n':
    case '\r':
    case '\t':
      return cure_of_line_break_in_directories();
    default:
      return "use letters, digits and ._@+=~- only";
  }
}

// What is wrong with a directory, or "".
std::string directory_trouble(std::string_view directory) {
  if (directory.empty()) return "names no directory; write [<container>:]<absolute directory>";
  const auto bad = std::find_if_not(directory.begin(), directory.end(),
                                    [](char c) { return c == '/' || is_directory_character(c); });
  if (bad != directory.end()) {
    return "has the character " + quoted(std::string(1, *bad)) + ", which is not supported; " +
           cure_of_character(*bad);
  }
  if (directory.front() != '/') return "is not an absolute directory; start it with /";
  if (has_dot_component(directory)) {
    return "has a . or .. component; write the directory without it";
  }
  if (normalize_path(directory) == "/") {
    return "is the root directory, which cannot be watched; name the directory of the log files";
  }
  return {};
}

RequestedDirectory refused(std::string_view item, std::string message) {
  RequestedDirectory result;
  result.text = std::string(item);
  result.refusal = Refusal{result.text, Reason::kInvalidDirectory, std::move(message)};
  return result;
}

RequestedDirectory parse_item(std::string_view item) {
  if (item.empty()) return refused(item, "an item is empty; take the extra comma away");
  if (item.size() > limits::kWatchDirItemBytes) {
    return refused(item, "is " + std::to_string(item.size()) +
                             " characters long; shorten it to at most " +
                             std::to_string(limits::kWatchDirItemBytes));
  }
  RequestedDirectory result;
  std::string_view directory = item;
  const std::size_t colon = item.find(':');
  if (colon != std::string_view::npos) {
    const std::string_view container = item.substr(0, colon);
    directory.remove_prefix(colon + 1);
    if (!is_container_name(container)) {
      return refused(item,
                     quoted(container) + " is not a container name; " +
                         (has_line_break(container) ? cure_of_line_break_in_directories()
                                                    : "write [<container>:]<absolute directory>"));
    }
    result.container = std::string(container);
    result.text = result.container + ":";
  }
  if (std::string trouble = directory_trouble(directory); !trouble.empty()) {
    return refused(item, std::move(trouble));
  }
  result.directory = normalize_path(directory);
  result.text += result.directory;
  return result;
}

void parse_watch_dirs(const std::string& value, Request& request) {
  const auto refuse_all = [&request](std::string message) {
    request.refusals.push_back(Refusal{"", Reason::kTooManyDirectories, std::move(message)});
  };
  if (value.size() > limits::kWatchDirBytes) {
    refuse_all("loglink/watch-dir is " + std::to_string(value.size()) +
               " characters long, so nothing is linked; shorten it to at most " +
               std::to_string(limits::kWatchDirBytes));
    return;
  }
  if (trim_spaces(value).empty()) {
    request.directories.push_back(
        refused("", "loglink/watch-dir is empty; name a directory or take the annotation away"));
    return;
  }
  const std::vector<std::string> items = split(value, ',');
  if (items.size() > limits::kWatchDirItems) {
    refuse_all("loglink/watch-dir names " + std::to_string(items.size()) +
               " directories, so nothing is linked; shorten it to at most " +
               std::to_string(limits::kWatchDirItems) +
               ", or name a parent directory and set loglink/max-depth");
    return;
  }
  for (const std::string& item : items) {
    request.directories.push_back(parse_item(trim_spaces(item)));
  }
}

// The patterns of loglink/include or /exclude; nullopt, with a refusal, when one is invalid.
std::optional<std::vector<std::string>> parse_patterns(std::string_view key,
                                                       const std::string& value, Request& request) {
  const auto refuse = [&](const std::string& what, std::string_view cure = kCureOfPatterns) {
    request.refusals.push_back(Refusal{"", Reason::kInvalidPattern,
                                       std::string(key) + " " + what + "; " + std::string(cure)});
    return std::nullopt;
  };
  if (value.size() > limits::kPatternListBytes) return refuse("is too long");
  std::vector<std::string> patterns;
  for (const std::string& item : split(value, ',')) {
    patterns.emplace_back(trim_spaces(item));
    if (has_line_break(patterns.back())) {
      return refuse("has the pattern " + quoted(patterns.back()),
                    cure_of_line_break(", and commas between patterns", "*.log,*.txt"));
    }
    if (!is_valid_glob(patterns.back())) {
      return refuse("has the pattern " + quoted(patterns.back()));
    }
  }
  if (patterns.size() > limits::kPatterns) {
    return refuse("has " + std::to_string(patterns.size()) + " patterns");
  }
  return patterns;
}

// No blanks, no sign, no leading zero: one way to write a number.
std::optional<int> parse_depth(std::string_view value) {
  int depth = 0;
  for (const char c : value) {
    if (c < '0' || c > '9' || (depth == 0 && c == '0')) return std::nullopt;
    depth = depth * 10 + (c - '0');
    if (depth > limits::kMaxDepth) return std::nullopt;
  }
  if (depth == 0) return std::nullopt;
  return depth;
}

// Levenshtein's distance without regard to case. REQUIRES: short texts.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t k = 1; k <= b.size(); ++k) {
      const std::size_t replaced = diagonal + (to_lower(a[i - 1]) == to_lower(b[k - 1]) ? 0U : 1U);
      diagonal = row[k];
      row[k] = std::min({row[k] + 1, row[k - 1] + 1, replaced});
    }
  }
  return row.back();
}

Refusal unknown_annotation(const std::string& key) {
  // A Kubernetes annotation's name has at most 63 characters; more cannot be meant for us.
  static constexpr std::size_t kKeyBytes = 80;
  static constexpr std::size_t kTypingErrors = 4;  // in the name; more are another word
  std::string_view nearest = kRequestKeys.front();
  const std::string_view shortened = std::string_view(key).substr(0, kKeyBytes);
  for (const std::string_view known : kRequestKeys) {
    if (edit_distance(shortened, known) < edit_distance(shortened, nearest)) nearest = known;
  }
  std::string cure = "there are loglink/watch-dir, include, exclude and max-depth";
  if (shortened.starts_with(nearest) || edit_distance(shortened, nearest) <= kTypingErrors) {
    cure = "did you mean " + std::string(nearest) + "?";
  }
  return Refusal{"", Reason::kUnknownAnnotation,
                 sanitize(key, 80) + " is not an annotation of loglink and does nothing; " + cure};
}

// Most often the missing key is there and misspelled.
std::string instead_of_watch_dir(const std::vector<Refusal>& told) {
  for (const Refusal& each : told) {
    if (each.message.ends_with("did you mean loglink/watch-dir?")) {
      return ", as " + each.message.substr(0, each.message.find(' ')) + " may mean";
    }
  }
  return {};
}

Refusal more_unknown_annotations(std::size_t count) {
  return Refusal{"", Reason::kUnknownAnnotation,
                 std::to_string(count) +
                     " more annotations that begin with loglink/ do nothing; take them away"};
}

bool is_answer(std::string_view key) {
  return key == names::kStatus || key == names::kLinks || key == names::kMessage;
}

}  // namespace

Request parse_request(const std::map<std::string, std::string>& annotations,
                      const ControllerConfig& config) {
  Request request;
  request.include = config.include;
  request.max_depth = config.max_depth;
  bool has_watch_dir = false;
  std::size_t unknown = 0;
  std::string without_watch_dir;  // the first of the keys that mean nothing without it
  for (const auto& [key, value] : annotations) {
    if (key.rfind(names::kAnnotationPrefix, 0) != 0 || is_answer(key)) continue;
    request.requested = true;
    if (key == names::kWatchDir) {
      has_watch_dir = true;
      parse_watch_dirs(value, request);
      continue;
    }
    if (std::find(kRequestKeys.begin(), kRequestKeys.end(), key) == kRequestKeys.end()) {
      if (++unknown <= kUnknownTold) request.told.push_back(unknown_annotation(key));
      continue;
    }
    if (without_watch_dir.empty()) without_watch_dir = key;
    if (key == names::kInclude) {
      if (auto patterns = parse_patterns(key, value, request)) request.include = *patterns;
    } else if (key == names::kExclude) {
      if (auto patterns = parse_patterns(key, value, request)) request.exclude = *patterns;
    } else if (const std::optional<int> depth = parse_depth(value)) {
      request.max_depth = *depth;
    } else {
      request.refusals.push_back(
          Refusal{"", Reason::kInvalidDepth,
                  "loglink/max-depth is " + quoted(value) + "; " +
                      (has_line_break(value) ? cure_of_line_break("", "3")
                                             : "write a whole number from 1 to 16")});
    }
  }
  if (unknown > kUnknownTold) {
    request.told.push_back(more_unknown_annotations(unknown - kUnknownTold));
  }
  if (!has_watch_dir && !without_watch_dir.empty()) {
    request.refusals.insert(
        request.refusals.begin(),
        Refusal{"", Reason::kNoWatchDir,
                without_watch_dir +
                    " does nothing alone; add loglink/watch-dir with the directory "
                    "of the log files" +
                    instead_of_watch_dir(request.told)});
  }
  return request;
}

}  // namespace loglink
