// Bounds. Beyond each of them loglink refuses with a reason; none is silently cut.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace loglink::limits {

// Annotations (docs/reference/annotations.md).
inline constexpr std::size_t kWatchDirBytes = 4096;
inline constexpr std::size_t kWatchDirItems = 16;
inline constexpr std::size_t kWatchDirItemBytes = 320;
inline constexpr std::size_t kPatterns = 16;
inline constexpr std::size_t kPatternBytes = 64;
// include or exclude as a whole, blanks counted: 16 patterns of 64 with commas, and one to spare.
inline constexpr std::size_t kPatternListBytes = 1040;
inline constexpr int kMaxDepth = 16;
// A pod with more annotations gets its answers as Events only: the admission policy walks no more.
inline constexpr std::size_t kPodAnnotations = 256;
// Containers, volumes, mounts, environment variables and owners of a pod, in all: each watch dir is
// looked for among them, again with every event of the pod. Decoders keep one more at most.
inline constexpr std::size_t kPodParts = 4096;

// NodeLinkSet (the CRD's bounds, and tighter ones of our own).
inline constexpr std::size_t kSourcesPerNode = 1000;
inline constexpr std::size_t kSourcesPerPod = 16;
inline constexpr std::size_t kSpecBytes = 256 * 1024;
inline constexpr std::size_t kSpecBytesPerPod = 8 * 1024;
inline constexpr std::size_t kStatusBytes = 128 * 1024;
inline constexpr std::size_t kStatusPods = 1000;
inline constexpr std::size_t kPathBytes = 1024;
inline constexpr std::size_t kNameBytes = 255;  // NAME_MAX
inline constexpr std::size_t kMessageBytes = 512;
inline constexpr std::size_t kUidBytes = 64;
inline constexpr std::size_t kReasonBytes = 64;  // a word of the API or of reason.h

// Streams and unary calls.
inline constexpr std::size_t kEventBytes = 16 * 1024 * 1024;  // client-go's limit for one event
inline constexpr std::size_t kUnaryBodyBytes = 4 * 1024 * 1024;
inline constexpr std::size_t kPageBytes = 64 * 1024 * 1024;
inline constexpr int kPageItems = 500;
// Of one list: a million objects, where the largest clusters have 150,000 pods. A server or proxy
// that goes on is not trusted to end.
inline constexpr int kListPages = 2000;
// As long as our own backoffs grow where nobody answers at all. A server asks for up to 32 s, and
// for as long after it has become well; who asks for years is at fault. docs/design/0007.
inline constexpr std::chrono::seconds kRetryAfterMax(10);

// Files that people write.
inline constexpr std::size_t kFileBytes = 16 * 1024 * 1024;
inline constexpr std::size_t kYamlDepth = 200;
inline constexpr std::size_t kYamlExpandedBytes = 96 * 1024 * 1024;  // with aliases written out

}  // namespace loglink::limits
