# shellcheck shell=bash disable=SC2034,SC2154  # variables are shared between these files
# Who may write what of a NodeLinkSet, when RBAC allows everything: spec the controller, status the agent of the node.

status_of() { jq -nc --argjson links "$1" '{status: {links: $links, podCount: 0, refused: 0}}'; }
set_with_status() {  # set_with_status NODE LINKS: a whole object for PUT
  request admin GET "$sets/$1"
  jq -c --argjson links "$2" '.status = {links: $links, podCount: 0, refused: 0}' "$work/body"
}
set_with_source() {
  request admin GET "$sets/$1"
  jq -c --arg pod "$2" '.spec.sources = [{namespace: "policies", pod: $pod, uid: "11111111-2222-4333-8444-555555555555",
    container: "app", include: ["*.log"], root: "kubelet-pods", path: "11111111-2222-4333-8444-555555555555/volumes/kubernetes.io~empty-dir/logs"}]' "$work/body"
}

check_node_link_sets() {
  local own=agent-rack-a who=agent-rack-a
  allows 'an agent PUTs the status of its node' $own PUT "$sets/rack-a/status" "$(set_with_status rack-a 1)"
  allows 'an agent patches the status of its node' $own PATCH "$sets/rack-a/status" "$(status_of 2)"
  denies 'an agent PUTs the status of another node' 'agent of node rack-a may not write NodeLinkSet rack-b' $own PUT \
    "$sets/rack-b/status" "$(set_with_status rack-b 1)"
  denies 'an agent patches the status of another node' 'may not write NodeLinkSet rack-b' $own PATCH "$sets/rack-b/status" "$(status_of 2)"
  # Two policies are against these; the server shows either.
  denies 'an agent changes spec' "ValidatingAdmissionPolicy 'loglink-" $own PUT "$sets/rack-a" "$(set_with_source rack-a web)"
  denies 'an agent changes nothing, but not through status' 'agent may change only the status' $own PATCH "$sets/rack-a" '{}'
  denies 'an agent sets a label' 'agent may change only the status' $own PATCH "$sets/rack-a" '{"metadata":{"labels":{"a":"b"}}}'
  denies 'an agent makes one' "ValidatingAdmissionPolicy 'loglink-" $own POST "$sets" "$(node_link_set rack-c)"
  denies 'an agent deletes its own' 'agent may change only the status' $own DELETE "$sets/rack-a"
  denies 'an agent deletes another' 'agent may change only the status' $own DELETE "$sets/rack-b"
  denies 'an agent deletes all' 'agent may change only the status' $own DELETE "$sets"
  allows 'an agent hides a spec in its status' $own PUT "$sets/rack-a/status" \
    "$(set_with_source rack-a web | jq -c '.status = {links: 3, podCount: 0, refused: 0}')"
  request admin GET "$sets/rack-a"
  verdict 'the hidden spec is not kept' jq -e '.spec.sources == [] and .status.links == 3' "$work/body"

  token agent-unbound loglink-agent
  impersonate no-pod "$agent" testers node-name=rack-a
  impersonate no-node "$agent" testers pod-name=agent-rack-a
  impersonate two-nodes "$agent" testers pod-name=agent-rack-a node-name=rack-a node-name=rack-b
  impersonate bound "$agent" testers pod-name=agent-rack-a node-name=rack-a
  for who in agent-unbound no-pod no-node two-nodes; do
    denies "an agent's token: $who" "must be bound to a pod that runs on a node" $who PATCH "$sets/rack-a/status" "$(status_of 4)"
  done
  allows "an agent's token: bound" bound PATCH "$sets/rack-a/status" "$(status_of 4)"

  allows 'the controller PUTs spec' controller PUT "$sets/rack-a" "$(set_with_source rack-a web)"
  allows 'the controller makes one' controller POST "$sets" "$(node_link_set rack-d)"
  denies 'the controller changes status' 'only the agent of the node may change the status' controller PATCH "$sets/rack-a/status" "$(status_of 9)"
  denies 'an administrator changes spec' 'only the loglink controller may make a NodeLinkSet or change its spec' admin PUT \
    "$sets/rack-a" "$(set_with_source rack-a other)"
  denies 'an administrator makes one' 'only the loglink controller may make a NodeLinkSet' admin POST "$sets" "$(node_link_set rack-e)"
  denies 'an administrator changes status' 'only the agent of the node may change the status' admin PATCH "$sets/rack-a/status" "$(status_of 9)"
  allows 'an administrator sets a label' admin PATCH "$sets/rack-a" '{"metadata":{"labels":{"a":"b"}}}'
  request admin GET "$sets/rack-a"
  allows 'storage migration writes what is there' admin PUT "$sets/rack-a" "$(<"$work/body")"
  allows 'the garbage collector deletes one' collector DELETE "$sets/rack-d"
}
