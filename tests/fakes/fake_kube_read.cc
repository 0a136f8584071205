// GET, LIST and WATCH.
#include <algorithm>

#include "tests/fakes/fake_kube_state.h"
#include "tests/fakes/kube_status.h"
#include "tests/fakes/kube_table.h"

namespace loglink::fakes {
namespace {

constexpr char kListTooOld[] = "The resourceVersion for the provided list is too old.";
constexpr char kContinueTooOld[] =
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without the continue parameter, or use the continue token in this response "
    "to retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list.";

std::optional<std::uint64_t> parse_number(const std::string& text) {
  if (text.empty() || text.size() > 19 ||
      !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  return std::stoull(text);
}

std::string unparsed(const std::string& function, const std::string& text) {
  return "strconv." + function + ": parsing " + dump(text) + ": invalid syntax";
}

// A continue token is opaque to clients: hexadecimal of the version and the next key.
struct Continue {
  std::int64_t version = 0;  // -1: go on at whatever is there now
  std::string start;         // first key of the page
};

std::string encode_continue(const Continue& token) {
  static constexpr char kDigits[] = "0123456789abcdef";
  const std::string plain =
      dump({{"v", "meta.k8s.io/v1"}, {"rv", token.version}, {"start", token.start}});
  std::string text;
  for (const char c : plain) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<Continue> decode_continue(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    const std::string digits = "0123456789abcdef";
    const std::size_t high = digits.find(text[i]);
    const std::size_t low = digits.find(text[i + 1]);
    if (high == std::string::npos || low == std::string::npos) return std::nullopt;
    plain += static_cast<char>(high * 16 + low);
  }
  const Json token = Json::parse(plain, nullptr, false);
  if (!token.is_object() || !at_path(token, "/rv").is_number_integer()) return std::nullopt;
  return Continue{at_path(token, "/rv").get<std::int64_t>(), text_at(token, "/start")};
}

// The parameters that say of when a list is to be.
struct ListOptions {
  std::optional<std::uint64_t> version;
  std::string match;
  std::optional<Continue> token;
  std::size_t limit = 0;  // 0: none
};

std::optional<FakeResponse> check_match(const Query& query) {
  const std::string match = parameter(query, "resourceVersionMatch");
  if (match.empty()) return std::nullopt;
  const std::string version = parameter(query, "resourceVersion");
  const std::string field = "resourceVersionMatch";
  if (!parameter(query, "continue").empty()) {
    return invalid_list_options(
        {cause_forbidden(field, "resourceVersionMatch is forbidden for continue")});
  }
  if (version.empty()) {
    return invalid_list_options({cause_forbidden(
        field, "resourceVersionMatch is forbidden unless resourceVersion is provided")});
  }
  if (match != "Exact" && match != "NotOlderThan") {
    return invalid_list_options({{"FieldValueNotSupported",
                                  "Unsupported value: " + dump(match) +
                                      ": supported values: \"Exact\", \"NotOlderThan\", \"\"",
                                  field}});
  }
  if (match == "Exact" && version == "0") {
    return invalid_list_options({cause_forbidden(
        field, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"")});
  }
  return std::nullopt;
}

std::variant<ListOptions, FakeResponse> parse_list_options(const Query& query) {
  if (auto refusal = check_match(query)) return *refusal;
  ListOptions options;
  options.match = parameter(query, "resourceVersionMatch");
  const std::string limit = parameter(query, "limit");
  if (!limit.empty()) {
    if (!parse_number(limit)) return bad_request(unparsed("ParseInt", limit));
    options.limit = *parse_number(limit);
  }
  const std::string token = parameter(query, "continue");
  const std::string version = parameter(query, "resourceVersion");
  if (!token.empty()) {
    options.token = decode_continue(token);
    if (!options.token) {
      return bad_request("invalid continue token: continue key is not valid");
    }
    if (!version.empty() && version != "0") {
      return bad_request("specifying resource version is not allowed when using continue");
    }
    return options;
  }
  if (!version.empty()) {
    options.version = parse_number(version);
    if (!options.version) {
      return bad_request("invalid resource version: resourceVersion: Invalid value: " +
                         dump(version) + ": " + unparsed("ParseUint", version));
    }
    // Served from the watch cache, which does not page.
    if (*options.version == 0) options.limit = 0;
  }
  return options;
}

std::optional<FakeResponse> check_watch_options(const Query& query, bool watch_list_enabled) {
  const bool initial = query.count("sendInitialEvents") != 0;
  const std::string match = parameter(query, "resourceVersionMatch");
  if (initial && !watch_list_enabled) {
    return invalid_list_options({cause_forbidden(
        "sendInitialEvents",
        "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled")});
  }
  if (initial && match != "NotOlderThan") {
    std::vector<StatusCause> causes = {
        cause_forbidden("resourceVersionMatch",
                        "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")};
    if (!match.empty()) {
      causes.push_back(
          {"FieldValueNotSupported",
           "Unsupported value: " + dump(match) + ": supported values: \"NotOlderThan\"",
           "resourceVersionMatch"});
    }
    return invalid_list_options(causes);
  }
  if (!initial && !match.empty()) {
    return invalid_list_options({cause_forbidden(
        "resourceVersionMatch",
        "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")});
  }
  return std::nullopt;
}

std::string event_line(const char* type, const std::string& object) {
  return std::string("{\"type\":\"") + type + "\",\"object\":" + object + "}\n";
}

bool in_namespace(const std::string& key, const std::string& namespace_name) {
  return namespace_name.empty() || key.rfind(namespace_name + "/", 0) == 0;
}

std::string list_head(const KubeType& type, const std::string& version, const std::string& token,
                      std::optional<std::size_t> remaining) {
  Json metadata = {{"resourceVersion", version}};
  if (!token.empty() || type.custom) metadata["continue"] = token;
  if (remaining) metadata["remainingItemCount"] = *remaining;
  return "{\"kind\":\"" + type.kind + "List\",\"apiVersion\":\"" + type.api_version() +
         "\",\"metadata\":" + dump(metadata) + ",\"items\":[";
}

// List items of built-in types have neither kind nor apiVersion.
std::string item_text(const KubeType& type, const KubeObject& object) {
  if (type.plural == "events" && type.group.empty()) {
    Json view = object_view(type, object.value());
    view.erase("kind");
    view.erase("apiVersion");
    return dump(view);
  }
  return object.text();
}

}  // namespace

Json object_view(const KubeType& type, const Json& value) {
  if (type.custom) return value;
  Json view = value;
  view["kind"] = type.kind;
  view["apiVersion"] = type.api_version();
  if (type.plural != "events" || !type.group.empty()) return view;
  const std::map<std::string, std::string> renamed = {
      {"regarding", "involvedObject"},
      {"note", "message"},
      {"reportingController", "reportingComponent"},
      {"deprecatedSource", "source"},
      {"deprecatedFirstTimestamp", "firstTimestamp"},
      {"deprecatedLastTimestamp", "lastTimestamp"},
      {"deprecatedCount", "count"}};
  for (const auto& [now, then] : renamed) {
    if (!view.contains(now)) continue;
    view[then] = view[now];
    view.erase(now);
  }
  return view;
}

std::string object_text(const KubeType& type, const KubeObject& object) {
  if (type.custom) return object.text();
  if (type.plural == "events" && type.group.empty()) return dump(object_view(type, object.value()));
  return "{\"kind\":\"" + type.kind + "\",\"apiVersion\":\"" + type.api_version() + "\"," +
         object.text().substr(1);
}

const Json& FakeKube::Implementation::columns() const {
  const ObjectPtr crd = store.find("customresourcedefinitions", "nodelinksets.loglink.io");
  static const Json none;
  if (crd == nullptr) return none;
  return crd->value().at("spec").at("versions").at(0).at("additionalPrinterColumns");
}

FakeResponse FakeKube::Implementation::answer(const Call& call, int status,
                                              const KubeObject& object) const {
  FakeResponse response;
  response.status = status;
  if (call.as_table) {
    const Json view = object_view(*call.type, object.value());
    response.body = dump(make_table(*call.type, columns(), {&view},
                                    std::to_string(object.version()), call.now.wall));
  } else {
    response.body = object_text(*call.type, object);
  }
  response.body += "\n";
  return response;
}

FakeResponse FakeKube::Implementation::get(const Call& call) const {
  const ObjectPtr found = store.find(call.type->plural, call.key());
  if (found == nullptr) return not_found(*call.type, call.route.name);
  return answer(call, 200, *found);
}

FakeResponse FakeKube::Implementation::list(const Call& call) const {
  const KubeType& type = *call.type;
  auto selector = parse_selector(type, parameter(call.route.query, "labelSelector"),
                                 parameter(call.route.query, "fieldSelector"));
  if (!selector) return bad_request(selector.error());
  auto parsed = parse_list_options(call.route.query);
  if (auto* refusal = std::get_if<FakeResponse>(&parsed)) return *refusal;
  const ListOptions& asked_for = std::get<ListOptions>(parsed);

  std::uint64_t version = store.version();
  const bool exact = asked_for.match == "Exact" ||
                     (asked_for.match.empty() && asked_for.limit > 0 && asked_for.version);
  if (asked_for.version && *asked_for.version > version) {
    FakeResponse response = json_response(504, too_large_version(*asked_for.version, version));
    response.headers.emplace_back("Retry-After", "1");
    return response;
  }
  if (asked_for.version && exact) {
    if (*asked_for.version < store.oldest(type.plural)) {
      return status_response(410, "Expired", kListTooOld);
    }
    version = *asked_for.version;
  }
  if (asked_for.token && asked_for.token->version >= 0) {
    const auto asked = static_cast<std::uint64_t>(asked_for.token->version);
    if (asked > version) return json_response(504, too_large_version(asked, version));
    if (asked <= continue_floor || asked < store.oldest(type.plural)) {
      Json expired = status_object(410, "Expired", kContinueTooOld);
      expired["metadata"]["continue"] = encode_continue({-1, asked_for.token->start});
      return json_response(410, expired);
    }
    version = asked;
  }

  const KubeStore::Objects objects = version == store.version()
                                         ? store.objects(type.plural)
                                         : store.objects_at(type.plural, version);
  std::vector<ObjectPtr> page;
  std::string next;
  std::size_t remaining = 0;
  auto entry = asked_for.token ? objects.lower_bound(asked_for.token->start) : objects.begin();
  for (; entry != objects.end(); ++entry) {
    if (!in_namespace(entry->first, call.route.namespace_name)) continue;
    if (!selector->matches(entry->second->value())) continue;
    if (asked_for.limit == 0 || page.size() < asked_for.limit) {
      page.push_back(entry->second);
      continue;
    }
    if (remaining == 0) next = entry->first;
    ++remaining;
  }
  const std::string version_text = std::to_string(version);
  if (call.as_table) {
    std::vector<Json> views;
    for (const ObjectPtr& object : page) views.push_back(object_view(type, object->value()));
    std::vector<const Json*> pointers;
    for (const Json& view : views) pointers.push_back(&view);
    return json_response(200, make_table(type, columns(), pointers, version_text, call.now.wall));
  }
  const std::string token =
      next.empty() ? "" : encode_continue({static_cast<std::int64_t>(version), next});
  const bool counted = !next.empty() && selector->labels.empty() && selector->fields.empty();
  FakeResponse response;
  response.body = list_head(type, version_text, token,
                            counted ? std::optional<std::size_t>(remaining) : std::nullopt);
  for (std::size_t i = 0; i < page.size(); ++i) {
    if (i > 0) response.body += ",";
    response.body += item_text(type, *page[i]);
  }
  response.body += "]}\n";
  return response;
}

std::variant<FakeWatch, FakeResponse> FakeKube::Implementation::open_watch(
    const FakeRequest& request, Now now) {
  const Route route = parse_target(request.target);
  if (auto refusal = refuse(request, route, find_type(route.group, route.version, route.plural))) {
    return *refusal;
  }
  auto resolved = resolve(route);
  if (auto* refusal = std::get_if<FakeResponse>(&resolved)) return *refusal;
  if (!route.name.empty()) return method_not_allowed();
  auto state = std::make_unique<FakeWatch::State>();
  state->type = std::get<const KubeType*>(resolved);
  state->namespace_name = route.namespace_name;
  state->as_table = request.accept.find("as=Table") != std::string::npos;
  auto selector = parse_selector(*state->type, parameter(route.query, "labelSelector"),
                                 parameter(route.query, "fieldSelector"));
  if (!selector) return bad_request(selector.error());
  state->selector = *std::move(selector);
  if (auto refusal = check_watch_options(route.query, options.watch_list)) return *refusal;
  const std::string version_text = parameter(route.query, "resourceVersion");
  const auto asked = parse_number(version_text);
  if (!version_text.empty() && !asked) {
    return internal_error("resourceVersion: Invalid value: " + dump(version_text) + ": " +
                          unparsed("ParseUint", version_text));
  }

  const std::string bookmarks = parameter(route.query, "allowWatchBookmarks");
  state->bookmarks = bookmarks == "true" || bookmarks == "1";
  if (state->bookmarks) state->next_bookmark = now.monotonic + options.bookmark_period;
  const auto timeout = parse_number(parameter(route.query, "timeoutSeconds"));
  constexpr std::uint64_t kDefaultTimeoutSeconds = 2400;
  state->deadline =
      now.monotonic +
      std::chrono::seconds(timeout && *timeout > 0 ? *timeout : kDefaultTimeoutSeconds);
  state->drops_seen = drops;
  state->bookmarks_seen = bookmark_calls;
  state->after = store.version();

  const std::uint64_t oldest = store.oldest(state->type->plural);
  const std::string initial = parameter(route.query, "sendInitialEvents");
  if (initial == "true" || initial == "1") {
    if (asked && *asked > store.version()) {
      state->pending = event_line("ERROR", dump(too_large_version(*asked, store.version())));
      state->ended = true;
      return FakeWatch(std::move(state));
    }
    tell_initial(*state, now);
    if (state->bookmarks) append_bookmark(*state, true, state->pending);
  } else if (!asked || *asked == 0) {
    tell_initial(*state, now);
  } else if (*asked < oldest) {
    state->pending = event_line("ERROR", dump(too_old_version(*asked, oldest)));
    state->ended = true;
  } else {
    state->after = *asked;
  }
  return FakeWatch(std::move(state));
}

void FakeKube::Implementation::tell_initial(FakeWatch::State& watch, Now now) const {
  for (const auto& [key, object] : store.objects(watch.type->plural)) {
    if (!in_namespace(key, watch.namespace_name)) continue;
    if (!watch.selector.matches(object->value())) continue;
    append_line(watch, "ADDED", *object, now, watch.pending);
  }
}

void FakeKube::Implementation::append_line(const FakeWatch::State& watch, const char* type,
                                           const KubeObject& object, Now now,
                                           std::string& out) const {
  if (!watch.as_table) {
    out += event_line(type, object_text(*watch.type, object));
    return;
  }
  const Json view = object_view(*watch.type, object.value());
  out += event_line(type, dump(make_table(*watch.type, columns(), {&view},
                                          std::to_string(object.version()), now.wall)));
}

void FakeKube::Implementation::append_bookmark(const FakeWatch::State& watch,
                                               bool initial_events_end, std::string& out) const {
  Json metadata = {{"resourceVersion", std::to_string(store.version())}};
  if (initial_events_end) metadata["annotations"] = {{"k8s.io/initial-events-end", "true"}};
  const KubeType& type = *watch.type;
  if (watch.as_table) {
    Json table = make_table(type, columns(), {}, std::to_string(store.version()), {}, false);
    out += event_line("BOOKMARK", dump(table));
    return;
  }
  std::string rest;
  if (type.plural == "pods") rest = ",\"spec\":{\"containers\":null},\"status\":{}";
  if (type.plural == "nodes" || type.plural == "namespaces") rest = ",\"spec\":{},\"status\":{}";
  if (type.plural == "leases") rest = ",\"spec\":{}";
  const std::string kind =
      type.custom ? "\"apiVersion\":\"" + type.api_version() + "\",\"kind\":\"" + type.kind + "\""
                  : "\"kind\":\"" + type.kind + "\",\"apiVersion\":\"" + type.api_version() + "\"";
  out += event_line("BOOKMARK", "{" + kind + ",\"metadata\":" + dump(metadata) + rest + "}");
}

// An object that leaves the selector is DELETED for this watch, with the labels it had.
void FakeKube::Implementation::tell_change(FakeWatch::State& watch, const KubeChange& change,
                                           Now now, std::string& out) const {
  if (!in_namespace(change.key, watch.namespace_name)) return;
  const bool was = change.before != nullptr && watch.selector.matches(change.before->value());
  const bool is = change.after != nullptr && watch.selector.matches(change.after->value());
  if (is) {
    append_line(watch, was ? "MODIFIED" : "ADDED", *change.after, now, out);
  } else if (was) {
    Json last = change.before->value();
    last["metadata"]["resourceVersion"] = std::to_string(change.version);
    append_line(watch, "DELETED", KubeObject(std::move(last), change.version), now, out);
  }
}

FakeKube::Pulled FakeKube::Implementation::pull(FakeWatch::State& watch, Now now) const {
  Pulled pulled;
  pulled.bytes = std::move(watch.pending);
  watch.pending.clear();
  if (!watch.ended && (watch.drops_seen != drops || (watch.type->custom && !schema))) {
    watch.ended = true;
  }
  if (!watch.ended) {
    // A watch that has missed nothing does not care for what was forgotten.
    const std::string& plural = watch.type->plural;
    if (watch.after < store.oldest(plural) && watch.after < store.last_change(plural)) {
      const Json error = too_old_version(watch.after, store.oldest(watch.type->plural));
      pulled.bytes += event_line("ERROR", dump(error));
      watch.ended = true;
    } else {
      const std::deque<KubeChange>& all = store.changes(watch.type->plural);
      auto change = std::upper_bound(
          all.begin(), all.end(), watch.after,
          [](std::uint64_t version, const KubeChange& one) { return version < one.version; });
      for (; change != all.end(); ++change) tell_change(watch, *change, now, pulled.bytes);
      watch.after = std::max(watch.after, store.version());
    }
  }
  const bool due = now.monotonic >= watch.next_bookmark || watch.bookmarks_seen != bookmark_calls;
  if (!watch.ended && watch.bookmarks && due) {
    watch.bookmarks_seen = bookmark_calls;
    watch.next_bookmark = now.monotonic + options.bookmark_period;
    append_bookmark(watch, false, pulled.bytes);
  }
  if (now.monotonic >= watch.deadline) watch.ended = true;
  pulled.ended = watch.ended;
  return pulled;
}

}  // namespace loglink::fakes
