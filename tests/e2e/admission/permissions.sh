# shellcheck shell=bash disable=SC2034,SC2154  # variables are shared between these files
# The roles of the chart, each permission and what is nearest to it; then the important ones with real tokens.

may() {  # may USER VERB GROUP/RESOURCE[/SUBRESOURCE] NAMESPACE NAME: "true" or "false"
  local group=${3%%/*} resource=${3#*/} subresource=''
  [[ $resource != */* ]] || { subresource=${resource#*/} resource=${resource%%/*}; }
  request admin POST /apis/authorization.k8s.io/v1/subjectaccessreviews "$(jq -nc --arg user "$1" --arg verb "$2" --arg group "$group" \
    --arg resource "$resource" --arg subresource "$subresource" --arg namespace "${4#-}" --arg name "${5:-}" '
    {apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview", spec: {user: $user, groups: ["system:authenticated", "system:serviceaccounts"],
     resourceAttributes: {verb: $verb, group: $group, resource: $resource, subresource: $subresource, namespace: $namespace, name: $name}}}')"
  jq -r .status.allowed "$work/body"
}

check_permissions() {
  local who user verb verbs resource place name wanted
  while read -r who wanted verbs resource place name; do
    user=$controller
    [[ $who == controller ]] || user=$agent
    for verb in ${verbs//,/ }; do
      expect "$who: $verb $resource ${place:-} ${name:-}: allowed is $wanted" test "$(may "$user" "$verb" "$resource" "${place:-}" "${name:-}")" = "$wanted"
    done
  done <<'TABLE'
controller true  get,list,watch /pods
controller false create,update,patch,delete,deletecollection /pods policies
controller true  patch /pods/status policies
controller false update /pods/status policies
controller false create /pods/exec policies
controller false create /pods/eviction policies
controller false create /pods/binding policies
controller true  get /nodes
controller false list,watch,update,patch,delete /nodes
controller false update,patch /nodes/status
controller true  get,list,watch,create,update loglink.io/nodelinksets
controller false patch,delete,deletecollection loglink.io/nodelinksets
controller false update,patch loglink.io/nodelinksets/status
controller true  create,patch events.k8s.io/events policies
controller false get,list,watch,update,delete events.k8s.io/events policies
controller false create,patch /events policies
controller true  get,update coordination.k8s.io/leases loglink-system loglink-controller
controller true  create coordination.k8s.io/leases loglink-system
controller false get,update,patch,delete coordination.k8s.io/leases loglink-system other
controller false create,get coordination.k8s.io/leases kube-system loglink-controller
controller false get,list /secrets policies
controller false get,list /configmaps loglink-system
controller false impersonate /users
controller false create /serviceaccounts/token loglink-system
controller false update admissionregistration.k8s.io/validatingadmissionpolicybindings
agent      true  get,list,watch loglink.io/nodelinksets
agent      false create,update,patch,delete,deletecollection loglink.io/nodelinksets
agent      true  update loglink.io/nodelinksets/status
agent      false patch loglink.io/nodelinksets/status
agent      false get,list,watch,patch /pods policies
agent      false patch /pods/status policies
agent      false get,list /nodes
agent      false create events.k8s.io/events policies
agent      false get,create coordination.k8s.io/leases loglink-system loglink-controller
agent      false get,list /secrets policies
agent      false create /serviceaccounts/token loglink-system
TABLE
}

# With the tokens that kubelets hand out, and nothing but the roles of the chart.
check_tokens() {
  allows 'the token of an agent: reports' agent-rack-a PUT "$sets/rack-a/status" "$(set_with_status rack-a 1)"
  denies 'the token of an agent: reports for another node' 'may not write NodeLinkSet rack-b' agent-rack-a PUT "$sets/rack-b/status" \
    "$(set_with_status rack-b 1)"
  allows 'the token of the other agent: reports' agent-rack-b PUT "$sets/rack-b/status" "$(set_with_status rack-b 1)"
  denies 'the token of an agent: changes spec' forbidden agent-rack-a PUT "$sets/rack-a" "$(set_with_source rack-a web)"
  denies 'the token of an agent: reads pods' forbidden agent-rack-a GET /api/v1/pods
  allows 'the token of an agent: watches its object' agent-rack-a GET "$sets?fieldSelector=metadata.name%3Drack-a"
  allows 'the token of the controller: publishes' controller PUT "$sets/rack-b" "$(set_with_source rack-b web)"
  denies 'the token of the controller: reports' forbidden controller PUT "$sets/rack-b/status" "$(set_with_status rack-b 9)"
  denies 'the token of the controller: labels a pod' "may not change a pod's labels" controller PATCH "$pods/answered/status" \
    '{"metadata":{"labels":{"a":"c"}}}'
  denies 'the token of the controller: fakes a condition' "may not change a pod's spec or status" controller PATCH "$pods/answered/status" \
    '{"status":{"phase":"Failed"}}'
  denies 'the token of the controller: reads secrets' forbidden controller GET /api/v1/secrets
}
