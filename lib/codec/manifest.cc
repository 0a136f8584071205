#include "lib/codec/manifest.h"

#include <optional>
#include <utility>

#include "lib/base/text.h"
#include "lib/codec/decode_object.h"
#include "lib/codec/yaml_tree.h"
#include "lib/model/limits.h"
#include "lib/model/names.h"

namespace loglink {
namespace {

// One document of a file. A JSON file has no tree unless an error needs its lines.
struct Document {
  YamlNodePointer tree;
  std::string json;
};

class ManifestFile {
 public:
  static Expected<ManifestFile> load(std::string_view text, const std::string& name) {
    ManifestFile file(name);
    if (text.size() > limits::kFileBytes) return file.error(0, "larger than 16 MiB");
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first != std::string_view::npos && text[first] == '{' && is_json(text)) {
      file.documents_.push_back({nullptr, std::string(text)});
      return file;
    }
    auto trees = parse_yaml(text);
    if (!trees) {
      return file.error(trees.error().line, "not valid YAML or JSON: " + trees.error().message);
    }
    for (YamlNodePointer& tree : *trees) {
      std::string json = yaml_to_json(*tree);
      file.documents_.push_back({std::move(tree), std::move(json)});
    }
    return file;
  }

  // function(const JsonReader& object, const std::string& kind) for each object: documents, and the
  // items of lists. The first problem noted by it ends with an error.
  template <class Function>
  Expected<void> each_object(Function function) const {
    for (const Document& document : documents_) {
      simdjson::dom::parser parser;
      simdjson::dom::element root;
      if (const auto code = parser.parse(document.json).get(root)) {
        return error(line_in(document, ""), simdjson::error_message(code));
      }
      DecodeProblem problem;
      visit(JsonReader(root, problem), "", function);
      if (problem.found()) return error(line_in(document, problem.path), problem.text());
    }
    return {};
  }

  [[nodiscard]] tl::unexpected<Error> error(int line, const std::string& message) const {
    std::string place = name_;
    if (line > 0) place += ":" + std::to_string(line);
    return fail(ErrorCode::kInvalidArgument, place + ": " + message);
  }

 private:
  explicit ManifestFile(std::string name) : name_(std::move(name)) {}

  static bool is_json(std::string_view text) {
    simdjson::dom::parser parser;
    return parser.parse(text.data(), text.size()).error() == simdjson::SUCCESS;
  }

  // Items of typed lists ("PodList") may leave out their kind.
  template <class Function>
  static void visit(const JsonReader& object, const std::string& kind_of_list, Function& function) {
    std::string kind = object.text("kind");
    if (kind.empty()) kind = kind_of_list;
    if (kind.empty()) {
      object.child("kind").report("missing; every Kubernetes object has one");
    } else if (kind.ends_with("List") && object.has("items")) {
      const std::string item_kind = kind.substr(0, kind.size() - 4);
      object.each("items", [&](const JsonReader& item) { visit(item, item_kind, function); });
    } else {
      function(object, kind);
    }
  }

  static int line_in(const Document& document, const std::string& path) {
    if (document.tree) return line_of(*document.tree, path);
    const auto trees = parse_yaml(document.json);
    if (!trees || trees->empty()) return 0;
    return line_of(*trees->front(), path);
  }

  std::string name_;
  std::vector<Document> documents_;
};

bool is_workload(std::string_view kind) {
  return kind == "Deployment" || kind == "StatefulSet" || kind == "DaemonSet" ||
         kind == "ReplicaSet" || kind == "Job" || kind == "CronJob";
}

PodView pod_of_template(const JsonReader& spec) {
  const JsonReader pod_template = spec.child("template");
  if (!pod_template.present()) pod_template.report("missing");
  PodView pod = read_pod_template(pod_template);
  // A template has no identity, whatever is written there.
  pod.uid.clear();
  pod.created = {};
  pod.deleting = false;
  pod.owners.clear();
  return pod;
}

PodView pod_of_workload(const JsonReader& object, std::string_view kind) {
  const JsonReader spec = object.child("spec");
  if (kind == "StatefulSet") {
    PodView pod = pod_of_template(spec);
    // As its controller adds them to each pod.
    spec.each("volumeClaimTemplates", [&pod](const JsonReader& claim) {
      const JsonReader metadata = claim.child("metadata");
      const std::string name = metadata.text("name");
      // The claim takes the place of a volume of that name.
      std::erase_if(pod.volumes, [&](const VolumeView& volume) { return volume.name == name; });
      pod.volumes.push_back({name, "persistentVolumeClaim", "", "", ""});
    });
    return pod;
  }
  if (kind != "CronJob") return pod_of_template(spec);
  const JsonReader job_template = spec.child("jobTemplate");
  return pod_of_template(job_template.child("spec"));
}

bool has_annotation_of_ours(const JsonReader& metadata) {
  bool has = false;
  metadata.child("annotations").members([&](std::string_view key, const JsonReader&) {
    has = has || key.starts_with(names::kAnnotationPrefix);
  });
  return has;
}

// On the pods of our own chart, so that they start anew with a changed configuration.
constexpr std::string_view kConfigChecksum = "loglink.io/config-checksum";

bool looks_like_ours(std::string_view key) {
  std::string lower(key);
  for (char& c : lower) c = to_lower(c);
  static constexpr std::string_view kName = "loglink";
  const bool begins = lower.starts_with(kName) && lower.size() > kName.size() &&
                      std::string_view("./-_").find(lower[kName.size()]) != std::string_view::npos;
  return begins || lower.ends_with("/watch-dir") || lower == "watch-dir";
}

// Keys as others might have called them, "loglink.io/watch-dir" or "acme.com/watch-dir", and keys
// of ours in the wrong field: nobody reads them, so only explain can say it.
void find_strays(const JsonReader& metadata, const std::string& whose,
                 std::vector<StrayKey>& found) {
  for (const char* const field : {"annotations", "annotation", "labels"}) {
    const bool right = std::string_view(field) == "annotations";
    metadata.child(field).members([&](std::string_view key, const JsonReader&) {
      if ((right && key.starts_with(names::kAnnotationPrefix)) || key == kConfigChecksum) return;
      if (!looks_like_ours(key)) return;
      found.push_back({sanitize(whose), field, sanitize(std::string(key))});
    });
  }
}

// A pod's own metadata, or the workload's and those of its templates.
void find_strays_of(const JsonReader& object, const std::string& kind, const std::string& name,
                    std::vector<StrayKey>& found) {
  const std::string whose = kind + "/" + name;
  find_strays(object.child("metadata"), whose, found);
  if (kind == "Pod") return;
  const JsonReader spec = object.child("spec");
  if (kind != "CronJob") {
    const JsonReader pod = spec.child("template");
    return find_strays(pod.child("metadata"), whose, found);
  }
  const JsonReader job = spec.child("jobTemplate");
  find_strays(job.child("metadata"), whose, found);
  const JsonReader job_spec = job.child("spec");
  const JsonReader pod = job_spec.child("template");
  find_strays(pod.child("metadata"), whose, found);
}

bool has_misplaced_annotations(const JsonReader& object, const std::string& kind) {
  if (has_annotation_of_ours(object.child("metadata"))) return true;
  if (kind != "CronJob") return false;
  const JsonReader spec = object.child("spec");
  const JsonReader job = spec.child("jobTemplate");
  return has_annotation_of_ours(job.child("metadata"));
}

// Of "metadata.generateName: web-" the part that every name made from it has.
std::string name_of(const JsonReader& object) {
  const JsonReader metadata = object.child("metadata");
  std::string name = metadata.text("name");
  if (name.empty()) name = metadata.text("generateName");
  while (name.ends_with('-')) name.pop_back();
  if (name.empty()) metadata.child("name").report("missing");
  return name;
}

// What the API server, the scheduler and admission would have filled in.
void complete(PodView& pod, const std::string& default_namespace) {
  if (pod.namespace_name.empty()) pod.namespace_name = default_namespace;
  if (pod.node_name.empty()) pod.node_name = names::kUnscheduledNode;
  if (pod.uid.empty()) pod.uid = names::kUnassignedUid;
  if (pod.service_account.empty()) pod.service_account = "default";
  for (VolumeView& volume : pod.volumes) {
    if (volume.kind == "unknown") volume.kind = "emptyDir";  // a volume without a source is one
  }
}

// The presence of a field is lost in a value: the CRD requires these, and a path left out must not
// pass for the root itself.
void check_required(const JsonReader& object) {
  const JsonReader spec = object.child("spec");
  const JsonReader sources = spec.child("sources");
  if (!sources.present()) sources.report("missing");
  spec.each("sources", [](const JsonReader& source) {
    for (const char* key : {"namespace", "pod", "uid", "container", "root", "path", "include"}) {
      const JsonReader field = source.child(key);
      if (!field.present()) field.report("missing");
    }
    // A source from the API server with a time out of range is left out; in a file it is an error.
    for (const char* key : {"since", "removeAfter"}) static_cast<void>(source.time(key));
  });
}

void check_bounds(const JsonReader& object, const NodeLinkSet& set) {
  if (set.name.empty()) {
    object.child("metadata").child("name").report("missing; it is the name of the node");
  }
  if (set.spec.sources.size() > limits::kSourcesPerNode) {
    object.child("spec").child("sources").report("more than 1000 sources");
  }
  std::size_t index = 0;
  object.child("spec").each("sources", [&](const JsonReader& source) {
    if (index >= set.spec.sources.size()) return;  // one was unreadable, which is told already
    const Expected<void> checked = check_source_bounds(set.spec.sources[index++]);
    if (!checked) source.report(checked.error().message);
  });
}

NodeLinkSet read_checked_set(const JsonReader& object) {
  const std::string version = object.text("apiVersion");
  if (version != names::kApiVersion) {
    object.child("apiVersion")
        .report("\"" + sanitize(version, 64) + "\" is not supported; this program reads " +
                std::string(names::kApiVersion));
  }
  check_required(object);
  NodeLinkSet set = read_node_link_set_object(object);
  check_bounds(object, set);
  return set;
}

}  // namespace

Expected<ManifestPods> read_pods(std::string_view text, const std::string& file_name,
                                 const std::string& default_namespace) {
  LOGLINK_ASSIGN_OR_RETURN(const ManifestFile file, ManifestFile::load(text, file_name));
  ManifestPods out;
  LOGLINK_TRY(file.each_object([&](const JsonReader& object, const std::string& kind) {
    if (kind != "Pod" && !is_workload(kind)) {
      const JsonReader metadata = object.child("metadata");
      out.skipped.push_back(sanitize(kind + "/" + metadata.text("name")));
      return;
    }
    PodView pod;
    if (kind == "Pod") {
      pod = read_pod(object);
    } else {
      pod = pod_of_workload(object, kind);
      pod.namespace_name = object.child("metadata").text("namespace");
    }
    pod.name = name_of(object);
    complete(pod, default_namespace);
    find_strays_of(object, kind, pod.name, out.strays);
    const JsonReader metadata = object.child("metadata");
    if (kind != "Pod" || metadata.text("name").empty()) out.workloads.insert(out.pods.size());
    if (kind != "Pod") {
      if (has_misplaced_annotations(object, kind)) {
        out.misplaced.push_back(sanitize(kind + "/" + pod.name));
      }
    }
    out.pods.push_back(std::move(pod));
  }));
  return out;
}

Expected<NodeLinkSet> read_node_link_set(std::string_view text, const std::string& file_name) {
  LOGLINK_ASSIGN_OR_RETURN(const ManifestFile file, ManifestFile::load(text, file_name));
  std::optional<NodeLinkSet> found;
  LOGLINK_TRY(file.each_object([&](const JsonReader& object, const std::string& kind) {
    if (kind != names::kKind) return;
    if (found) object.report("a second NodeLinkSet; give one per file");
    found = read_checked_set(object);
  }));
  if (!found) return file.error(0, "no NodeLinkSet in it; give one document of that kind");
  return *std::move(found);
}

}  // namespace loglink
