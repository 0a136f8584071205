#include "tests/fakes/embedded_control.h"

#include "tests/fakes/kube_json.h"
#include "tests/fakes/kube_status.h"

namespace loglink::fakes {
namespace {

std::vector<std::string> texts(const Json& object, const char* key) {
  std::vector<std::string> result;
  for (const Json& one : at_path(object, std::string("/") + key)) {
    if (one.is_string()) result.push_back(one.get<std::string>());
  }
  return result;
}

std::vector<AllowRule> read_rules(const Json& list) {
  std::vector<AllowRule> rules;
  for (const Json& one : list) {
    rules.push_back({texts(one, "verbs"), texts(one, "resources"), texts(one, "names"),
                     texts(one, "namespaces")});
  }
  return rules;
}

FakeResponse done(const Json& body = {{"done", true}}) { return json_response(200, body); }

FakeResponse act(const Json& body, FakeKube& kube, Now now) {
  const std::string action = text_at(body, "/action");
  if (action == "compact") {
    kube.compact();
  } else if (action == "expire-continue") {
    kube.expire_continue_tokens();
  } else if (action == "drop-watches") {
    kube.drop_watches();
  } else if (action == "bookmarks") {
    kube.send_bookmarks();
  } else if (action == "collect-garbage") {
    return done({{"removed", kube.collect_garbage(now)}});
  } else if (action == "install-crd") {
    kube.install_crd(now);
  } else if (action == "remove-crd") {
    kube.remove_crd(now);
  } else if (action == "finish-pod") {
    const bool found =
        kube.finish_pod_deletion(text_at(body, "/namespace"), text_at(body, "/name"), now);
    return found ? done() : bad_request("no such deleted pod");
  } else if (action == "watch-list") {
    kube.set_watch_list(at_path(body, "/enabled") == true);
  } else if (action == "user") {
    kube.set_user(text_at(body, "/token"), text_at(body, "/name"),
                  read_rules(at_path(body, "/rules")));
  } else if (action == "remove-user") {
    kube.remove_user(text_at(body, "/token"));
  } else {
    return bad_request("unknown action " + dump(action));
  }
  return done();
}

FakeResponse change_faults(const FakeRequest& request, FaultPlan& faults) {
  if (request.method == "GET") return done({{"pending", faults.pending()}});
  if (request.method == "DELETE") {
    faults.clear();
    return done();
  }
  if (request.method != "POST") return method_not_allowed();
  const auto parsed = parse_faults(request.body);
  if (!parsed) return bad_request(parsed.error().message);
  for (const Fault& fault : *parsed) faults.add(fault);
  return done();
}

}  // namespace

std::optional<FakeResponse> control(const FakeRequest& request, const std::string& admin_token,
                                    FakeKube& kube, FaultPlan& faults, Now now) {
  if (request.target.rfind("/_test/", 0) != 0) return std::nullopt;
  if (request.authorization != "Bearer " + admin_token) {
    return status_response(403, "Forbidden", "the control endpoint is for the admin token");
  }
  if (request.target == "/_test/faults") return change_faults(request, faults);
  if (request.target == "/_test/actions" && request.method == "POST") {
    return act(Json::parse(request.body, nullptr, false), kube, now);
  }
  return page_not_found();
}

}  // namespace loglink::fakes
