#include "lib/model/link_name.h"

#include <algorithm>

#include "lib/base/sha256.h"
#include "lib/model/kube_names.h"
#include "lib/model/limits.h"
#include "lib/model/names.h"

namespace loglink {
namespace {

constexpr std::string_view kSuffix = ".log";
constexpr std::size_t kShortHex = 8;
constexpr std::size_t kLongHex = 64;
constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kLowerAlphanumeric = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view kLogfileBytes =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool consists_of(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

// The last `count` bytes are all `allowed`.
bool ends_in(std::string_view text, std::size_t count, std::string_view allowed) {
  return text.size() >= count && consists_of(text.substr(text.size() - count), allowed);
}

// (^|-) and then `count` hex digits: what a digest of ours looks like.
bool ends_in_digest(std::string_view text, std::size_t count) {
  return ends_in(text, count, kHexDigits) &&
         (text.size() == count || text[text.size() - count - 1] == '-');
}

std::string_view base_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view without_suffix(std::string_view base) {
  if (ends_with(base, kSuffix)) base.remove_suffix(kSuffix.size());
  return base;
}

// Each run of other bytes becomes one dash.
std::string replace_others(std::string_view text, std::string_view allowed) {
  std::string replaced;
  bool in_run = false;
  for (const char c : text) {
    const bool is_allowed = allowed.find(c) != std::string_view::npos;
    if (is_allowed) {
      replaced += c;
    } else if (!in_run) {
      replaced += '-';
    }
    in_run = !is_allowed;
  }
  return replaced;
}

std::string lower(std::string_view text) {
  std::string lowered(text);
  std::transform(lowered.begin(), lowered.end(), lowered.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return lowered;
}

std::string_view trim_dashes(std::string_view text) {
  const std::size_t first = text.find_first_not_of('-');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of('-') - first + 1);
}

std::string prefix_of(const LinkTarget& target) {
  std::string prefix(target.pod);
  prefix += '_';
  prefix += target.namespace_name;
  prefix += '_';
  prefix += target.container;
  return prefix;
}

std::string digest_of(const LinkTarget& target) {
  std::string input;
  for (const std::string_view part :
       {target.namespace_name, target.pod, target.container, target.root, target.relative_path}) {
    input += part;
    input += '\0';
  }
  return sha256_hex(input);
}

// Names without a digest are only for files that say all by themselves and that nothing else can
// be taken for.
bool needs_digest(std::string_view base, std::string_view logfile) {
  return !ends_with(base, kSuffix) || logfile.empty() || logfile.front() == '-' ||
         logfile.front() == '.' || !consists_of(logfile, kLogfileBytes) ||
         ends_in_digest(logfile, kShortHex) || ends_in(logfile, kLongHex, kLowerAlphanumeric);
}

// How many bytes of <logfile> fit into a name with a digest; nullopt when not even none do.
std::optional<std::size_t> room_for_logfile(std::size_t prefix, std::size_t digest) {
  const std::size_t shortest = prefix + 1 + digest + kSuffix.size();
  if (shortest > limits::kNameBytes) return std::nullopt;
  const std::size_t room = limits::kNameBytes - shortest;
  return room == 0 ? 0 : room - 1;  // its own dash
}

std::string with_digest(std::string_view prefix, std::string_view logfile,
                        std::string_view digest) {
  std::string name(prefix);
  if (!logfile.empty()) {
    name += '-';
    name += logfile;
  }
  name += '-';
  name += digest;
  name += kSuffix;
  return name;
}

LinkName logfile_name(const LinkTarget& target) {
  const std::string prefix = prefix_of(target);
  const std::string_view base = base_name(target.relative_path);
  const std::string_view original = without_suffix(base);
  const std::string logfile = replace_others(original, kLogfileBytes);
  const std::size_t plain_size = prefix.size() + 1 + logfile.size() + kSuffix.size();
  if (target.plain_allowed && !needs_digest(base, original) && plain_size <= limits::kNameBytes) {
    return {prefix + "-" + logfile + std::string(kSuffix), std::nullopt};
  }
  const std::optional<std::size_t> room = room_for_logfile(prefix.size(), kShortHex);
  if (!room) return {"", NameError::kNameTooLong};
  return {with_digest(prefix, std::string_view(logfile).substr(0, *room),
                      digest_of(target).substr(0, kShortHex)),
          std::nullopt};
}

LinkName kubelet_name(const LinkTarget& target) {
  const std::string prefix = prefix_of(target);
  const std::string logfile =
      replace_others(lower(without_suffix(base_name(target.relative_path))), kLowerAlphanumeric);
  const std::optional<std::size_t> room = room_for_logfile(prefix.size(), kLongHex);
  if (!room) return {"", NameError::kNameTooLong};
  // Trimmed again after the cut, which may have bared a dash.
  const std::string_view cut = trim_dashes(trim_dashes(logfile).substr(0, *room));
  return {with_digest(prefix, cut, digest_of(target)), std::nullopt};
}

// As the CRD has it, a little wider than the API server.
bool may_be_pod(std::string_view name) {
  return !name.empty() && consists_of(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") &&
         consists_of(name.substr(0, 1), kLowerAlphanumeric) &&
         consists_of(name.substr(name.size() - 1), kLowerAlphanumeric);
}

// What may follow "<container>-" and precede ".log", in any of the schemes.
bool is_tail(std::string_view tail) {
  if (tail.empty()) return false;
  if (ends_in_digest(tail, kShortHex)) {
    // "-<8 hex>" alone would be an empty <logfile> with its dash, which is left out.
    return tail.size() != kShortHex + 1 && consists_of(tail, kLogfileBytes);
  }
  if (ends_in_digest(tail, kLongHex)) {
    if (tail.size() == kLongHex) return true;
    const std::string_view logfile = tail.substr(0, tail.size() - kLongHex - 1);
    return !logfile.empty() && trim_dashes(logfile) == logfile &&
           logfile.find("--") == std::string_view::npos &&
           consists_of(logfile, "abcdefghijklmnopqrstuvwxyz0123456789-");
  }
  return !needs_digest(std::string(tail) + std::string(kSuffix), tail);
}

}  // namespace

LinkName link_name(std::string_view naming, const LinkTarget& target) {
  if (naming == names::kNamingLogfile) return logfile_name(target);
  if (naming == names::kNamingKubelet) return kubelet_name(target);
  return {"", NameError::kUnknownNaming};
}

bool has_link_name_form(std::string_view name) {
  if (name.size() > limits::kNameBytes || !ends_with(name, kSuffix)) return false;
  const std::size_t first = name.find('_');
  if (first == std::string_view::npos) return false;
  const std::size_t second = name.find('_', first + 1);
  if (second == std::string_view::npos) return false;
  if (!may_be_pod(name.substr(0, first)) ||
      !is_dns_label(name.substr(first + 1, second - first - 1))) {
    return false;
  }
  std::string_view rest = name.substr(second + 1);
  rest.remove_suffix(kSuffix.size());
  // A container's name may have dashes itself: any split that works will do.
  for (std::size_t dash = rest.find('-'); dash != std::string_view::npos;
       dash = rest.find('-', dash + 1)) {
    if (is_dns_label(rest.substr(0, dash)) && is_tail(rest.substr(dash + 1))) return true;
  }
  return false;
}

bool is_known_naming(std::string_view naming) {
  return naming == names::kNamingLogfile || naming == names::kNamingKubelet;
}

}  // namespace loglink
