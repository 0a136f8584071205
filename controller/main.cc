// loglink-controller: the command line, and nothing else.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "controller/shell/drain_command.h"
#include "controller/shell/explain_command.h"
#include "controller/shell/run_command.h"
#include "lib/base/text.h"
#include "lib/base/time_text.h"
#include "lib/codec/config_yaml.h"
#include "lib/io/cpprest_client.h"
#include "lib/io/credentials.h"
#include "lib/io/log.h"
#include "lib/io/text_file.h"
#include "lib/model/kube_names.h"
#include "lib/model/limits.h"

namespace {

using loglink::ControllerConfig;
using loglink::Error;
using loglink::Expected;

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

constexpr const char* kRunExamples = R"(Examples:
  loglink-controller run --config /etc/loglink/controller.yaml
  loglink-controller run --kubeconfig ~/.kube/config --log-level debug)";

constexpr const char* kExplainExamples = R"(Examples:
  loglink-controller explain -f pods.yaml
  helm template my-chart | loglink-controller explain -f -
  loglink-controller explain -n shop -f web.yaml -f jobs.yaml
  loglink-controller explain -f pods.yaml -o json |
    jq -e '[.pods[].refusals[], .pods[].notes[], .notes[]] == []'

What it finds wrong is its answer: exit code 0.)";

constexpr const char* kDrainExamples = R"(Examples:
  loglink-controller drain --timeout 300s)";

constexpr const char* kExamples = R"(Examples:
  loglink-controller run --config /etc/loglink/controller.yaml
  loglink-controller run --kubeconfig ~/.kube/config --log-level debug
  loglink-controller explain -f pods.yaml
  helm template my-chart | loglink-controller explain -f -
  loglink-controller explain -n shop -f web.yaml -f jobs.yaml
  loglink-controller drain --timeout 300s

Exit codes: 0 done, 1 refused or failed (the message is on stderr), 2 wrong usage. What "explain"
finds wrong is its answer: exit code 0.)";

struct Options {
  std::string config_file;
  std::string kubeconfig;
  std::string log_level;
  std::string log_format;
  std::vector<std::string> manifests;
  std::string namespace_name = "default";
  std::string output = "text";
  std::string timeout = "120s";
};

int report(const Error& error) {
  std::cerr << "loglink-controller: " << error.message << '\n';
  return kFailed;
}

int print(const std::string& text) {
  const bool all = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (all && std::fflush(stdout) == 0) return kDone;
  return report({loglink::ErrorCode::kIo, "cannot write to standard output"});
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

Expected<std::string> read_file(const std::string& name) {
  constexpr std::size_t kMost = loglink::limits::kFileBytes;
  return name == "-" ? loglink::read_standard_input(kMost) : loglink::read_text_file(name, kMost);
}

Expected<ControllerConfig> load_config(const Options& options) {
  std::string yaml;
  if (!options.config_file.empty()) {
    LOGLINK_ASSIGN_OR_RETURN(yaml, read_file(options.config_file));
  }
  LOGLINK_ASSIGN_OR_RETURN(ControllerConfig config,
                           loglink::parse_controller_config(yaml, options.config_file));
  if (!options.log_level.empty()) config.log_level = options.log_level;
  if (!options.log_format.empty()) config.log_format = options.log_format;
  LOGLINK_TRY(loglink::configure_logging(config.log_level, config.log_format));
  return config;
}

int run(const Options& options) {
  const Expected<ControllerConfig> config = load_config(options);
  if (!config) return report(config.error());
  const auto access = loglink::load_cluster_access(options.kubeconfig);
  if (!access) return report(access.error());
  loglink::run_controller(*config, *access, host_name());
  return kDone;
}

int explain(const Options& options) {
  const Expected<ControllerConfig> config = load_config(options);
  if (!config) return report(config.error());
  std::vector<loglink::ManifestText> manifests;
  for (const std::string& file : options.manifests) {
    Expected<std::string> text = read_file(file);
    if (!text) return report(text.error());
    manifests.push_back({std::move(*text), file == "-" ? "standard input" : file});
  }
  const loglink::ExplainFormat format = options.output == "json"   ? loglink::ExplainFormat::kJson
                                        : options.output == "yaml" ? loglink::ExplainFormat::kYaml
                                                                   : loglink::ExplainFormat::kText;
  const Expected<std::string> text = loglink::explain_manifests(
      manifests, options.namespace_name, *config, format, loglink::SystemClock().now().wall);
  if (!text) return report(text.error());
  return print(*text);
}

int drain(const Options& options) {
  const Expected<ControllerConfig> config = load_config(options);
  if (!config) return report(config.error());
  // Checked with the flags.
  const loglink::Duration timeout = loglink::parse_duration(options.timeout).value();
  const auto access = loglink::load_cluster_access(options.kubeconfig);
  if (!access) return report(access.error());
  const Expected<void> done = loglink::drain_cluster(*config, *access, timeout);
  return done ? kDone : report(done.error());
}

// These two are of the program and of each command, so that they may stand before the command or
// after it, and the command's own help has them.
void add_config(CLI::App& command, Options& options) {
  command.add_option("--config", options.config_file, "Configuration file; without it, defaults")
      ->type_name("FILE");
}

void add_log_options(CLI::App& command, Options& options) {
  command.add_option("--log-level", options.log_level, "Overrides logLevel of the configuration")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  command
      .add_option("--log-format", options.log_format, "Overrides logFormat of the configuration")
      ->check(CLI::IsMember({"text", "json"}));
}

std::string is_duration(const std::string& text) {
  const auto duration = loglink::parse_duration(text);
  return duration ? std::string() : duration.error().message;
}

std::string is_namespace(const std::string& text) {
  if (loglink::is_dns_label(text)) return {};
  return '"' + loglink::sanitize(text, 64) + "\" is not the name of a namespace";
}

void add_kubeconfig(CLI::App& command, Options& options) {
  command
      .add_option("--kubeconfig", options.kubeconfig,
                  "Without it: $KUBECONFIG, the pod's service account, ~/.kube/config")
      ->type_name("FILE");
}

}  // namespace

int main(int argc, char** argv) {
  loglink::initialize_cpprest();
  Options options;
  CLI::App app{"Watches pods, publishes what each node has to link, and answers on the pods.",
               "loglink-controller"};
  app.footer(kExamples);
  app.set_version_flag("--version", std::string("loglink-controller ") + LOGLINK_VERSION);
  app.require_subcommand(0, 1);  // none is refused below: a misspelled one is better named
  app.fallthrough();
  app.failure_message([](const CLI::App* failed, const CLI::Error& error) {
    return "loglink-controller: " + CLI::FailureMessage::simple(failed, error);
  });
  add_log_options(app, options);
  add_config(app, options);

  CLI::App* run_command = app.add_subcommand("run", "Runs the controller until it is told to stop");
  run_command->footer(kRunExamples);
  add_config(*run_command, options);
  add_kubeconfig(*run_command, options);

  CLI::App* explain_command = app.add_subcommand(
      "explain", "Shows what would be linked and what refused, and why; needs no cluster");
  explain_command->footer(kExplainExamples);
  add_config(*explain_command, options);
  explain_command
      ->add_option("-f,--filename", options.manifests,
                   "Manifest with pods or workloads, required; may be given again; - is standard "
                   "input")
      ->allow_extra_args(false)
      ->type_name("FILE");
  explain_command
      ->add_option("-n,--namespace", options.namespace_name, "Of objects whose manifest names none")
      ->check(is_namespace)
      ->type_name("NAMESPACE")
      ->capture_default_str();
  explain_command
      ->add_option("-o,--output", options.output,
                   "text for people; json: the same for programs; yaml: only the NodeLinkSets")
      ->check(CLI::IsMember({"text", "yaml", "json"}))
      ->capture_default_str();

  CLI::App* drain_command = app.add_subcommand(
      "drain",
      "Takes all links away before loglink is uninstalled; names nodes that do not answer");
  drain_command->footer(kDrainExamples);
  add_config(*drain_command, options);
  add_kubeconfig(*drain_command, options);
  drain_command->add_option("--timeout", options.timeout, "How long the agents have, as 120s or 5m")
      ->check(is_duration)
      ->capture_default_str();
  for (CLI::App* command : {run_command, explain_command, drain_command}) {
    add_log_options(*command, options);
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  // Checked here, because CLI11 would ask for it before it names a misspelled flag.
  if (explain_command->parsed() && options.manifests.empty()) {
    std::cerr << "loglink-controller: explain needs -f FILE, or -f - for standard input\n";
    return kUsage;
  }
  if (run_command->parsed()) return run(options);
  if (explain_command->parsed()) return explain(options);
  if (drain_command->parsed()) return drain(options);
  std::cerr << "loglink-controller: a subcommand is required\n" << app.help();
  return kUsage;
}
