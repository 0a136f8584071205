#include "lib/model/link_name.h"
namespace loglink {
LinkName link_name(std::string_view, const LinkTarget&) { return {}; }
bool has_link_name_form(std::string_view) { return false; }
bool is_known_naming(std::string_view) { return false; }
}  // namespace loglink
