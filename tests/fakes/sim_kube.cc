#include "tests/fakes/sim_kube.h"

#include <algorithm>

#include "lib/codec/kube_json.h"

namespace loglink::fakes {
namespace {

KubeError transport_error(KubeErrorKind kind, const char* message) {
  KubeError error;
  error.kind = kind;
  error.message = message;
  return error;
}

std::optional<Duration> retry_after(const FakeResponse& response) {
  for (const auto& [name, value] : response.headers) {
    if (name == "Retry-After") return std::chrono::seconds(std::stoi(value));
  }
  return std::nullopt;
}

// Of the time that a request needs, this part is spent in the process.
constexpr int kInProcessShare = 4;

MonotonicTime later(MonotonicTime from, Duration by) {
  return by == Duration::max() ? MonotonicTime::never() : from + by;
}

}  // namespace

struct SimKubeClient::Stream {
  StreamId id = 0;
  StreamRequest request;
  StreamHandler* handler = nullptr;
  MonotonicTime opened;
  MonotonicTime last_byte;
  MonotonicTime due;  // of the next thing
  bool answered = false;
  bool stalled = false;
  bool body_ended = false;
  std::string pending;
  std::optional<FakeWatch> watch;
  std::optional<std::size_t> bytes_left;  // until a scripted fault strikes
  bool then_stall = false;

  [[nodiscard]] MonotonicTime timeout() const {
    const MonotonicTime silent =
        answered ? last_byte + request.idle_timeout : opened + request.header_timeout;
    return std::min(silent, later(opened, request.deadline));
  }
};

struct SimKubeClient::Exchange {
  std::uint64_t id = 0;
  UnaryRequest request;
  std::function<void(UnaryResult)> done;
  bool has_left = false;  // the process
  MonotonicTime sent;
  MonotonicTime due;
  std::optional<UnaryResult> result;  // set: the answer is on its way

  [[nodiscard]] MonotonicTime deadline() const { return sent + request.deadline; }
  // What is to be done next is done by the process.
  [[nodiscard]] bool is_at_home() const { return !has_left || result.has_value(); }
};

SimKubeClient::SimKubeClient(SimKube& sim, std::string token, const Clock& clock)
    : sim_(sim), token_(std::move(token)), authorization_("Bearer " + token_), clock_(clock) {}

SimKubeClient::~SimKubeClient() {
  auto& clients = sim_.clients_;
  clients.erase(std::find(clients.begin(), clients.end(), this));
}

StreamId SimKubeClient::open(StreamRequest request, StreamHandler& handler) {
  auto stream = std::make_unique<Stream>();
  stream->id = ++sim_.last_id_;
  stream->request = std::move(request);
  stream->handler = &handler;
  stream->opened = stream->last_byte = sim_.now_.monotonic;
  stream->due = sim_.now_.monotonic + sim_.delay();
  const StreamId id = stream->id;
  streams_.emplace(id, std::move(stream));
  return id;
}

void SimKubeClient::cancel(StreamId id) { streams_.erase(id); }

void SimKubeClient::send(UnaryRequest request, std::function<void(UnaryResult)> done) {
  auto exchange = std::make_unique<Exchange>();
  exchange->id = ++sim_.last_id_;
  exchange->request = std::move(request);
  exchange->done = std::move(done);
  exchange->sent = sim_.now_.monotonic;
  exchange->due = sim_.now_.monotonic + sim_.delay() / kInProcessShare;
  const std::uint64_t id = exchange->id;
  exchanges_.emplace(id, std::move(exchange));
}

void SimKubeClient::set_dead() {
  std::erase_if(exchanges_, [this](const auto& each) {
    return !each.second->has_left && (frozen_ || sim_.random_.below(2) == 0);
  });
  frozen_ = false;
}

SimKube::SimKube(FakeKubeOptions options, std::uint64_t seed, Now start)
    : server_(std::move(options)), random_(seed), now_(start) {}

SimKube::~SimKube() = default;

std::unique_ptr<SimKubeClient> SimKube::connect(const std::string& token, const Clock& clock) {
  std::unique_ptr<SimKubeClient> client(new SimKubeClient(*this, token, clock));
  clients_.push_back(client.get());
  return client;
}

bool SimKube::chance(unsigned per_mille) {
  return per_mille > 0 && random_.below(1000) < per_mille;
}

Duration SimKube::delay() {
  if (network_.delay_max.count() == 0) return Duration(0);
  return random_.between(Duration(0), network_.delay_max);
}

std::optional<FakeResponse> SimKube::random_refusal() {
  Fault fault;
  if (chance(network_.too_many)) {
    fault.status = 429;
    if (random_.below(2) == 0) fault.retry_after_seconds = static_cast<int>(1 + random_.below(3));
    return fault_answer(fault);
  }
  if (chance(network_.server_error)) {
    static constexpr int kStatuses[] = {500, 503, 504};
    fault.status = kStatuses[random_.below(3)];
    return fault_answer(fault);
  }
  return std::nullopt;
}

// Whether the stream has something to do now. Draws from its watch.
bool SimKube::stream_due(const SimKubeClient& client, SimKubeClient::Stream& stream) {
  if (now_.monotonic >= stream.timeout() || client.link_ == SimLink::kRefused) return true;
  if (stream.stalled || client.link_ != SimLink::kUp) return false;
  if (!stream.answered) return now_.monotonic >= stream.due;
  if (stream.watch && !stream.body_ended) {
    FakeKube::Pulled pulled = server_.pull(*stream.watch, now_);
    if (stream.pending.empty() && (!pulled.bytes.empty() || pulled.ended)) {
      stream.due = now_.monotonic + delay();
    }
    stream.pending += pulled.bytes;
    stream.body_ended = pulled.ended;
  }
  const bool something = !stream.pending.empty() || stream.body_ended;
  return something && now_.monotonic >= stream.due;
}

void SimKube::end_stream(SimKubeClient& client, SimKubeClient::Stream& stream,
                         std::optional<KubeError> error) {
  StreamHandler* handler = stream.handler;
  client.streams_.erase(stream.id);
  handler->on_end(std::move(error));
}

void SimKube::stream_step(SimKubeClient& client, SimKubeClient::Stream& stream) {
  if (now_.monotonic >= stream.timeout()) {
    const bool deadline = now_.monotonic >= later(stream.opened, stream.request.deadline);
    end_stream(client, stream,
               transport_error(deadline ? KubeErrorKind::kDeadline : KubeErrorKind::kIdleTimeout,
                               "nothing came in time"));
  } else if (client.link_ == SimLink::kRefused) {
    end_stream(
        client, stream,
        transport_error(stream.answered ? KubeErrorKind::kTruncated : KubeErrorKind::kRefused,
                        "refused"));
  } else if (!stream.answered) {
    stream_head(client, stream);
  } else {
    stream_piece(client, stream);
  }
}

void SimKube::stream_head(SimKubeClient& client, SimKubeClient::Stream& stream) {
  FakeRequest request;
  request.method = "GET";
  request.target = stream.request.target;
  request.accept = stream.request.accept;
  request.authorization = client.authorization_;
  ++counts_.requests;
  ++counts_.streams;
  const std::optional<Fault> fault = faults_.take(request);
  if ((fault && fault->refuse) || (!fault && chance(network_.refuse))) {
    return end_stream(client, stream, transport_error(KubeErrorKind::kRefused, "refused"));
  }
  if (fault && fault->stall_after_bytes) {
    stream.bytes_left = fault->stall_after_bytes;
    stream.then_stall = true;
  }
  if (fault && fault->cut_after_bytes) stream.bytes_left = fault->cut_after_bytes;
  std::optional<FakeResponse> response = random_refusal();
  if (fault && fault->status != 0) response = fault_answer(*fault);
  if (!response && FakeKube::is_watch(request)) {
    auto opened = server_.open_watch(request, now_);
    if (auto* watch = std::get_if<FakeWatch>(&opened)) {
      response = FakeResponse{};
      response->content_type = watch->content_type();
      stream.watch = std::move(*watch);
    } else {
      response = std::get<FakeResponse>(std::move(opened));
    }
  }
  if (!response) response = server_.handle(request, now_);
  stream.answered = true;
  stream.last_byte = now_.monotonic;
  stream.due = now_.monotonic + delay();
  stream.pending = response->body;
  stream.body_ended = !stream.watch;
  StreamHead head;
  head.status = response->status;
  head.content_type = response->content_type;
  head.retry_after = retry_after(*response);
  stream.handler->on_head(head);
}

void SimKube::stream_piece(SimKubeClient& client, SimKubeClient::Stream& stream) {
  const StreamId id = stream.id;
  if (chance(network_.stall)) {
    stream.stalled = true;
    return;
  }
  std::size_t size = stream.pending.size();
  bool cut = chance(network_.cut);
  if (size > 1 && (cut || chance(network_.split))) size = 1 + random_.below(size - 1);
  if (stream.bytes_left) {
    size = std::min(size, *stream.bytes_left);
    *stream.bytes_left -= size;
    if (*stream.bytes_left == 0) {
      stream.stalled = stream.then_stall;
      cut = cut || !stream.then_stall;
    }
  }
  const std::string piece = stream.pending.substr(0, size);
  stream.pending.erase(0, size);
  stream.last_byte = now_.monotonic;
  stream.due = now_.monotonic + delay();
  const bool whole = stream.pending.empty() && stream.body_ended && !stream.stalled;
  if (!piece.empty()) stream.handler->on_data(piece);
  // The handler may have cancelled it.
  const auto still = client.streams_.find(id);
  if (still == client.streams_.end()) return;
  if (cut) {
    end_stream(client, *still->second,
               transport_error(KubeErrorKind::kTruncated, "the connection ended inside an answer"));
  } else if (whole) {
    end_stream(client, *still->second, std::nullopt);
  }
}

FakeResponse SimKube::handle(const SimKubeClient& client, const UnaryRequest& asked,
                             const FakeRequest& request) {
  FakeResponse response = server_.handle(request, now_);
  if (after_request_) after_request_(client.token_, asked, response);
  return response;
}

UnaryResult SimKube::perform(SimKubeClient& client, SimKubeClient::Exchange& exchange) {
  const UnaryRequest& asked = exchange.request;
  FakeRequest request;
  request.method = to_string(asked.method);
  request.target = asked.target;
  request.accept = "application/json";
  request.content_type = asked.content_type;
  request.authorization = client.authorization_;
  request.body = asked.body;
  ++counts_.requests;
  const std::optional<Fault> fault = faults_.take(request);
  if ((fault && fault->refuse) || (!fault && chance(network_.refuse))) {
    return tl::unexpected(transport_error(KubeErrorKind::kRefused, "refused"));
  }
  std::optional<FakeResponse> response = random_refusal();
  if (fault && fault->status != 0) response = fault_answer(*fault);
  if (!response) {
    const std::uint64_t before = server_.resource_version();
    response = handle(client, asked, request);
    if (asked.method != Method::kGet && chance(network_.send_twice)) {
      response = handle(client, asked, request);
    }
    if (server_.resource_version() != before) ++counts_.writes;
    if ((fault && fault->lose_answer) || chance(network_.lose_answer)) {
      return tl::unexpected(
          transport_error(KubeErrorKind::kTruncated, "the connection ended before the answer"));
    }
  }
  if (response->status >= 200 && response->status < 300) {
    return UnaryResponse{response->status, response->body};
  }
  KubeError error = decode_error(response->status, response->content_type, response->body);
  if (const auto wait = retry_after(*response)) error.retry_after = wait;
  return tl::unexpected(std::move(error));
}

// The last thing that the process does: whether it still may.
void SimKube::leave(const SimKubeClient& client, SimKubeClient::Exchange& exchange) {
  exchange.has_left = true;
  exchange.sent = now_.monotonic;
  if (client.clock_.now().monotonic > exchange.request.not_after) {
    exchange.result =
        tl::unexpected(transport_error(KubeErrorKind::kCancelled, "the right to write ended"));
    exchange.due = now_.monotonic;
    return;
  }
  exchange.due = now_.monotonic + delay();
}

void SimKube::arrive(SimKubeClient& client, SimKubeClient::Exchange& exchange) {
  exchange.due = now_.monotonic + delay();
  if (client.link_ == SimLink::kRefused) {
    exchange.result = tl::unexpected(transport_error(KubeErrorKind::kRefused, "refused"));
    return;
  }
  if (client.link_ != SimLink::kSilent) exchange.result = perform(client, exchange);
  const bool is_lost = client.link_ != SimLink::kUp;
  if (is_lost || exchange.due > exchange.deadline()) {
    exchange.due = std::max(exchange.deadline(), now_.monotonic);
    exchange.result = tl::unexpected(transport_error(KubeErrorKind::kDeadline, "too late"));
  }
}

void SimKube::exchange_step(SimKubeClient& client, SimKubeClient::Exchange& exchange) {
  if (!exchange.has_left) return leave(client, exchange);
  if (!exchange.result) return arrive(client, exchange);
  // An answer that was on its way when the link broke.
  if (client.link_ != SimLink::kUp && *exchange.result && now_.monotonic < exchange.deadline()) {
    exchange.due = exchange.deadline();
    exchange.result = tl::unexpected(transport_error(KubeErrorKind::kDeadline, "too late"));
    return;
  }
  const auto done = std::move(exchange.done);
  UnaryResult result = *std::move(exchange.result);
  client.exchanges_.erase(exchange.id);
  done(std::move(result));
}

bool SimKube::step(Now now) {
  now_ = now;
  std::vector<std::function<void()>> due;
  for (SimKubeClient* client : clients_) {
    for (auto& [id, stream] : client->streams_) {
      if (client->frozen_ || !stream_due(*client, *stream)) continue;
      due.push_back([this, client, one = stream.get()] { stream_step(*client, *one); });
    }
    for (auto& [id, exchange] : client->exchanges_) {
      if (now_.monotonic < exchange->due) continue;
      if (client->frozen_ && exchange->is_at_home()) continue;
      due.push_back([this, client, one = exchange.get()] { exchange_step(*client, *one); });
    }
  }
  if (due.empty()) return false;
  due[random_.below(due.size())]();
  return true;
}

MonotonicTime SimKube::next_due() const {
  MonotonicTime next = MonotonicTime::never();
  for (const SimKubeClient* client : clients_) {
    for (const auto& [id, stream] : client->streams_) {
      if (client->frozen_) break;
      next = std::min(next, stream->timeout());
      if (stream->stalled || client->link_ != SimLink::kUp) continue;
      const bool waits = !stream->answered || !stream->pending.empty() || stream->body_ended;
      if (waits) next = std::min(next, stream->due);
      if (!waits && stream->watch) next = std::min(next, stream->watch->next_wake());
    }
    for (const auto& [id, exchange] : client->exchanges_) {
      if (client->frozen_ && exchange->is_at_home()) continue;
      next = std::min(next, exchange->due);
    }
  }
  return next;
}

}  // namespace loglink::fakes
