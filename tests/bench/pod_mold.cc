#include "tests/bench/pod_mold.h"

#include <algorithm>
#include <utility>

namespace loglink::bench {
namespace {

std::string numbered(const std::string& prefix, std::size_t digits, int number) {
  const std::string text = std::to_string(number);
  return prefix + std::string(digits - std::min(digits, text.size()), '0') + text;
}

void put(std::string& bytes, const std::vector<std::size_t>& places, const std::string& text) {
  for (const std::size_t place : places) bytes.replace(place, text.size(), text);
}

}  // namespace

std::string serial_text(int serial) { return numbered("qx", 6, serial); }
std::string node_text(int node) { return numbered("node-", 5, node); }
std::string namespace_text(int serial) { return numbered("team-", 2, serial % kNamespaces); }
std::string pod_name(int serial) {
  return "catalogue-service-0042-7d9fkqx5b2-" + serial_text(serial);
}
std::string node_name(int node) { return "ip-10-0-0-0." + node_text(node) + ".compute.internal"; }

PodMold::PodMold(std::string bytes, std::string uid, int original)
    : bytes_(std::move(bytes)), uid_(std::move(uid)) {
  serials_ = places_of(serial_text(original));
  nodes_ = places_of(node_text(original % kNodes));
  namespaces_ = places_of(namespace_text(original));
  uids_ = places_of(uid_);
}

std::vector<std::size_t> PodMold::places_of(const std::string& text) const {
  std::vector<std::size_t> places;
  for (std::size_t at = bytes_.find(text); at != std::string::npos;
       at = bytes_.find(text, at + 1)) {
    places.push_back(at);
  }
  return places;
}

std::string PodMold::cast(int serial) const {
  std::string bytes = bytes_;
  put(bytes, serials_, serial_text(serial));
  put(bytes, nodes_, node_text(serial % kNodes));
  put(bytes, namespaces_, namespace_text(serial));
  if (!uids_.empty()) {
    put(bytes, uids_, uid_.substr(0, uid_.size() - 12) + numbered("", 12, serial));
  }
  return bytes;
}

}  // namespace loglink::bench
