// Many pods out of one that a real server has encoded: copies that differ in name, namespace, node
// and uid, each of the same length, so that the lengths inside the protobuf stay right.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace loglink::bench {

inline constexpr int kNodes = 200;
inline constexpr int kNamespaces = 20;
// One pod in so many asks for links.
inline constexpr int kAnnotatedOneIn = 50;

inline bool is_annotated(int serial) { return serial % kAnnotatedOneIn == 0; }

// The texts of tests/bench/pod.json that differ in each copy; that file is copy 0.
std::string serial_text(int serial);
std::string node_text(int node);
std::string namespace_text(int serial);
// What the API has of copy `serial`.
std::string pod_name(int serial);
std::string node_name(int node);

class PodMold {
 public:
  PodMold() = default;
  // `bytes` of copy `original` with the uid that the server gave it.
  PodMold(std::string bytes, std::string uid, int original);
  // REQUIRES: serial < 1,000,000.
  [[nodiscard]] std::string cast(int serial) const;
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }

 private:
  [[nodiscard]] std::vector<std::size_t> places_of(const std::string& text) const;

  std::string bytes_;
  std::string uid_;
  std::vector<std::size_t> serials_;
  std::vector<std::size_t> nodes_;
  std::vector<std::size_t> namespaces_;
  std::vector<std::size_t> uids_;
};

}  // namespace loglink::bench
