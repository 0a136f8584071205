# shellcheck shell=bash disable=SC2034,SC2154  # variables are shared between these files
# Requests to the API server under different identities, and the expectations about their answers.

namespace=loglink-system
controller=system:serviceaccount:$namespace:loglink-controller
agent=system:serviceaccount:$namespace:loglink-agent
sets=/apis/loglink.io/v1alpha1/nodelinksets
pods=/api/v1/namespaces/policies/pods
merge=application/merge-patch+json

config() { kubectl config view --raw -o json | jq -r "$1"; }
server=$(config '.clusters[0].cluster.server')
printf 'cacert = "%s"\n' "$(config '.clusters[0].cluster["certificate-authority"]')" >"$work/server"
{
  cat "$work/server"
  printf 'cert = "%s"\nkey = "%s"\n' "$(config '.users[0].user["client-certificate"]')" \
    "$(config '.users[0].user["client-key"]')"
} >"$work/admin"

# An identity is a file of curl's options. impersonate NAME USER [GROUP...] [KEY=VALUE of extra...]
impersonate() {
  local name=$1 user=$2 each
  shift 2
  {
    cat "$work/admin"
    printf 'header = "Impersonate-User: %s"\n' "$user"
    for each in "$@"; do
      case $each in
        *=*) printf 'header = "Impersonate-Extra-authentication.kubernetes.io%%2f%s: %s"\n' "${each%%=*}" "${each#*=}" ;;
        *) printf 'header = "Impersonate-Group: %s"\n' "$each" ;;
      esac
    done
  } >"$work/$name"
}

# token NAME SERVICE-ACCOUNT [POD]: a real token, bound to the pod.
token() {
  local reference=null
  [[ -z ${3:-} ]] || reference='{"apiVersion":"v1","kind":"Pod","name":"'$3'"}'
  request admin POST "/api/v1/namespaces/$namespace/serviceaccounts/$2/token" \
    '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"boundObjectRef":'"$reference"'}}'
  [[ $code == 201 ]] || fail "no token for $2: $(<"$work/body")"
  { cat "$work/server"; printf 'header = "Authorization: Bearer %s"\n' "$(jq -r .status.token "$work/body")"; } >"$work/$1"
}

# request IDENTITY METHOD PATH [BODY] [CONTENT-TYPE]: sets code; the answer is in $work/body, warnings in $work/headers.
request() {
  local kind=application/json
  [[ $2 != PATCH ]] || kind=$merge
  code=$(curl -sS --max-time 60 -K "$work/$1" -X "$2" -H "Content-Type: ${5:-$kind}" -o "$work/body" -D "$work/headers" \
    -w '%{http_code} %{time_total}' ${4:+--data-binary @-} "$server$3" <<<"${4:-}")
  seconds=${code#* } code=${code% *}
}

make() {  # make PATH BODY: as admin, must work
  request admin POST "$1" "$2"
  [[ $code == 201 || $code == 409 ]] || fail "cannot make $2: $code $(<"$work/body")"
}

warnings() { sed -nE '/^[Ww]arning:/{s/\\"/"/g;p}' "$work/headers"; }
message() { jq -r '.message // empty' "$work/body" 2>/dev/null || true; }
answer() { printf 'HTTP %s %s %s' "$code" "$(message)" "$(warnings)"; }

verdict() {  # verdict WHAT COMMAND...
  local what=$1
  shift
  if "$@" >/dev/null; then passed=$((passed + 1)); else count_failure "$what" "$(answer)"; fi
}
is_success() { [[ $code == 20[01] ]]; }
is_silent_success() { is_success && [[ -z $(warnings) ]]; }
is_denial() { [[ $code =~ ^(403|422)$ && $(message) == *"$1"* ]]; }
is_warned_success() { is_success && [[ $(warnings) == *"$1"* ]]; }

# Each: WHAT, then (for denies and warns) the text to read, then what request takes.
allows() { request "${@:2}"; verdict "$1: is allowed" is_success; }
passes() { request "${@:2}"; verdict "$1: is allowed without a warning" is_silent_success; }
denies() { request "${@:3}"; verdict "$1: is denied with: $2" is_denial "$2"; }
warns() { request "${@:3}"; verdict "$1: is allowed with the warning: $2" is_warned_success "$2"; }

# pod [ANNOTATIONS] [NAME]: with two containers, an init container, and volumes that can and cannot be linked.
pod() {
  jq -nc --argjson annotations "${1:-null}" --arg name "${2:-web}" '
    {apiVersion: "v1", kind: "Pod", metadata: {name: $name, annotations: $annotations},
     spec: {containers: [
         {name: "app", image: "app", volumeMounts: [{name: "logs", mountPath: "/var/log/app"}, {name: "memory", mountPath: "/memory"}]},
         {name: "side", image: "side", volumeMounts: [{name: "logs", mountPath: "/data/logs/"}, {name: "config", mountPath: "/config"}]}],
       initContainers: [{name: "setup", image: "setup"}],
       volumes: [{name: "logs", emptyDir: {}}, {name: "memory", emptyDir: {medium: "Memory"}}, {name: "config", configMap: {name: "config"}}]}}'
}

# workload KIND [TEMPLATE-ANNOTATIONS] [OWN-ANNOTATIONS]
workload() {
  pod "${2:-null}" | jq -c --arg kind "$1" --argjson own "${3:-null}" '
    (.spec + (if $kind | IN("Job", "CronJob") then {restartPolicy: "Never"} else {} end)) as $spec
    | {metadata: {labels: {app: "web"}, annotations: .metadata.annotations}, spec: $spec} as $template
    | {apiVersion: (if $kind | IN("Job", "CronJob") then "batch/v1" else "apps/v1" end), kind: $kind,
       metadata: {name: "web", annotations: $own},
       spec: (if $kind == "CronJob" then {schedule: "@daily", jobTemplate: {spec: {template: $template}}}
              elif $kind == "Job" then {template: $template}
              else {selector: {matchLabels: {app: "web"}}, template: $template} end)}
    | if $kind == "StatefulSet" then .spec.serviceName = "web" else . end'
}
workload_path() {
  case $1 in
    Job | CronJob) echo "/apis/batch/v1/namespaces/policies/${1,,}s" ;;
    *) echo "/apis/apps/v1/namespaces/policies/${1,,}s" ;;
  esac
}

annotate() { jq -nc --argjson annotations "$1" '{metadata: {annotations: $annotations}}'; }

policies_work() {
  request admin POST "$(workload_path Deployment)?dryRun=All" \
    "$(workload Deployment '{"loglink/watch-dir": "bad"}' '{"loglink/watch-dir": "/x"}')"
  [[ $code == 422 && $(warnings) == *loglink-workload-metadata* ]] || return 1
  request admin POST "$sets?dryRun=All" '{"apiVersion":"loglink.io/v1alpha1","kind":"NodeLinkSet","metadata":{"name":"probe"},"spec":{"sources":[]}}'
  [[ $code == 403 ]] || return 1
  request admin PATCH "/api/v1/namespaces/policies/pods/probe/status?dryRun=All" "$(annotate '{"loglink/status": "Linked"}')"
  [[ $code == 403 ]]
}

install_loglink() {
  quietly "installing manifests/" kubectl apply -f "$repository/manifests"
  quietly "waiting for the CRD" kubectl wait --for condition=established --timeout 30s crd/nodelinksets.loglink.io
  make /api/v1/namespaces '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"policies"}}'
  make "$pods" "$(pod null probe)"
  for _ in $(seq 120); do
    policies_work && return
    sleep 0.5
  done
  fail "the admission policies are not in force after a minute; the last answer: $(answer)"
}

# Nodes, the agents' pods on them, one NodeLinkSet a node, and who asks.
make_world() {
  local node
  make /apis/rbac.authorization.k8s.io/v1/clusterrolebindings '{"apiVersion":"rbac.authorization.k8s.io/v1",
    "kind":"ClusterRoleBinding","metadata":{"name":"testers"},"subjects":[{"kind":"Group","name":"testers","apiGroup":"rbac.authorization.k8s.io"}],
    "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"}}'
  impersonate user alice testers
  impersonate kubelet system:node:rack-a system:nodes testers
  impersonate scheduler system:kube-scheduler testers
  impersonate collector system:serviceaccount:kube-system:generic-garbage-collector testers
  token controller loglink-controller
  for node in rack-a rack-b; do
    make /api/v1/nodes '{"apiVersion":"v1","kind":"Node","metadata":{"name":"'$node'"}}'
    make "/api/v1/namespaces/$namespace/pods" '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"agent-'$node'"},
      "spec":{"nodeName":"'$node'","serviceAccountName":"loglink-agent","containers":[{"name":"agent","image":"agent"}]}}'
    token "agent-$node" loglink-agent "agent-$node"
    request controller POST "$sets" "$(node_link_set $node)"
    [[ $code == 201 || $code == 409 ]] || fail "the controller cannot make a NodeLinkSet: $(answer)"
  done
}

node_link_set() {
  jq -nc --arg name "$1" '{apiVersion: "loglink.io/v1alpha1", kind: "NodeLinkSet", metadata: {name: $name}, spec: {sources: []}}'
}

grant_everything() {
  make /apis/rbac.authorization.k8s.io/v1/clusterrolebindings '{"apiVersion":"rbac.authorization.k8s.io/v1",
    "kind":"ClusterRoleBinding","metadata":{"name":"loglink-everything"},"subjects":[
      {"kind":"ServiceAccount","name":"loglink-agent","namespace":"'$namespace'"},
      {"kind":"ServiceAccount","name":"loglink-controller","namespace":"'$namespace'"}],
    "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"}}'
  for _ in $(seq 60); do
    request controller GET /api/v1/secrets
    [[ $code != 200 ]] || return 0
    sleep 0.25
  done
  fail "the API server does not see the new ClusterRoleBinding"
}
