# shellcheck shell=bash disable=SC2034,SC2154  # variables are shared between these files
# The answers on a pod are the controller's; static pods ask for links only through their kubelet; a Binding sets nothing.

check_answers() {
  local key
  make "$pods" "$(pod '{"loglink/watch-dir": "/var/log/app"}' answered)"
  allows 'the controller answers' controller PATCH "$pods/answered/status" \
    "$(annotate '{"loglink/status": "Linked", "loglink/links": "2"}')"
  for key in status links message; do
    denies "a user changes loglink/$key" 'written by the loglink controller only' user PATCH "$pods/answered?dryRun=All" \
      "$(annotate '{"loglink/'$key'": "7"}')"
    denies "a user changes loglink/$key through pods/status" 'written by the loglink controller only' user PATCH \
      "$pods/answered/status?dryRun=All" "$(annotate '{"loglink/'$key'": "7"}')"
    warns "a user makes a pod with loglink/$key" "controller's answers" user POST "$pods?dryRun=All" \
      "$(pod '{"loglink/'$key'": "7"}' new)"
  done
  denies 'an agent changes an answer' 'forbidden' agent-rack-a PATCH "$pods/answered/status?dryRun=All" "$(annotate '{"loglink/links": "7"}')"
  passes 'a user changes something else' user PATCH "$pods/answered" '{"metadata":{"labels":{"a":"b"}}}'
  passes 'a user changes the request' user PATCH "$pods/answered" "$(annotate '{"loglink/include": "*.txt"}')"
  passes 'a user takes an answer away' user PATCH "$pods/answered?dryRun=All" "$(annotate '{"loglink/links": null}')"
  passes 'the kubelet reports on an answered pod' kubelet PATCH "$pods/answered/status" '{"status":{"message":"running"}}'

  local static='.spec.nodeName = "rack-a"' mirror='{"kubernetes.io/config.mirror": "0123", "kubernetes.io/config.hash": "0123", "loglink/watch-dir": "/var/log/app"}'
  denies 'a user makes a pod that claims to be static, with links' 'accepted from a kubelet only' user POST "$pods?dryRun=All" "$(pod "$mirror" new | jq -c "$static")"
  passes 'a user makes a pod that claims to be static, without links' user POST "$pods?dryRun=All" \
    "$(pod '{"kubernetes.io/config.mirror": "0123"}' new | jq -c "$static")"
  passes 'a kubelet makes a mirror pod with links' kubelet POST "$pods" "$(pod "$mirror" static | jq -c "$static")"
  denies 'a user gives a mirror pod another directory' 'accepted from a kubelet only' user PATCH "$pods/static?dryRun=All" \
    "$(annotate '{"loglink/watch-dir": "side:/data/logs"}')"
  passes 'a user labels a mirror pod' user PATCH "$pods/static" '{"metadata":{"labels":{"a":"b"}}}'

  local binding='{"apiVersion":"v1","kind":"Binding","metadata":{"name":"answered","annotations":{"KEY":"/x"}},"target":{"kind":"Node","name":"rack-a"}}'
  for key in loglink/watch-dir loglink/status; do
    denies "a Binding sets $key" 'through a Binding' scheduler POST "$pods/answered/binding?dryRun=All" "${binding/KEY/$key}"
    denies "an old Binding sets $key" 'through a Binding' scheduler POST "/api/v1/namespaces/policies/bindings?dryRun=All" "${binding/KEY/$key}"
  done
  for key in kubernetes.io/config.mirror kubernetes.io/config.hash; do
    denies "a Binding makes a static pod: $key" 'through a Binding' scheduler POST "$pods/answered/binding?dryRun=All" "${binding/KEY/$key}"
  done
  passes 'a Binding sets another annotation' scheduler POST "$pods/answered/binding?dryRun=All" "${binding/KEY/other}"
}
