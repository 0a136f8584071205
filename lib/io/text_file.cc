#include "lib/io/text_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "lib/base/unique_fd.h"

namespace loglink {
namespace {

Expected<std::string> read_to_end(int fd, const std::string& shown, std::size_t most) {
  constexpr std::size_t kMiB = 1024 * 1024;
  std::string text;
  std::array<char, 16384> buffer{};
  while (true) {
    const ssize_t count = read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "cannot read " + shown);
    if (count == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
    if (text.size() > most) {
      return fail(ErrorCode::kResourceExhausted,
                  shown + " is larger than " + std::to_string(most / kMiB) + " MiB");
    }
  }
}

}  // namespace

Expected<std::string> read_text_file(const std::string& path, std::size_t most) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, "cannot read " + path);
  return read_to_end(fd.get(), path, most);
}

Expected<std::string> read_standard_input(std::size_t most) {
  return read_to_end(STDIN_FILENO, "standard input", most);
}

}  // namespace loglink
