#include "tests/bench/pod_stream_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <thread>
#include <utility>

namespace loglink::bench {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Stream = asio::ssl::stream<tcp::socket>;

// What the program writes at once; a TLS record holds at most 16 KiB of it.
constexpr std::size_t kBatchBytes = 64 * 1024;

constexpr char kObjectsEnd[] =
    R"({"type":"BOOKMARK","object":{"apiVersion":"loglink.io/v1alpha1","kind":"NodeLinkSet",)"
    R"("metadata":{"annotations":{"k8s.io/initial-events-end":"true"},"creationTimestamp":null,)"
    R"("name":"","resourceVersion":"1000000"},"spec":{}}})"
    "\n";
constexpr char kLease[] =
    R"({"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":)"
    R"("loglink-controller","namespace":"loglink-system","uid":"0","resourceVersion":"1"},)"
    R"("spec":{"holderIdentity":"bench","leaseDurationSeconds":3600,)"
    R"("acquireTime":"2026-10-14T09:12:44.000000Z","renewTime":"2026-10-14T09:12:44.000000Z"}})";

// Each event is a chunk of its own, as the real server sends them.
void append_chunk(std::string& out, const std::string& bytes) {
  char size[32];
  const int length = std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  out.append(size, static_cast<std::size_t>(length));
  out += bytes;
  out += "\r\n";
}

std::string watch_head(const std::string& content_type) {
  return "HTTP/1.1 200 OK\r\nContent-Type: " + content_type +
         "\r\nTransfer-Encoding: chunked\r\n\r\n";
}

}  // namespace

struct PodStreamServer::Implementation {
  RealCluster::Frames frames;
  int pods = 0;
  asio::io_context io;
  asio::ssl::context tls{asio::ssl::context::tls_server};
  tcp::acceptor acceptor{io};

  void send_pods(Stream& stream) const {
    std::string out = watch_head("application/vnd.kubernetes.protobuf;stream=watch");
    error_code error;
    for (int serial = 0; serial < pods && !error; ++serial) {
      append_chunk(out, (is_annotated(serial) ? frames.annotated : frames.plain).cast(serial));
      if (out.size() < kBatchBytes) continue;
      asio::write(stream, asio::buffer(out), error);
      out.clear();
    }
    append_chunk(out, frames.bookmark);
    if (!error) asio::write(stream, asio::buffer(out), error);
  }

  // Until the client goes away.
  void serve(tcp::socket socket) {
    error_code error;
    socket.set_option(tcp::no_delay(true), error);
    Stream stream(std::move(socket), tls);
    stream.handshake(asio::ssl::stream_base::server, error);
    std::string request;
    while (!error) {
      const std::size_t size =
          asio::read_until(stream, asio::dynamic_buffer(request), "\r\n\r\n", error);
      if (error) return;
      const std::string line = request.substr(0, request.find("\r\n"));
      request.erase(0, size);
      if (line.rfind("GET /api/v1/pods?", 0) == 0) {
        send_pods(stream);
      } else if (line.rfind("GET /apis/loglink.io/", 0) == 0) {
        std::string out = watch_head("application/json;stream=watch");
        append_chunk(out, kObjectsEnd);
        asio::write(stream, asio::buffer(out), error);
      } else {
        const std::string out = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" +
                                ("Content-Length: " + std::to_string(sizeof kLease - 1)) +
                                "\r\n\r\n" + kLease;
        asio::write(stream, asio::buffer(out), error);
      }
    }
  }

  void accept_all() {
    for (;;) {
      error_code error;
      tcp::socket socket = acceptor.accept(io, error);
      if (error) return;
      // Ends with its client; the programs that connect are ended before the bench is.
      std::thread([this, taken = std::move(socket)]() mutable noexcept {
        serve(std::move(taken));
      }).detach();
    }
  }
};

PodStreamServer::PodStreamServer(RealCluster::Frames frames, int pods, const std::string& pki)
    : implementation_(std::make_shared<Implementation>()) {
  Implementation& server = *implementation_;
  server.frames = std::move(frames);
  server.pods = pods;
  server.tls.use_certificate_chain_file(pki + "/apiserver.crt");
  server.tls.use_private_key_file(pki + "/apiserver.key", asio::ssl::context::pem);
  server.acceptor.open(tcp::v4());
  server.acceptor.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  server.acceptor.listen();
  // It lives as long as the program: nothing can end a blocking accept cleanly.
  std::thread([keep = implementation_]() noexcept { keep->accept_all(); }).detach();
}

PodStreamServer::~PodStreamServer() = default;

std::string PodStreamServer::url() const {
  return "https://127.0.0.1:" + std::to_string(implementation_->acceptor.local_endpoint().port());
}

}  // namespace loglink::bench
