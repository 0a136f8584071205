// The safe roots as containers see them: a real runtime (runc), the real mounter and agent. What a
// runtime does to mount flags and propagation decides whether they protect anybody.
//
// Needs root, cgroups and the program runc; no image, no network: /usr of this machine is the
// containers' root file system.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tests/integration/agent/own_mounts.h"
#include "tests/integration/agent/test_node.h"

namespace loglink {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

std::string find_runc() {
  for (const char* path : {"/usr/sbin/runc", "/usr/bin/runc", "/usr/local/sbin/runc"}) {
    if (::access(path, X_OK) == 0) return path;
  }
  return "";
}

std::string quoted(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) list += (list.empty() ? "\"" : ",\"") + text + "\"";
  return "[" + list + "]";
}

// A volume that is mounted at its own path; options as the kubelet and containerd spell them.
struct Volume {
  fs::path path;
  std::vector<std::string> options;
};
// mountPropagation: HostToContainer, readOnly.
Volume host_to_container(const fs::path& path) { return {path, {"rbind", "rslave", "ro"}}; }

class Container {
 public:
  struct Result {
    int exit_code = 0;
    std::string output;
    std::string errors;
  };

  Container(const fs::path& base, const std::string& name, const std::vector<Volume>& volumes,
            const std::vector<std::string>& command = {"/bin/sleep", "infinity"})
      : directory_(base / name), name_(base.filename().string() + "-" + name) {
    const fs::path root = directory_ / "rootfs";
    for (const char* directory : {"usr", "proc", "tmp"}) fs::create_directories(root / directory);
    for (const char* directory : {"bin", "lib", "lib64"}) {
      fs::create_symlink(std::string("usr/") + directory, root / directory);
    }
    std::string mounts =
        R"({"destination":"/proc","type":"proc","source":"proc"},)"
        R"({"destination":"/usr","type":"bind","source":"/usr","options":["bind","ro"]})";
    for (const Volume& volume : volumes) {
      mounts += R"(,{"destination":")" + volume.path.string() + R"(","type":"bind","source":")" +
                volume.path.string() + R"(","options":)" + quoted(volume.options) + "}";
    }
    write_text(directory_ / "config.json",
               R"({"ociVersion":"1.0.2","process":{"user":{"uid":0,"gid":0},"args":)" +
                   quoted(command) +
                   R"(,"env":["PATH=/usr/bin:/bin"],"cwd":"/","capabilities":{},)"
                   R"("noNewPrivileges":true},"root":{"path":"rootfs"},"mounts":[)" +
                   mounts +
                   R"(],"linux":{"namespaces":[{"type":"mount"},{"type":"pid"}],)"
                   R"("rootfsPropagation":"rslave"}})");
    const Result started = runc({"run", "--detach", "--bundle", directory_.string(), name_});
    is_running_ = started.exit_code == 0;
    trouble_ = started.errors;
  }
  ~Container() { runc({"delete", "--force", name_}); }
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;

  [[nodiscard]] bool is_running() const { return is_running_; }
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  [[nodiscard]] bool has_file(const std::string& path) const {
    return fs::exists(directory_ / "rootfs" / path);
  }
  Result execute(const std::vector<std::string>& command) {
    std::vector<std::string> arguments = {"exec", name_};
    arguments.insert(arguments.end(), command.begin(), command.end());
    return runc(arguments);
  }
  Result read(const fs::path& file) { return execute({"/bin/cat", file.string()}); }

 private:
  Result runc(const std::vector<std::string>& arguments) {
    std::vector<std::string> all = {find_runc(), "--root", (directory_ / "state").string()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    Program program(all, directory_, "runc");
    Result result;
    result.exit_code = program.wait();
    result.output = program.output();
    result.errors = program.errors();
    return result;
  }

  fs::path directory_;
  std::string name_;
  bool is_running_ = false;
  std::string trouble_;
};

class ContainerRuntimeTest : public testing::Test {
 protected:
  inline static std::string no_mounts_;  // why there are none

  static void SetUpTestSuite() { no_mounts_ = take_own_mounts(); }
  void SetUp() override {
    if (!no_mounts_.empty()) GTEST_SKIP() << no_mounts_;
    if (find_runc().empty()) GTEST_SKIP() << "there is no runc: scripts/setup --check installs it";
    const Container any(node_.base(), "any", {});
    if (!any.is_running()) GTEST_SKIP() << "runc cannot run here: " << any.trouble();
    // /run and the kubelet's directory are shared on a node.
    for (const fs::path& path : {run_, host_}) {
      fs::create_directories(path);
      ASSERT_EQ(::mount("tmpfs", path.c_str(), "tmpfs", 0, nullptr), 0);
      ASSERT_EQ(::mount("none", path.c_str(), nullptr, MS_SHARED, nullptr), 0);
    }
    fs::create_directories(logs_);
    write_text(logs_ / "app.log", "line\n");
    write_text(node_.base() / "secret", "shadow\n");
    node_.set_pods({pod_});
  }
  void TearDown() override {
    for (const fs::path& path : {run_, host_}) ::umount2(path.c_str(), MNT_DETACH);
  }

  void mount_roots() {
    auto mounter = node_.start("mount");
    ASSERT_EQ(mounter->wait(), 0) << mounter->errors();
  }
  void make_links() {
    auto apply = node_.start("apply");
    ASSERT_EQ(apply->wait(), 0) << apply->errors();
    ASSERT_EQ(TestNode::read_target(link()), (safe_logs() / "app.log").string());
  }
  // The tenant's file becomes a symlink to what it may not read.
  void swap() {
    fs::remove(logs_ / "app.log");
    fs::create_symlink(node_.base() / "secret", logs_ / "app.log");
  }
  // A volume of its own below the pod's directory, as tokens, Secrets and claims are.
  fs::path mount_volume(const std::string& name) {
    fs::path path = node_.pods_directory() / pod_.uid / "volumes/kubernetes.io~projected" / name;
    fs::create_directories(path);
    EXPECT_EQ(::mount("tmpfs", path.c_str(), "tmpfs", 0, nullptr), 0) << std::strerror(errno);
    write_text(path / "token", "secret\n");
    return path;
  }
  [[nodiscard]] fs::path link() const { return node_.link(pod_, "app.log"); }
  [[nodiscard]] fs::path safe_logs() const {
    return node_.safe_root() / TestNode::path_in_root(pod_);
  }
  // Where that directory of the host is below the safe root.
  [[nodiscard]] fs::path in_safe_root(const fs::path& path) const {
    return node_.safe_root() / path.lexically_relative(node_.pods_directory());
  }

  TestNode node_{"safe"};
  const TestPod pod_{"web-0", "3f0c"};
  const fs::path run_ = node_.base() / "run";
  const fs::path host_ = node_.pods_directory();
  const fs::path logs_ = node_.logs(pod_);
};

TEST_F(ContainerRuntimeTest, ACollectorReadsTheFileAndNeverWhatItIsSwappedForWhicheverStartsFirst) {
  const Volume parent = host_to_container(run_);
  Container early(node_.base(), "early", {parent});
  mount_roots();
  make_links();
  Container late(node_.base(), "late", {parent});
  ASSERT_TRUE(early.is_running() && late.is_running());
  for (Container* const collector : {&early, &late}) {
    EXPECT_EQ(collector->read(link()).output, "line\n");
  }
  swap();
  for (Container* const collector : {&early, &late}) {
    const Container::Result swapped = collector->read(link());
    EXPECT_EQ(swapped.output, "");
    EXPECT_THAT(swapped.errors, HasSubstr("Too many levels of symbolic links"));
  }
}

// Why collectors mount the parent: runtimes mount a read-only volume with the flags that they know.
TEST_F(ContainerRuntimeTest, ASafeRootMountedAsAVolumeItselfLosesItsProtection) {
  mount_roots();
  make_links();
  const Volume secret = host_to_container(node_.base() / "secret");
  Container wrong(node_.base(), "wrong", {{node_.safe_root(), {"rbind", "ro"}}, secret});
  Container right(node_.base(), "right", {host_to_container(run_), secret});
  ASSERT_TRUE(wrong.is_running() && right.is_running());
  swap();
  EXPECT_EQ(wrong.read(safe_logs() / "app.log").output, "shadow\n") << "the trap is gone: tell it";
  EXPECT_EQ(right.read(safe_logs() / "app.log").output, "");
}

TEST_F(ContainerRuntimeTest, VolumesOfOthersNeverShowWhetherOlderOrNewerThanTheCollector) {
  const fs::path older = mount_volume("older");
  mount_roots();
  Container collector(node_.base(), "collector", {host_to_container(run_)});
  ASSERT_TRUE(collector.is_running());
  const fs::path newer = mount_volume("newer");
  for (const fs::path& volume : {older, newer}) {
    const Container::Result listed = collector.execute({"/bin/ls", in_safe_root(volume).string()});
    EXPECT_EQ(listed.exit_code, 0) << listed.errors;
    EXPECT_EQ(listed.output, "") << volume;
  }
}

TEST_F(ContainerRuntimeTest, APodIsTornDownWhileACollectorHoldsItsDirectories) {
  const fs::path older = mount_volume("older");
  mount_roots();
  Container holder(
      node_.base(), "holder", {host_to_container(run_)},
      {"/bin/sh", "-c",
       "cd " + in_safe_root(older).string() + " && exec 3<" + (safe_logs() / "app.log").string() +
           " && touch /tmp/held && exec sleep infinity"});
  ASSERT_TRUE(holder.is_running()) << holder.trouble();
  ASSERT_TRUE(wait_until([&] { return holder.has_file("tmp/held"); }));
  EXPECT_EQ(::umount2(older.c_str(), 0), 0) << std::strerror(errno);
  std::error_code error;
  fs::remove_all(node_.pods_directory() / pod_.uid, error);
  EXPECT_FALSE(error) << error.message();
}

// Why collectors do not mount the kubelet's directory: the control of the test above.
TEST_F(ContainerRuntimeTest, AContainerThatHoldsARawVolumeKeepsItBusy) {
  Container early(node_.base(), "early", {host_to_container(host_)});
  const fs::path volume = mount_volume("newer");
  ASSERT_TRUE(early.is_running());
  const std::string held = (volume / "token").string();
  Program holder({find_runc(), "--root", (node_.base() / "early/state").string(), "exec",
                  "--detach", node_.base().filename().string() + "-early", "/bin/sh", "-c",
                  "exec 3<" + held + " && touch /tmp/held && exec sleep infinity"},
                 node_.base(), "holder");
  ASSERT_TRUE(wait_until([&] { return early.has_file("tmp/held"); })) << holder.errors();
  EXPECT_EQ(::umount2(volume.c_str(), 0), -1);
  EXPECT_EQ(errno, EBUSY);
}

TEST_F(ContainerRuntimeTest, AMounterThatRunsAgainStacksNothingInARunningContainer) {
  mount_roots();
  Container collector(node_.base(), "collector", {host_to_container(run_)});
  ASSERT_TRUE(collector.is_running());
  mount_roots();
  const std::string mounts = collector.read("/proc/self/mountinfo").output;
  const std::string at = " " + node_.safe_root().string() + " ";
  const std::size_t first = mounts.find(at);
  ASSERT_NE(first, std::string::npos) << mounts;
  EXPECT_EQ(mounts.find(at, first + 1), std::string::npos) << mounts;
  EXPECT_THAT(mounts.substr(first, 200), HasSubstr("nosymfollow"));
}

// As the chart runs it: no capability, and of the host nothing but the runtime directory.
TEST_F(ContainerRuntimeTest, TheAgentNeedsNoCapabilityAndNoRawPath) {
  mount_roots();
  fs::create_directories(node_.base() / "state");
  const fs::path programs = LOGLINK_BINARY_DIR "/bin";
  Container agent(node_.base(), "agent",
                  {{run_, {"rbind", "rslave", "rw"}},
                   {node_.base() / "state", {"rbind", "rw"}},
                   {node_.base() / "agent.yaml", {"rbind", "ro"}},
                   {node_.base() / "set.yaml", {"rbind", "ro"}},
                   {programs, {"rbind", "ro"}}},
                  {(programs / "loglink-agent").string(), "run", "--config",
                   (node_.base() / "agent.yaml").string(), "--from-file",
                   (node_.base() / "set.yaml").string()});
  ASSERT_TRUE(agent.is_running());
  write_text(logs_ / "later.log", "x");
  for (const char* file : {"app.log", "later.log"}) {
    EXPECT_TRUE(wait_until([&] {
      return TestNode::read_target(node_.link(pod_, file)) == (safe_logs() / file).string();
    })) << file;
  }
  EXPECT_THAT(agent.execute({"/bin/ls", logs_.string()}).errors, HasSubstr("No such file"));
  // Not even the agent's own container can put something in the place of a safe root.
  const Container::Result moved =
      agent.execute({"/bin/mv", node_.safe_root().string(), (run_ / "roots/other").string()});
  EXPECT_NE(moved.exit_code, 0);
  EXPECT_THAT(moved.errors, Not(HasSubstr("cannot stat")));
}

}  // namespace
}  // namespace loglink
