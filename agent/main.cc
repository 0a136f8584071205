// loglink-agent: flags in, one command out. The only wiring of the agent.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>

#include "agent/shell/commands.h"
#include "agent/shell/run_command.h"
#include "lib/base/time_text.h"
#include "lib/codec/config_yaml.h"
#include "lib/io/credentials.h"
#include "lib/io/log.h"
#include "lib/io/text_file.h"
#include "lib/model/limits.h"

namespace loglink {
namespace {

enum ExitCode { kDone = 0, kFailed = 1, kUsage = 2 };

struct Flags {
  std::string config;
  std::string kubeconfig;
  std::string from_file;
  std::string file;
  std::string wait = "0s";
  std::string log_level;
  std::string log_format;
  bool last = false;
  bool dry_run = false;
  bool ready = false;
  bool unmount = false;
};

constexpr const char* kRunExamples = R"(Examples:
  loglink-agent run --config /etc/loglink/agent.yaml
  loglink-agent run --from-file nodelinkset.yaml       without an API server)";
constexpr const char* kApplyExamples = R"(Examples:
  loglink-agent apply -f nodelinkset.yaml --dry-run    what would be done, and why not
  loglink-agent apply --last                           in an init container, before collectors start)";
constexpr const char* kStatusExamples = R"(Examples:
  loglink-agent status --config /etc/loglink/agent.yaml    on the node)";
constexpr const char* kMountExamples = R"(Examples:
  loglink-agent mount && loglink-agent mount --ready   in privileged init containers)";
constexpr const char* kVerifyExamples = R"(Examples:
  loglink-agent verify --wait 60s                      in a collector's init container)";

constexpr const char* kExamples = R"(Examples:
  loglink-agent run --config /etc/loglink/agent.yaml
  loglink-agent run --from-file nodelinkset.yaml       without an API server
  loglink-agent apply -f nodelinkset.yaml --dry-run    what would be done, and why not
  loglink-agent apply --last                           in an init container, before collectors start
  loglink-agent status                                 on the node: which file has which link
  loglink-agent mount && loglink-agent mount --ready   in privileged init containers
  loglink-agent verify --wait 60s                      in a collector's init container

Exit codes: 0 done, 1 refused or failed, 2 wrong usage.)";

Expected<AgentConfig> read_config(const Flags& flags) {
  std::string text;
  if (!flags.config.empty()) {
    LOGLINK_ASSIGN_OR_RETURN(text, read_text_file(flags.config, limits::kFileBytes));
  }
  LOGLINK_ASSIGN_OR_RETURN(
      AgentConfig config,
      parse_agent_config(text, flags.config.empty() ? "defaults" : flags.config));
  const char* node_name = std::getenv("NODE_NAME");
  if (config.node_name.empty() && node_name != nullptr) config.node_name = node_name;
  if (!flags.log_level.empty()) config.log_level = flags.log_level;
  if (!flags.log_format.empty()) config.log_format = flags.log_format;
  return config;
}

Expected<void> run(const AgentConfig& config, const Flags& flags) {
  RunOptions options;
  options.config = config;
  options.from_file = flags.from_file;
  if (flags.from_file.empty()) {
    if (config.node_name.empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  "the node's name is not known: set NODE_NAME (spec.nodeName by the downward API) "
                  "or nodeName in the configuration");
    }
    LOGLINK_ASSIGN_OR_RETURN(options.access, load_cluster_access(flags.kubeconfig));
  }
  return run_agent(options);
}

MountAction mount_action(const Flags& flags) {
  if (flags.ready) return MountAction::kOpenGate;
  return flags.unmount ? MountAction::kUnmount : MountAction::kMount;
}

// Of the program and of each command, so that they may stand before the command or after it, and
// the command's own help has them.
void add_common(CLI::App& app, Flags& flags) {
  app.add_option("--config", flags.config, "Configuration file; without it, defaults")
      ->type_name("FILE");
  app.add_option("--log-level", flags.log_level, "Overrides logLevel of the configuration")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  app.add_option("--log-format", flags.log_format, "Overrides logFormat of the configuration")
      ->check(CLI::IsMember({"text", "json"}));
}

int finish(const Expected<void>& result) {
  if (result) return kDone;
  std::cerr << "loglink-agent: " << result.error().message << "\n";
  return kFailed;
}

int run_main(int argc, char** argv) {
  Flags flags;
  CLI::App app{"Keeps the symbolic links of this node to the log files of its pods.",
               "loglink-agent"};
  app.set_version_flag("--version", "loglink-agent " LOGLINK_VERSION);
  app.footer(kExamples);
  app.require_subcommand(0, 1);  // none is refused below: a misspelled one is better named
  app.fallthrough();
  app.failure_message([](const CLI::App* failed, const CLI::Error& error) {
    return "loglink-agent: " + CLI::FailureMessage::simple(failed, error);
  });
  add_common(app, flags);

  CLI::App* run_app = app.add_subcommand("run", "Keeps the links until it is told to stop");
  run_app->footer(kRunExamples);
  CLI::Option* kubeconfig =
      run_app
          ->add_option("--kubeconfig", flags.kubeconfig,
                       "Without it: $KUBECONFIG, the pod's service account, ~/.kube/config")
          ->type_name("FILE");
  run_app->add_option("--from-file", flags.from_file, "A NodeLinkSet, instead of an API server")
      ->type_name("FILE")
      ->excludes(kubeconfig);
  CLI::App* apply_app = app.add_subcommand("apply", "Makes the links of one NodeLinkSet, once");
  apply_app->footer(kApplyExamples);
  CLI::Option* file =
      apply_app->add_option("-f,--file", flags.file, "A NodeLinkSet, in YAML or JSON")
          ->type_name("FILE");
  apply_app->add_flag("--last", flags.last, "The one that the agent last had from the API server")
      ->excludes(file);
  apply_app->add_flag("--dry-run", flags.dry_run, "Only says what would be done");
  CLI::App* status_app =
      app.add_subcommand("status", "Shows which file has which link, and why not");
  status_app->footer(kStatusExamples);
  CLI::App* mount_app = app.add_subcommand("mount", "Makes the safe roots (privileged)");
  mount_app->footer(kMountExamples);
  CLI::Option* ready = mount_app->add_flag("--ready", flags.ready, "Opens the gate for collectors");
  mount_app->add_flag("--unmount", flags.unmount, "Takes the safe roots away")->excludes(ready);
  CLI::App* verify_app =
      app.add_subcommand("verify", "Checks that the safe roots are visible and safe here");
  verify_app->footer(kVerifyExamples);
  verify_app->add_option("--wait", flags.wait, "How long to wait for them, as 60s or 5m");

  for (CLI::App* command : {run_app, apply_app, status_app, mount_app, verify_app}) {
    add_common(*command, flags);
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  if (app.get_subcommands().empty()) {
    std::cerr << "loglink-agent: a subcommand is required\n" << app.help();
    return kUsage;
  }
  const auto wait = parse_duration(flags.wait);
  const bool lacks_set = apply_app->parsed() && flags.file.empty() && !flags.last;
  if (lacks_set || !wait) {
    std::cerr << "loglink-agent: "
              << (lacks_set ? std::string("apply needs -f FILE or --last")
                            : "--wait: " + wait.error().message)
              << "\n";
    return kUsage;
  }

  const auto config = read_config(flags);
  if (!config) return finish(tl::unexpected(config.error()));
  const auto logging = configure_logging(config->log_level, config->log_format);
  if (!logging) return finish(logging);
  if (run_app->parsed()) return finish(run(*config, flags));
  std::ostringstream out;
  const Expected<void> result = [&] {
    if (apply_app->parsed()) return apply_once(*config, {flags.file, flags.dry_run}, out);
    if (status_app->parsed()) return print_status(*config, out);
    if (mount_app->parsed()) return mount_roots(*config, mount_action(flags), out);
    return verify_roots(*config, !flags.config.empty(), *wait, out);
  }();
  std::fputs(out.str().c_str(), stdout);
  return finish(result);
}

}  // namespace
}  // namespace loglink

int main(int argc, char** argv) {
  try {
    return loglink::run_main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "loglink-agent: " << error.what() << "\n";
    return 1;
  }
}
