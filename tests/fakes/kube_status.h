// metav1.Status answers, word for word as a kube-apiserver 1.36 gives them. Internal to the fakes.
#pragma once

#include <string>
#include <vector>

#include "lib/model/kube_error.h"
#include "tests/fakes/fake_kube.h"
#include "tests/fakes/kube_json.h"
#include "tests/fakes/kube_types.h"

namespace loglink::fakes {

// The Status object itself; details may be null.
Json status_object(int code, const std::string& reason, const std::string& message,
                   const Json& details = nullptr);
FakeResponse status_response(int code, const std::string& reason, const std::string& message,
                             const Json& details = nullptr);
FakeResponse json_response(int code, const Json& body);
FakeResponse text_response(int code, std::string body);

FakeResponse page_not_found();  // an unknown group or path: text/plain
FakeResponse bad_request(const std::string& message);
FakeResponse internal_error(const std::string& message);
FakeResponse not_found(const KubeType& type, const std::string& name);
FakeResponse already_exists(const KubeType& type, const std::string& name);
FakeResponse conflict(const KubeType& type, const std::string& name, const std::string& why = "");
FakeResponse method_not_allowed();
FakeResponse unsupported_media_type(const std::string& accepted);
// 422. `subject` is what the message calls the object: "Pod", "NodeLinkSet.loglink.io".
FakeResponse invalid(const std::string& subject, const std::string& group, const std::string& kind,
                     const std::string& name, const std::vector<StatusCause>& causes);
FakeResponse invalid_object(const KubeType& type, const std::string& name,
                            const std::vector<StatusCause>& causes);
FakeResponse invalid_list_options(const std::vector<StatusCause>& causes);
FakeResponse version_required(const KubeType& type, const std::string& name);

Json too_large_version(std::uint64_t asked, std::uint64_t current);  // code 504
Json too_old_version(std::uint64_t asked, std::uint64_t oldest);     // code 410

StatusCause cause_invalid(std::string field, const Json& value, const std::string& why);
StatusCause cause_required(std::string field, const std::string& why = "");
StatusCause cause_forbidden(std::string field, const std::string& why);

}  // namespace loglink::fakes
