// A name with two addresses, of which the first swallows what is sent to it. A program of its own:
// it stands between Asio and the C library's resolver.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "lib/io/http_clients.h"
#include "tests/integration/lib_io/client_harness.h"

namespace {

constexpr const char* kName = "two-addresses.test";
constexpr const char* kDead = "127.0.0.2";
constexpr const char* kLive = "127.0.0.1";

}  // namespace

extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints,
                           addrinfo** results) {
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto kReal = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getaddrinfo"));
  if (name == nullptr || std::strcmp(name, kName) != 0) {
    return kReal(name, service, hints, results);
  }
  if (const int error = kReal(kDead, service, hints, results); error != 0) return error;
  return kReal(kLive, service, hints, &(*results)->ai_next);
}

namespace loglink::testing {
namespace {

// Listens, and takes no connection: its backlog is full.
class DeadListener {
 public:
  explicit DeadListener(std::uint16_t port) {
    address_.sin_family = AF_INET;
    address_.sin_port = htons(port);
    inet_pton(AF_INET, kDead, &address_.sin_addr);
    const int listener = add(0);
    if (bind(listener, address(), sizeof address_) != 0 || listen(listener, 0) != 0) return;
    // A kernel may take one or two more than it was told. What does not fit waits, and says so.
    for (int i = 0; i < 4; ++i) {
      if (::connect(add(SOCK_NONBLOCK), address(), sizeof address_) != 0 && errno != EINPROGRESS) {
        return;
      }
    }
    listens_ = true;
  }
  ~DeadListener() {
    for (const int fd : descriptors_) close(fd);
  }
  DeadListener(const DeadListener&) = delete;
  DeadListener& operator=(const DeadListener&) = delete;

  [[nodiscard]] bool listens() const { return listens_; }

 private:
  int add(int flags) {
    return descriptors_.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  }
  [[nodiscard]] const sockaddr* address() const {
    return reinterpret_cast<const sockaddr*>(&address_);
  }

  sockaddr_in address_{};
  std::vector<int> descriptors_;
  bool listens_ = false;
};

TEST(TwoAddressesTest, ADeadOneDoesNotKeepTheOtherFromBeingTried) {
  ScriptedServer server(ServerOptions{}, [](ServerConnection& connection) {
    while (connection.read_request()) connection.answer(200, "{}");
  });
  const DeadListener dead(server.port());
  ASSERT_TRUE(dead.listens());
  ClusterAccess access = access_to(server.port(), std::make_shared<TestCredentials>(), false);
  access.endpoint.host = kName;
  LoopThread thread;
  std::unique_ptr<UnaryClient> client;
  std::promise<UnaryResult> answered;
  thread.call([&] {
    client = make_beast_unary_client(thread.loop(), access, "t");
    UnaryRequest request;
    request.target = "/api/v1/nodes/n1";
    request.deadline = std::chrono::seconds(4);
    client->send(request, [&](UnaryResult result) { answered.set_value(std::move(result)); });
  });
  const UnaryResult result = answered.get_future().get();
  EXPECT_TRUE(result) << result.error().message;
  thread.call([&] { client.reset(); });
}

}  // namespace
}  // namespace loglink::testing
