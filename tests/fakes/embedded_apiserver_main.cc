// loglink-embedded-apiserver: the fake API server as a program, for tests of the real binaries and
// for the demo. Not for production.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "tests/fakes/embedded_server.h"

namespace {

// SIGTERM and SIGINT are taken by main alone; must run before threads are started.
sigset_t block_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

}  // namespace

int main(int argc, char** argv) {
  namespace fakes = loglink::fakes;
  CLI::App app(
      "An in-memory Kubernetes API server: a test and demo program, not for production.\n"
      "It keeps everything in memory and forgets it at the end.",
      "loglink-embedded-apiserver");
  app.footer(
      "It writes DIR/kubeconfig, says on standard output where it listens, and runs until "
      "SIGTERM.\n"
      "It serves pods, nodes, namespaces, leases, events and nodelinksets, with watches, label and "
      "field selectors,\ntables for kubectl and the pods/status and nodelinksets/status "
      "subresources. Nothing runs the pods:\nno scheduler, no kubelet, no admission plugins.\n\n"
      "Examples:\n"
      "  loglink-embedded-apiserver --dir /tmp/api\n\n"
      "Exit codes: 0 done, 1 failed (the message is on stderr), 2 wrong usage.");
  app.failure_message([](const CLI::App* failed, const CLI::Error& error) {
    return "loglink-embedded-apiserver: " + CLI::FailureMessage::simple(failed, error);
  });
  fakes::EmbeddedServerOptions options;
  std::string directory;
  bool plain = false;
  bool without_crd = false;
  bool without_watch_list = false;
  bool without_protobuf = false;
  bool keep_deleted_pods = false;
  app.add_option("--dir", directory, "Directory for kubeconfig, token and ca.crt")->required();
  app.add_option("--port", options.port, "Port on 127.0.0.1; 0 takes a free one")
      ->check(CLI::Range(0, 65535));
  app.add_option("--token", options.kube.admin_token, "Bearer token that may do everything");
  app.add_option("--seed", options.kube.seed, "Seed of the uids");
  app.add_flag("--plain", plain, "HTTP without TLS");
  app.add_flag("--without-crd", without_crd, "Do not define NodeLinkSets");
  app.add_flag("--without-watch-list", without_watch_list, "Refuse sendInitialEvents");
  app.add_flag("--without-protobuf", without_protobuf, "Answer in JSON only");
  app.add_flag("--keep-deleted-pods", keep_deleted_pods,
               "Deleted pods stay, terminating, until the control endpoint says finish-pod");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.tls = !plain;
  options.kube.install_crd = !without_crd;
  options.kube.watch_list = !without_watch_list;
  options.kube.protobuf = !without_protobuf;
  if (keep_deleted_pods) options.kube.pod_deletion = fakes::PodDeletion::kWhenFinished;

  const sigset_t signals = block_stop_signals();
  std::signal(SIGPIPE, SIG_IGN);
  auto server = fakes::EmbeddedServer::start(options);
  if (!server) {
    std::fprintf(stderr, "loglink-embedded-apiserver: %s\n", server.error().message.c_str());
    return 1;
  }
  const auto written = fakes::write_access_files(**server, options.kube.admin_token, directory);
  if (!written) {
    std::fprintf(stderr, "loglink-embedded-apiserver: %s\n", written.error().message.c_str());
    return 1;
  }
  std::fprintf(stderr, "loglink-embedded-apiserver: a test and demo program, not for production\n");
  std::printf("listening on %s kubeconfig %s/kubeconfig\n", (*server)->url().c_str(),
              directory.c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  return 0;
}
