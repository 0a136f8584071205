# shellcheck shell=bash disable=SC2154,SC2317  # variables are shared between these files; "expect" calls functions
# What the two programs may ask of the API server, with their real tokens too, and what their processes have on the node.

may_is() {  # may_is yes|no PROGRAM VERB RESOURCE [kubectl arguments]
  local wanted=$1 account=system:serviceaccount:loglink-system:loglink-$2 answer
  shift 2
  answer=$(kubectl auth can-i "$@" --as "$account" --as-group system:serviceaccounts --as-group system:authenticated 2>/dev/null) || true
  [[ $answer == "$wanted" ]] || { echo "the answer is: $answer"; return 1; }
}

check_roles() {
  local program answer verb rest
  while read -r program answer verb rest; do
    # shellcheck disable=SC2086  # words
    expect "$program: may it $verb $rest? $answer" may_is "$answer" "$program" "$verb" $rest
  done <<'TABLE'
controller yes list pods -A
controller yes watch pods -A
controller yes patch pods --subresource=status -n shop
controller no  patch pods -n shop
controller no  delete pods -n shop
controller no  create pods -n shop
controller no  create pods --subresource=exec -n shop
controller no  get secrets -n loglink-system
controller no  get configmaps -n loglink-system
controller yes get nodes
controller no  list nodes
controller no  patch nodes
controller yes create nodelinksets.loglink.io
controller yes update nodelinksets.loglink.io
controller no  delete nodelinksets.loglink.io
controller no  update nodelinksets.loglink.io --subresource=status
controller yes create events.events.k8s.io -n shop
controller yes update leases.coordination.k8s.io/loglink-controller -n loglink-system
controller no  update leases.coordination.k8s.io/another -n loglink-system
controller no  update leases.coordination.k8s.io -n kube-system
agent yes watch nodelinksets.loglink.io
agent yes update nodelinksets.loglink.io --subresource=status
agent no  update nodelinksets.loglink.io
agent no  create nodelinksets.loglink.io
agent no  delete nodelinksets.loglink.io
agent no  get pods -n shop
agent no  list pods -A
agent no  get nodes
agent no  get secrets -n loglink-system
agent no  create events.events.k8s.io -n shop
agent no  get leases.coordination.k8s.io -n loglink-system
agent no  create serviceaccounts --subresource=token -n loglink-system
TABLE
}

# status_of PID: uid and privileges of a process, on one line.
status_of() { awk '/^(Uid|Cap|NoNewPrivs|Seccomp:)/ {printf "%s%s ", $1, $2}' "/proc/$1/status"; }
resident() { awk '/^VmRSS/ {printf "%.1f", $2 / 1000}' "/proc/$1/status"; }
has_status() { [[ $(status_of "$1") == "$2" ]] || { status_of "$1"; return 1; }; }
cannot_write_its_root() { ! touch "/proc/$1/root/new" 2>/dev/null && ! touch "/proc/$1/root/usr/bin/new" 2>/dev/null; }
has_no_shell() {
  local name
  for name in bin/sh usr/bin/sh bin/busybox; do [[ ! -e /proc/$1/root/$name ]] || return 1; done
}
# Mounts of the node's own folders in a process: their places, sorted.
host_folders() { awk '$5 ~ "^(/var/lib/(kubelet|loglink)|/var/log|/run/loglink|/etc/loglink)" {print $5}' "/proc/$1/mountinfo" | sort -u | tr '\n' ' '; }
sees_only() { [[ $(host_folders "$1") == "$2" ]] || { host_folders "$1"; return 1; }; }
roots_are_safe() {
  local options
  options=$(awk '$5 ~ "^/run/loglink/roots/" {print $6}' "/proc/$1/mountinfo")
  [[ $(wc -l <<<"$options") == 2 ]] || { echo "$options"; return 1; }
  while IFS= read -r options; do
    [[ ,$options, == *,ro,* && ,$options, == *,nosymfollow,* && ,$options, == *,nodev,* && ,$options, == *,nosuid,* && ,$options, == *,noexec,* ]] ||
      { echo "$options"; return 1; }
  done <<<"$options"
  # Their own directory too, or whoever sees it could put another in a root's place.
  options=$(awk '$5 == "/run/loglink/roots" {print $6 "," $NF}' "/proc/$1/mountinfo")
  [[ ,$options, == *,ro,* ]] || { echo "/run/loglink/roots: $options"; return 1; }
}

# as_program PID COMMAND...: kubectl with the token that this process has.
as_program() {
  local token
  token=$(<"/proc/$1/root/var/run/secrets/kubernetes.io/serviceaccount/token")
  shift
  # No certificate of the administrator: a token would not be looked at.
  KUBECONFIG=/dev/null kubectl --server=https://10.0.0.1:443 --certificate-authority="$cluster/pki/ca.crt" --token="$token" "$@"
}
# patch_pod_status PID POD PATCH: kubectl would read the status first, which no program of ours may.
patch_pod_status() {
  curl -sS --fail-with-body --cacert "$cluster/pki/ca.crt" -X PATCH -H 'Content-Type: application/merge-patch+json' \
    -H "Authorization: Bearer $(<"/proc/$1/root/var/run/secrets/kubernetes.io/serviceaccount/token")" \
    --data "$3" "https://10.0.0.1:443/api/v1/namespaces/loglink-system/pods/$2/status"
}
write_status() {  # write_status PID NODE LINKS: as that process
  local object
  object=$(kubectl get nodelinkset "$2" -o json | jq --argjson links "$3" '.status.links = $links')
  as_program "$1" replace --raw "/apis/loglink.io/v1alpha1/nodelinksets/$2/status" -f - <<<"$object"
}
# The object of a node that is not there: the controller is not asked for it.
make_another_node() {
  kubectl create -f - <<<'{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-b"}}' &&
    kubectl create --as system:serviceaccount:loglink-system:loglink-controller -f - <<<'
      {"apiVersion": "loglink.io/v1alpha1", "kind": "NodeLinkSet", "metadata": {"name": "node-b"}, "spec": {"sources": []}}'
}

part_permissions() {
  local agent controller none=0000000000000000
  check_roles
  agent=$(pid_of loglink-system app.kubernetes.io/component=agent agent)
  controller=$(pid_of loglink-system app.kubernetes.io/component=controller controller)
  measured "agent: $(status_of "$agent")"
  measured "controller: $(status_of "$controller")"
  measured "resident memory: agent $(resident "$agent") MB, controller $(resident "$controller") MB"
  expect 'agent: root, but without any capability, and it can get none' has_status "$agent" \
    "Uid:0 CapInh:$none CapPrm:$none CapEff:$none CapBnd:$none CapAmb:$none NoNewPrivs:1 Seccomp:2 "
  expect 'controller: no root, without any capability, and it can get none' has_status "$controller" \
    "Uid:65532 CapInh:$none CapPrm:$none CapEff:$none CapBnd:$none CapAmb:$none NoNewPrivs:1 Seccomp:2 "
  for each in "$agent" "$controller"; do
    expect "$(<"/proc/$each/comm"): its root file system is read-only" cannot_write_its_root "$each"
    expect "$(<"/proc/$each/comm"): there is no shell in its image" has_no_shell "$each"
  done
  expect 'agent: of the node it sees links, safe roots and its state' sees_only "$agent" \
    '/etc/loglink /run/loglink /run/loglink/roots /run/loglink/roots/apps /run/loglink/roots/kubelet-pods /var/lib/loglink '
  expect 'controller: of the node it sees nothing' sees_only "$controller" '/etc/loglink '
  expect 'the safe roots are read-only and follow no symlink, on the node' roots_are_safe self
  expect 'and in the agent' roots_are_safe "$agent"
  expect "agent, its own token: reads its node's object" as_program "$agent" get nodelinkset "$node"
  expect_failure 'agent, its own token: reads no pods' forbidden as_program "$agent" get pods -A
  expect "another node has an object" make_another_node
  expect_failure "agent, its own token: cannot write another node's status" 'may not write NodeLinkSet node-b' write_status "$agent" node-b 1
  expect_failure 'controller, its own token: cannot write a status' forbidden write_status "$controller" "$node" 7
  expect_failure 'controller, its own token: cannot label a pod' forbidden as_program "$controller" -n loglink-system label pods --all a=b
  expect_failure 'nor through the status, which its role lets it write' "may not change a pod's labels" \
    patch_pod_status "$controller" "$(kubectl -n loglink-system get pods -o jsonpath='{.items[0].metadata.name}')" \
    '{"metadata": {"labels": {"a": "b"}}}'
  kubectl delete node node-b
}
