#include "tests/fakes/fake_files.h"

#include <algorithm>
#include <stdexcept>

#include "lib/base/text.h"

namespace loglink {
namespace {

constexpr std::size_t kNameMax = 255;

tl::unexpected<FileError> error(FileErrorKind kind) {
  return tl::unexpected<FileError>(FileError{kind, 0});
}

std::pair<std::string, std::string> split_last(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

std::vector<std::string> components(const std::string& path) {
  if (path.empty()) return {};
  return split(path, '/');
}

}  // namespace

FakeFiles::FakeFiles() = default;

// The world.

void FakeFiles::add_root(const std::string& root) {
  RootDirectory& added = roots_[root];
  added.prefix = "/run/loglink/roots/" + root + "/";
  added.top = new_node(added, FileKind::kDirectory);
}

void FakeFiles::set_root_state(const std::string& root, RootState state) {
  roots_.at(root).state = state;
}

void FakeFiles::set_birth_times(const std::string& root, bool kept) {
  roots_.at(root).birth_times = kept;
}

void FakeFiles::set_device(const std::string& root, std::uint64_t device) {
  roots_.at(root).device = device;
  roots_.at(root).top->info.id.device = device;
}

void FakeFiles::set_target_prefix(const std::string& root, std::string prefix) {
  roots_.at(root).prefix = std::move(prefix);
}

std::shared_ptr<FakeFiles::Node> FakeFiles::new_node(const RootDirectory& root, FileKind kind) {
  auto node = std::make_shared<Node>();
  node->info.kind = kind;
  node->info.id = {root.device, next_inode_++};
  node->info.change_ns = now_.time_since_epoch().count();
  if (root.birth_times) node->info.birth_ns = node->info.change_ns;
  return node;
}

bool FakeFiles::has(FileId id) const {
  std::vector<const Node*> todo;
  for (const auto& [name, root] : roots_) todo.push_back(root.top.get());
  while (!todo.empty()) {
    const Node* const node = todo.back();
    todo.pop_back();
    if (node->info.id == id) return true;
    for (const auto& [name, child] : node->children) todo.push_back(child.get());
  }
  return false;
}

// The directory of a new entry, made where it is missing.
std::shared_ptr<FakeFiles::Node> FakeFiles::parent_of(const std::string& root,
                                                      const std::string& path) {
  const RootDirectory& directory = roots_.at(root);
  std::shared_ptr<Node> here = directory.top;
  for (const std::string& part : components(split_last(path).first)) {
    const auto child = here->children.find(part);
    if (child != here->children.end()) {
      here = child->second;
      continue;
    }
    std::shared_ptr<Node> made = new_node(directory, FileKind::kDirectory);
    here->children[part] = made;
    touch(*here);
    tell(here.get(), FileNotice::Kind::kEntry, part);
    here = made;
  }
  return here;
}

void FakeFiles::put(const std::string& root, const std::string& path, std::shared_ptr<Node> node) {
  const std::shared_ptr<Node> parent = parent_of(root, path);
  const std::string name = split_last(path).second;
  parent->children[name] = std::move(node);
  touch(*parent);
  tell(parent.get(), FileNotice::Kind::kEntry, name);
}

void FakeFiles::make_directory(const std::string& root, const std::string& path) {
  if (exists(root, path)) return;
  put(root, path, new_node(roots_.at(root), FileKind::kDirectory));
}

void FakeFiles::write_file(const std::string& root, const std::string& path, std::uint64_t size) {
  const std::shared_ptr<Node> parent = parent_of(root, path);
  const auto known = parent->children.find(split_last(path).second);
  if (known != parent->children.end()) {
    if (known->second->info.kind != FileKind::kRegular) throw std::logic_error(path);
    known->second->info.size = size;
    touch(*known->second);
    return;
  }
  std::shared_ptr<Node> node = new_node(roots_.at(root), FileKind::kRegular);
  node->info.size = size;
  put(root, path, std::move(node));
}

void FakeFiles::append(const std::string& root, const std::string& path, std::uint64_t bytes) {
  const auto node = resolve(root, path);
  if (!node) throw std::logic_error("append " + path);
  (*node)->info.size += bytes;
  touch(**node);
}

void FakeFiles::make_symlink(const std::string& root, const std::string& path) {
  make_special(root, path, FileKind::kSymlink);
}

void FakeFiles::make_special(const std::string& root, const std::string& path, FileKind kind) {
  put(root, path, new_node(roots_.at(root), kind));
}

void FakeFiles::make_hard_link(const std::string& root, const std::string& path,
                               const std::string& existing) {
  const auto node = resolve(root, existing);
  if (!node) throw std::logic_error("link " + existing);
  touch(**node);
  put(root, path, *node);
}

void FakeFiles::rename(const std::string& root, const std::string& from, const std::string& to) {
  const std::shared_ptr<Node> old_parent = parent_of(root, from);
  const std::string old_name = split_last(from).second;
  const auto moved = old_parent->children.find(old_name);
  if (moved == old_parent->children.end()) throw std::logic_error("rename " + from);
  const std::shared_ptr<Node> node = moved->second;
  old_parent->children.erase(moved);
  touch(*old_parent);
  tell(old_parent.get(), FileNotice::Kind::kEntry, old_name);
  touch(*node);
  put(root, to, node);
  end_watches(node.get());
}

void FakeFiles::remove(const std::string& root, const std::string& path) {
  const std::shared_ptr<Node> parent = parent_of(root, path);
  const std::string name = split_last(path).second;
  const auto found = parent->children.find(name);
  if (found == parent->children.end()) throw std::logic_error("remove " + path);
  const std::shared_ptr<Node> node = found->second;
  parent->children.erase(found);
  touch(*parent);
  end_watches_below(node.get());
  tell(parent.get(), FileNotice::Kind::kEntryDeleted, name);
}

void FakeFiles::set_readable(const std::string& root, const std::string& path, bool readable) {
  const auto node = resolve(root, path);
  if (!node) throw std::logic_error("chmod " + path);
  (*node)->readable = readable;
  touch(**node);
}

void FakeFiles::set_mounted(const std::string& root, const std::string& path, bool mounted) {
  const auto entry = split_last(path);
  const std::shared_ptr<Node> parent = parent_of(root, path);
  parent->children.at(entry.second)->mounted = mounted;
}

void FakeFiles::set_askable(const std::string& root, const std::string& path, bool askable) {
  const auto entry = split_last(path);
  parent_of(root, path)->children.at(entry.second)->askable = askable;
}

bool FakeFiles::exists(const std::string& root, const std::string& path) const {
  std::shared_ptr<Node> here = roots_.at(root).top;
  for (const std::string& part : components(path)) {
    const auto child = here->children.find(part);
    if (child == here->children.end()) return false;
    here = child->second;
  }
  return true;
}

void FakeFiles::put_entry(LinkEntry entry) {
  const std::string name = entry.name;
  links_[name] = std::move(entry);
  ++links_version_;
  queue({FileNotice::Kind::kLinkDirectory, 0, name});
}

void FakeFiles::remove_entry(const std::string& name) {
  links_.erase(name);
  ++links_version_;
  queue({FileNotice::Kind::kLinkDirectory, 0, name});
}

// Notices.

void FakeFiles::overflow() {
  notices_.clear();
  notices_.push_back({FileNotice::Kind::kOverflow, 0, ""});
}

void FakeFiles::lose_notices() { notices_.clear(); }

void FakeFiles::queue(FileNotice notice) {
  if (notices_delivered_) notices_.push_back(std::move(notice));
}

void FakeFiles::tell(const Node* directory, FileNotice::Kind kind, const std::string& name) {
  for (const auto& [id, node] : watches_) {
    if (node.get() == directory) queue({kind, id, name});
  }
}

void FakeFiles::end_watches(const Node* directory) {
  std::erase_if(watches_, [&](const auto& each) {
    if (each.second.get() != directory) return false;
    queue({FileNotice::Kind::kDirectoryGone, each.first, ""});
    return true;
  });
}

void FakeFiles::end_watches_below(const Node* directory) {
  for (const auto& [name, child] : directory->children) end_watches_below(child.get());
  end_watches(directory);
}

void FakeFiles::touch(Node& node) const { node.info.change_ns = now_.time_since_epoch().count(); }

// Faults.

void FakeFiles::fail(FileVerb verb, FileErrorKind kind, int nth, int times) {
  faults_[verb].push_back({kind, nth, times});
}

int FakeFiles::calls(FileVerb verb) const {
  const auto found = calls_.find(verb);
  if (found == calls_.end()) return 0;
  return found->second;
}

std::optional<FileError> FakeFiles::injected(FileVerb verb) {
  ++calls_[verb];
  std::optional<FileError> result;
  std::vector<Fault>& faults = faults_[verb];
  for (Fault& fault : faults) {
    if (--fault.first > 0 || fault.times <= 0) continue;
    --fault.times;
    result = FileError{fault.kind, 0};
  }
  std::erase_if(faults, [](const Fault& fault) { return fault.times <= 0; });
  return result;
}

void FakeFiles::restart() {
  watches_.clear();
  notices_.clear();
}

// FilePort.

RootState FakeFiles::check_root(const std::string& root) {
  if (injected(FileVerb::kCheckRoot)) return RootState::kAbsent;
  const auto found = roots_.find(root);
  if (found == roots_.end()) return RootState::kAbsent;
  found->second.checked = found->second.state;
  return found->second.state;
}

std::string FakeFiles::target_prefix(const std::string& root) const {
  const auto found = roots_.find(root);
  if (found == roots_.end()) return "";
  return found->second.prefix;
}

std::vector<std::string> FakeFiles::owned_prefixes() const {
  std::vector<std::string> owned = owned_;
  for (const auto& [name, root] : roots_) owned.push_back(root.prefix);
  return owned;
}

FileExpected<std::shared_ptr<FakeFiles::Node>> FakeFiles::resolve(const std::string& root,
                                                                  const std::string& path) const {
  const auto found = roots_.find(root);
  if (found == roots_.end()) return error(FileErrorKind::kNotFound);
  if (!path.empty() && path.front() == '/') return error(FileErrorKind::kCrossesMount);
  std::shared_ptr<Node> here = found->second.top;
  for (const std::string& part : components(path)) {
    if (part == "..") return error(FileErrorKind::kCrossesMount);
    if (part.size() > kNameMax) return error(FileErrorKind::kNameTooLong);
    if (here->info.kind != FileKind::kDirectory) return error(FileErrorKind::kNotADirectory);
    if (!here->readable) return error(FileErrorKind::kPermissionDenied);
    const auto child = here->children.find(part);
    if (child == here->children.end()) return error(FileErrorKind::kNotFound);
    here = child->second;
    if (here->info.kind == FileKind::kSymlink) return error(FileErrorKind::kSymlinkInPath);
    if (here->mounted) return error(FileErrorKind::kCrossesMount);
  }
  return here;
}

FileExpected<std::shared_ptr<FakeFiles::Node>> FakeFiles::resolve_for_port(
    const std::string& root, const std::string& path) const {
  const auto found = roots_.find(root);
  if (found != roots_.end() && found->second.checked == RootState::kAbsent) {
    return error(FileErrorKind::kNotFound);
  }
  return resolve(root, path);
}

FileExpected<FileInfo> FakeFiles::inspect(const std::string& root, const std::string& path) const {
  const auto node = resolve(root, path);
  if (!node) return tl::unexpected(node.error());
  if (!(*node)->askable) return error(FileErrorKind::kIo);
  return (*node)->info;
}

FileExpected<FileInfo> FakeFiles::stat(const std::string& root, const std::string& path) {
  if (const auto fault = injected(FileVerb::kStat)) return tl::unexpected(*fault);
  const auto node = resolve_for_port(root, path);
  if (!node) return tl::unexpected(node.error());
  if (!(*node)->askable) return error(FileErrorKind::kIo);
  return (*node)->info;
}

// Reads on after the last name: what changes behind it is not seen, as in a real directory.
class FakeFiles::Reader final : public DirectoryReader {
 public:
  explicit Reader(std::shared_ptr<Node> directory) : directory_(std::move(directory)) {}

  FileExpected<void> read(std::size_t max_entries, std::vector<DirectoryEntry>& into) override {
    auto next = directory_->children.begin();
    if (last_) next = directory_->children.upper_bound(*last_);
    for (std::size_t i = 0; i < max_entries && next != directory_->children.end(); ++i, ++next) {
      last_ = next->first;
      into.push_back({next->first, next->second->askable ? next->second->info : FileInfo{}});
    }
    return {};
  }

 private:
  std::shared_ptr<Node> directory_;
  std::optional<std::string> last_;
};

FileExpected<OpenDirectory> FakeFiles::open_directory(const std::string& root,
                                                      const std::string& path) {
  if (const auto fault = injected(FileVerb::kOpenDirectory)) return tl::unexpected(*fault);
  const auto node = resolve_for_port(root, path);
  if (!node) return tl::unexpected(node.error());
  if ((*node)->info.kind != FileKind::kDirectory) return error(FileErrorKind::kNotADirectory);
  if (!(*node)->readable) return error(FileErrorKind::kPermissionDenied);
  return OpenDirectory{(*node)->info, std::make_unique<Reader>(*node)};
}

std::optional<std::vector<DirectoryEntry>> FakeFiles::entries(const std::string& root,
                                                              const std::string& path) const {
  const auto node = resolve(root, path);
  const bool is_listed = node && (*node)->info.kind == FileKind::kDirectory && (*node)->readable;
  if (!is_listed) return std::nullopt;
  std::vector<DirectoryEntry> found;
  for (const auto& [name, child] : (*node)->children) found.push_back({name, child->info});
  return found;
}

FileExpected<std::vector<LinkEntry>> FakeFiles::list_links() {
  if (const auto fault = injected(FileVerb::kListLinks)) return tl::unexpected(*fault);
  std::vector<LinkEntry> entries;
  for (const auto& [name, entry] : links_) entries.push_back(entry);
  return entries;
}

FileExpected<LinkEntry> FakeFiles::read_link(const std::string& name) {
  if (const auto fault = injected(FileVerb::kReadLink)) return tl::unexpected(*fault);
  const auto found = links_.find(name);
  if (found == links_.end()) return error(FileErrorKind::kNotFound);
  return found->second;
}

void FakeFiles::change_links(const std::string& name) {
  ++links_version_;
  queue({FileNotice::Kind::kLinkDirectory, 0, name});
}

FileExpected<void> FakeFiles::make_link(const std::string& name, const std::string& target) {
  if (before_change_) before_change_();
  ++link_changes_;
  if (const auto fault = injected(FileVerb::kMakeLink)) return tl::unexpected(*fault);
  if (links_.count(name) > 0) return error(FileErrorKind::kAlreadyExists);
  links_[name] = {name, true, target};
  change_links(name);
  return {};
}

FileExpected<void> FakeFiles::replace_link(const std::string& name, const std::string& old_target,
                                           const std::string& new_target) {
  if (before_change_) before_change_();
  ++link_changes_;
  if (const auto fault = injected(FileVerb::kReplaceLink)) return tl::unexpected(*fault);
  const auto found = links_.find(name);
  if (found == links_.end() || found->second != LinkEntry{name, true, old_target}) {
    return error(FileErrorKind::kNotOurs);
  }
  found->second.target = new_target;
  change_links(name);
  return {};
}

FileExpected<void> FakeFiles::remove_link(const std::string& name, const std::string& target) {
  if (before_change_) before_change_();
  ++link_changes_;
  if (const auto fault = injected(FileVerb::kRemoveLink)) return tl::unexpected(*fault);
  const auto found = links_.find(name);
  if (found == links_.end()) return {};
  if (found->second != LinkEntry{name, true, target}) return error(FileErrorKind::kNotOurs);
  links_.erase(found);
  change_links(name);
  return {};
}

FileExpected<std::int64_t> FakeFiles::link_directory_version() {
  if (const auto fault = injected(FileVerb::kLinkDirectoryVersion)) return tl::unexpected(*fault);
  return links_version_;
}

FileExpected<std::uint64_t> FakeFiles::watch(const std::string& root, const std::string& path) {
  if (const auto fault = injected(FileVerb::kWatch)) return tl::unexpected(*fault);
  const auto node = resolve_for_port(root, path);
  if (!node) return tl::unexpected(node.error());
  if ((*node)->info.kind != FileKind::kDirectory) return error(FileErrorKind::kNotADirectory);
  if (!(*node)->readable) return error(FileErrorKind::kPermissionDenied);
  if (watches_.size() >= watch_limit_) return error(FileErrorKind::kWatchLimit);
  const std::uint64_t id = next_watch_++;
  watches_[id] = *node;
  return id;
}

void FakeFiles::unwatch(std::uint64_t watch) {
  watches_.erase(watch);
  std::erase_if(notices_, [watch](const FileNotice& notice) { return notice.watch == watch; });
}

std::vector<FileNotice> FakeFiles::take_notices(std::size_t max_notices) {
  std::vector<FileNotice> taken;
  while (taken.size() < max_notices && !notices_.empty()) {
    taken.push_back(std::move(notices_.front()));
    notices_.pop_front();
  }
  return taken;
}

FileExpected<std::optional<std::string>> FakeFiles::load_state(const std::string& name) {
  if (const auto fault = injected(FileVerb::kLoadState)) return tl::unexpected(*fault);
  const auto found = state_.find(name);
  if (found == state_.end()) return std::nullopt;
  return found->second;
}

void FakeFiles::store_state(const std::string& name, std::string bytes) {
  if (before_change_) before_change_();
  state_[name] = std::move(bytes);
}

}  // namespace loglink
