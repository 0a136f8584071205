#include "lib/model/source_bounds.h"

#include <algorithm>
#include <string>

#include "lib/model/glob.h"
#include "lib/model/limits.h"
#include "lib/model/names.h"
#include "lib/model/path.h"

namespace loglink {
namespace {

constexpr std::size_t kLabelBytes = 63;
constexpr std::size_t kPodBytes = 253;
constexpr std::size_t kNamingBytes = 32;
constexpr std::size_t kFeatures = 8;
constexpr std::size_t kFeatureBytes = 32;

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower_or_digit(char c) { return is_lower(c) || is_digit(c); }
bool is_lower_or_dash(char c) { return is_lower(c) || c == '-'; }
bool is_lower_digit_or_dash(char c) { return is_lower_or_digit(c) || c == '-'; }
bool is_uid_character(char c) { return is_lower_digit_or_dash(c) || (c >= 'A' && c <= 'Z'); }

template <class Predicate>
bool all_of(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}

// Starts and ends with a letter or digit; `extra` (or none: '\0') is allowed inside besides '-'.
bool is_name(std::string_view text, std::size_t max_bytes, char extra) {
  return !text.empty() && text.size() <= max_bytes && is_lower_or_digit(text.front()) &&
         is_lower_or_digit(text.back()) && all_of(text, [extra](char c) {
           return is_lower_digit_or_dash(c) || (extra != '\0' && c == extra);
         });
}

bool is_naming(std::string_view text) {
  return !text.empty() && text.size() <= kNamingBytes && is_lower(text.front()) &&
         all_of(text, is_lower_digit_or_dash);
}

bool is_feature(std::string_view text) {
  return !text.empty() && text.size() <= kFeatureBytes && all_of(text, is_lower_or_dash);
}

tl::unexpected<Error> out_of_bounds(std::string message) {
  return fail(ErrorCode::kInvalidArgument, std::move(message));
}

Expected<void> check_identity(const Source& source) {
  if (!is_name(source.namespace_name, kLabelBytes, '\0')) {
    return out_of_bounds("namespace is not a name of at most 63 of a-z, 0-9 and -");
  }
  if (!is_name(source.pod, kPodBytes, '.')) {
    return out_of_bounds("pod is not a name of at most 253 of a-z, 0-9, - and .");
  }
  if (source.uid.empty() || source.uid.size() > limits::kUidBytes ||
      !all_of(source.uid, is_uid_character)) {
    return out_of_bounds("uid is not 1 to 64 letters, digits and -");
  }
  if (!is_name(source.container, kLabelBytes, '\0')) {
    return out_of_bounds("container is not a name of at most 63 of a-z, 0-9 and -");
  }
  if (!is_name(source.root, kLabelBytes, '\0')) {
    return out_of_bounds("root is not a name of at most 63 of a-z, 0-9 and -");
  }
  return {};
}

Expected<void> check_path(const Source& source) {
  const std::string& path = source.path;
  if (path.size() > limits::kPathBytes) return out_of_bounds("path is longer than 1024 bytes");
  if (has_control_character(path)) return out_of_bounds("path has a control character");
  if (!is_utf8(path)) return out_of_bounds("path is not UTF-8 text");
  if (!path.empty() && path.front() == '/') return out_of_bounds("path is not relative");
  if (has_dot_dot(path)) return out_of_bounds("path has a .. component");
  if (normalize_path(path) != path) {
    return out_of_bounds("path has an empty or . component, or a trailing /");
  }
  const std::string below = source.uid + '/' + std::string(names::kEmptyDirSegment);
  if (source.root == names::kKubeletPodsRoot && path.substr(0, below.size()) != below) {
    return out_of_bounds(
        "path below kubelet-pods is not <uid>/volumes/kubernetes.io~empty-dir/<volume> with the "
        "uid of this source");
  }
  return {};
}

Expected<void> check_patterns(const Source& source) {
  if (source.include.empty()) return out_of_bounds("include is empty");
  if (source.include.size() > limits::kPatterns) return out_of_bounds("include has more than 16");
  if (source.exclude.size() > limits::kPatterns) return out_of_bounds("exclude has more than 16");
  const auto valid = [](const std::string& pattern) { return is_valid_glob(pattern); };
  if (!std::all_of(source.include.begin(), source.include.end(), valid)) {
    return out_of_bounds("include has a pattern that is not 1 to 64 of A-Z a-z 0-9 ._*?@+=~-");
  }
  if (!std::all_of(source.exclude.begin(), source.exclude.end(), valid)) {
    return out_of_bounds("exclude has a pattern that is not 1 to 64 of A-Z a-z 0-9 ._*?@+=~-");
  }
  return {};
}

}  // namespace

Expected<void> check_source_bounds(const Source& source) {
  LOGLINK_TRY(check_identity(source));
  LOGLINK_TRY(check_path(source));
  LOGLINK_TRY(check_patterns(source));
  if (source.max_depth < 1 || source.max_depth > limits::kMaxDepth) {
    return out_of_bounds("maxDepth is not from 1 to 16");
  }
  if (!is_naming(source.naming)) {
    return out_of_bounds("naming is not a word of at most 32 of a-z, 0-9 and -");
  }
  if (source.required_features.size() > kFeatures ||
      !std::all_of(source.required_features.begin(), source.required_features.end(),
                   [](const std::string& feature) { return is_feature(feature); })) {
    return out_of_bounds("requires is not at most 8 words of at most 32 of a-z and -");
  }
  return {};
}

bool is_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    // Number of continuation bytes, and the range of the first one: that range is what excludes
    // overlong forms, surrogates and code points beyond U+10FFFF.
    std::size_t more = 0;
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
      more = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    } else {
      return false;
    }
    if (text.size() - i <= more) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      const auto byte = static_cast<unsigned char>(text[i + k]);
      if (byte < low || byte > high) return false;
      low = 0x80;
      high = 0xbf;
    }
    i += more + 1;
  }
  return true;
}

}  // namespace loglink
