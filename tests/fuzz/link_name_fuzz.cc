// Names of links: the input is <flag> <pod> NUL <namespace> NUL <container> NUL <path>.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/text.h"
#include "lib/model/kube_names.h"
#include "lib/model/link_name.h"
#include "tests/fuzz/require.h"

namespace loglink::fuzz {
namespace {

void check_name(std::string_view naming, const LinkTarget& target) {
  const LinkName name = link_name(naming, target);
  if (name.error) {
    require(*name.error == NameError::kNameTooLong, "a known naming fails by length only");
    require(target.pod.size() + target.namespace_name.size() + target.container.size() > 150,
            "short names always fit");
    require(name.text.empty(), "an error has no name");
    return;
  }
  require(name.text.size() <= 255, "a name fits into a directory");
  require(has_link_name_form(name.text), "a name has our form");
  std::string prefix(target.pod);
  prefix.append("_").append(target.namespace_name).append("_").append(target.container).append("-");
  require(name.text.rfind(prefix, 0) == 0, "a name begins with its owner");
  require(name.text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789._-") == std::string::npos,
          "a name is plain");
  require(link_name(naming, target).text == name.text, "a name is always the same");
}

}  // namespace
}  // namespace loglink::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace loglink;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  has_link_name_form(input);
  if (input.empty() || input.size() > 5000) return 0;
  const std::vector<std::string> parts = split(input.substr(1), '\0');
  if (parts.size() < 4) return 0;
  if (!is_dns_subdomain(parts[0]) || !is_dns_label(parts[1]) || !is_dns_label(parts[2])) return 0;
  const LinkTarget target{parts[1], parts[0], parts[2], "root", parts[3], input[0] % 2 == 0};
  fuzz::check_name("logfile", target);
  fuzz::check_name("kubelet", target);
  return 0;
}
