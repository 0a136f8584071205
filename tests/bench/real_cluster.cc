#include "tests/bench/real_cluster.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <utility>

#include "lib/io/base64.h"
#include "lib/io/credentials.h"
#include "tests/bench/measured_process.h"

namespace loglink::bench {
namespace {

using testing::Json;

// Copies are made of these two; the first is annotated.
constexpr int kAnnotatedOriginal = 0;
constexpr int kPlainOriginal = 1;
// etcd takes 128 operations and 1.5 MiB in one transaction.
constexpr int kPutsAtOnce = 64;
constexpr char kWatchList[] =
    "/api/v1/pods?watch=true&sendInitialEvents=true&allowWatchBookmarks=true"
    "&resourceVersionMatch=NotOlderThan";

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// etcd speaks JSON over HTTP too: a kubeconfig is all that our client needs for it.
std::string etcd_kubeconfig(const std::string& directory) {
  std::string url = text_of(directory + "/etcd.url");
  while (!url.empty() && url.back() == '\n') url.pop_back();
  if (url.empty()) give_up("there is no " + directory + "/etcd.url");
  const std::string path = directory + "/etcd.kubeconfig";
  std::ofstream(path) << "apiVersion: v1\nkind: Config\nclusters:\n- {name: e, cluster: {server: \""
                      << url
                      << "\"}}\nusers:\n- {name: e, user: {token: none}}\ncontexts:\n- {name: e, "
                         "context: {cluster: e, user: e}}\ncurrent-context: e\n";
  return path;
}

std::string server_of(const std::string& kubeconfig) {
  const auto access = load_cluster_access(kubeconfig);
  if (!access) give_up(access.error().message);
  return "https://" + access->endpoint.host + ":" + std::to_string(access->endpoint.port);
}

UnaryResponse must(UnaryResult result, const std::string& what) {
  if (!result) give_up(what + ": " + result.error().message);
  return std::move(*result);
}

std::string pod_path(int serial) {
  return "/api/v1/namespaces/" + namespace_text(serial) + "/pods/" + pod_name(serial);
}

Json pod_json(int serial) {
  const std::string text = text_of(std::string(LOGLINK_SOURCE_DIR) + "/tests/bench/pod.json");
  Json pod = Json::parse(PodMold(text, "no uid yet", 0).cast(serial));
  if (is_annotated(serial)) {
    pod["metadata"]["annotations"]["loglink/watch-dir"] = "/var/log/app";
  }
  return pod;
}

struct PipeCloser {
  void operator()(FILE* pipe) const { ::pclose(pipe); }
};

std::string output_of(const std::vector<std::string>& argv) {
  std::string command;
  for (const std::string& each : argv) command += "'" + each + "' ";
  const std::unique_ptr<FILE, PipeCloser> pipe(::popen(command.c_str(), "r"));
  std::string output;
  std::array<char, 65536> buffer{};
  for (std::size_t count = 1; count > 0;) {
    count = std::fread(buffer.data(), 1, buffer.size(), pipe.get());
    output.append(buffer.data(), count);
  }
  return output;
}

std::size_t frame_size(const std::string& bytes, std::size_t at) {
  std::size_t size = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    size = size << 8U | static_cast<unsigned char>(bytes.at(i));
  }
  return size + 4;
}

}  // namespace

RealCluster::RealCluster(const std::string& directory)
    : directory_(directory),
      server_(server_of(kubeconfig())),
      api_(kubeconfig()),
      etcd_(etcd_kubeconfig(directory)) {
  const auto make_namespace = [&](const std::string& name) {
    api_.create("/api/v1/namespaces",
                {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", name}}}});
  };
  make_namespace("loglink-system");
  for (int i = 0; i < kNamespaces; ++i) make_namespace(namespace_text(i));
  api_.create("/apis/coordination.k8s.io/v1/namespaces/loglink-system/leases",
              {{"apiVersion", "coordination.k8s.io/v1"},
               {"kind", "Lease"},
               {"metadata", {{"name", "loglink-controller"}}},
               {"spec",
                {{"holderIdentity", "bench"},
                 {"leaseDurationSeconds", 3600},
                 {"acquireTime", "2026-10-14T09:12:44.000000Z"},
                 {"renewTime", "2026-10-14T09:12:44.000000Z"}}}});
}

std::vector<std::string> RealCluster::curl(const std::string& accept) const {
  const std::string pki = directory_ + "/pki/";
  return {"curl", "-sS", "-N",
          // For the user agent "curl" the server writes JSON for people.
          "-A", "floor/1", "--cacert", pki + "ca.crt", "--cert", pki + "admin.crt", "--key",
          pki + "admin.key", "-H", "Accept: application/vnd.kubernetes.protobuf" + accept};
}

std::vector<std::string> RealCluster::curl_watch_list(const std::string& query) const {
  std::vector<std::string> argv = curl(";stream=watch");
  argv.push_back(server_ + kWatchList + query);
  return argv;
}

std::vector<std::string> RealCluster::curl_metadata_watch_list() const {
  std::vector<std::string> argv = curl(";as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
  argv.push_back(server_ + kWatchList);
  return argv;
}

std::vector<std::string> RealCluster::curl_gets_of_annotated() const {
  const std::string list = directory_ + "/annotated.curl";
  std::ofstream file(list);
  for (int serial = 0; serial < pods_; ++serial) {
    if (is_annotated(serial)) {
      file << "url = \"" << server_ << pod_path(serial) << "\"\noutput = \"/dev/null\"\n";
    }
  }
  file << "url = \"" << server_ << "/healthz\"\n";
  std::vector<std::string> argv = curl("");
  argv.insert(argv.end(), {"-K", list});
  return argv;
}

std::string RealCluster::make_pod(int serial) {
  std::optional<Json> pod = api_.get(pod_path(serial));
  if (!pod) {
    const Json wanted = pod_json(serial);
    // The field managers are those of a real cluster.
    const std::string collection = "/api/v1/namespaces/" + namespace_text(serial) + "/pods";
    must(api_.send(Method::kPost, collection + "?fieldManager=kube-controller-manager",
                   "application/json", wanted.dump()),
         "POST of a pod");
    const Json status = {{"status", wanted.at("status")}};
    must(api_.send(Method::kPatch, pod_path(serial) + "/status?fieldManager=kubelet",
                   "application/merge-patch+json", status.dump()),
         "PATCH of a pod's status");
    pod = api_.get(pod_path(serial));
  }
  if (!pod) give_up("a pod cannot be made");
  return pod->at("metadata").at("uid").get<std::string>();
}

std::string RealCluster::stored(const std::string& key) {
  const Json request = {{"key", base64_encode(key)}};
  const Json answer = Json::parse(
      must(etcd_.send(Method::kPost, "/v3/kv/range", "application/json", request.dump()),
           "reading etcd")
          .body);
  const auto value =
      base64_decode(answer.at("kvs").at(0).at("value").get_ref<const std::string&>());
  if (!value) give_up("etcd's answer is not understood");
  return *value;
}

void RealCluster::put_copies(int from, int to, const PodMold& plain, const PodMold& annotated) {
  Json puts = Json::array();
  for (int serial = from; serial < to; ++serial) {
    const PodMold& mold = is_annotated(serial) ? annotated : plain;
    const std::string key = "/registry/pods/" + namespace_text(serial) + "/" + pod_name(serial);
    const Json put = {{"key", base64_encode(key)}, {"value", base64_encode(mold.cast(serial))}};
    puts.push_back({{"requestPut", put}});
  }
  const Json transaction = {{"success", puts}};
  must(etcd_.send(Method::kPost, "/v3/kv/txn", "application/json", transaction.dump()),
       "writing etcd");
}

void RealCluster::fill(int count) {
  const auto mold_of = [&](int serial) {
    std::string uid = make_pod(serial);
    return PodMold(stored("/registry/pods/" + namespace_text(serial) + "/" + pod_name(serial)),
                   std::move(uid), serial);
  };
  const PodMold annotated = mold_of(kAnnotatedOriginal);
  const PodMold plain = mold_of(kPlainOriginal);
  for (int from = std::max(pods_, 2); from < count; from += kPutsAtOnce) {
    put_copies(from, std::min(from + kPutsAtOnce, count), plain, annotated);
  }
  pods_ = std::max(pods_, count);
}

RealCluster::Frames RealCluster::frames() {
  const auto frame_of = [&](int serial) {
    return output_of(
        curl_watch_list("&timeoutSeconds=1&fieldSelector=metadata.name%3D" + pod_name(serial)));
  };
  const std::string annotated_uid = make_pod(kAnnotatedOriginal);
  const std::string plain_uid = make_pod(kPlainOriginal);
  const std::string annotated = frame_of(kAnnotatedOriginal);
  const std::string plain = frame_of(kPlainOriginal);
  Frames frames;
  const std::size_t annotated_size = frame_size(annotated, 0);
  const std::size_t plain_size = frame_size(plain, 0);
  frames.annotated =
      PodMold(annotated.substr(0, annotated_size), annotated_uid, kAnnotatedOriginal);
  frames.plain = PodMold(plain.substr(0, plain_size), plain_uid, kPlainOriginal);
  frames.bookmark = annotated.substr(annotated_size, frame_size(annotated, annotated_size));
  return frames;
}

}  // namespace loglink::bench
