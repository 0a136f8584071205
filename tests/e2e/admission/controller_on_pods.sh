# shellcheck shell=bash disable=SC2034,SC2154  # variables are shared between these files
# On pods the controller may change its three annotations, and nothing else, when RBAC allows everything.

denied_patch() { denies "the controller: $1" "$2" controller PATCH "$pods/mine/status" "$3" "${4:-$merge}"; }
allowed_patch() { allows "the controller: $1" controller PATCH "$pods/mine/status" "$2" "${3:-$merge}"; }

check_controller_on_pods() {
  local only='may change only the annotations loglink/status, loglink/links and loglink/message'
  local metadata="may not change a pod's labels, finalizers, ownerReferences or generateName"
  local body="may not change a pod's spec or status" through='may write pods only through pods/status'
  local form='loglink/status must be one word'
  make "$pods" "$(pod '{"loglink/watch-dir": "/var/log/app", "other": "x"}' mine | jq -c '.metadata.labels = {app: "web"} | .metadata.generateName = "m"')"

  allowed_patch 'sets its answers' "$(annotate '{"loglink/status": "Linked", "loglink/links": "2", "loglink/message": "m"}')"
  allowed_patch 'sets them again' "$(annotate '{"loglink/status": "Linked", "loglink/links": "2", "loglink/message": "m"}')"
  allowed_patch 'takes one away' "$(annotate '{"loglink/message": null}')"
  allowed_patch 'strategic merge patch' "$(annotate '{"loglink/links": "3"}')" application/strategic-merge-patch+json
  allowed_patch 'JSON patch' '[{"op":"replace","path":"/metadata/annotations/loglink~1links","value":"4"}]' application/json-patch+json
  allowed_patch 'a long message' "$(annotate "$(jq -nc '{"loglink/message": ("x" * 1024)}')")"
  denied_patch 'a longer message' "$form" "$(annotate "$(jq -nc '{"loglink/message": ("x" * 1025)}')")"
  denied_patch 'links that are no number' "$form" "$(annotate '{"loglink/links": "many"}')"
  denied_patch 'a status of two words' "$form" "$(annotate '{"loglink/status": "Not linked"}')"

  denied_patch 'changes another annotation' "$only" "$(annotate '{"other": "y"}')"
  denied_patch 'adds an annotation' "$only" "$(annotate '{"new": "y"}')"
  denied_patch 'removes an annotation' "$only" "$(annotate '{"other": null}')"
  denied_patch 'removes all annotations' "$only" '{"metadata":{"annotations":null}}'
  denied_patch 'changes the request' "$only" "$(annotate '{"loglink/watch-dir": "/x"}')"
  denied_patch 'removes the request' "$only" "$(annotate '{"loglink/watch-dir": null}')"
  denied_patch 'adds to the request' "$only" "$(annotate '{"loglink/include": "*"}')"
  denied_patch 'sets an unknown key' "$only" "$(annotate '{"loglink/other": "y"}')"
  denied_patch 'sets a key that looks like an answer' "$only" "$(annotate '{"loglinkx/status": "y"}')"
  denied_patch 'adds a label' "$metadata" '{"metadata":{"labels":{"a":"b"}}}'
  denied_patch 'removes a label' "$metadata" '{"metadata":{"labels":{"app":null}}}'
  denied_patch 'adds a finalizer' "$metadata" '{"metadata":{"finalizers":["example.com/stay"]}}'
  denied_patch 'changes generateName' "$metadata" '{"metadata":{"generateName":"x"}}'
  denied_patch 'changes the phase' "$body" '{"status":{"phase":"Failed"}}'
  denied_patch 'changes conditions' "$body" '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
  denied_patch 'changes the IP' "$body" '{"status":{"podIP":"10.1.1.1","podIPs":[{"ip":"10.1.1.1"}]}}'
  denied_patch 'hides a change of status behind an answer' "$body" \
    '{"metadata":{"annotations":{"loglink/links":"9"}},"status":{"phase":"Failed"}}'
  denied_patch 'patches a pod that was made again' 'metadata.uid' '{"metadata":{"uid":"11111111-3d7e-4b8e-9f57-0c3f7f4d2a11"}}'
  allowed_patch 'spec in pods/status, which the server leaves out' '{"spec":{"containers":[{"name":"app","image":"evil"}]}}'
  request admin GET "$pods/mine"
  verdict 'the image is as it was' jq -e '.spec.containers[0].image == "app"' "$work/body"

  denies 'the controller: patches the pod itself' "$through" controller PATCH "$pods/mine" "$(annotate '{"loglink/links": "5"}')"
  denies 'the controller: makes a pod' "$through" controller POST "$pods" "$(pod null new)"
  denies 'the controller: deletes a pod' "$through" controller DELETE "$pods/mine"
  denies 'the controller: deletes all pods' "$through" controller DELETE "$pods"
  denies 'the controller: evicts a pod' "$through" controller POST "$pods/mine/eviction" \
    '{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"mine"}}'
  denies 'the controller: binds a pod' "$through" controller POST "$pods/mine/binding" \
    '{"apiVersion":"v1","kind":"Binding","metadata":{"name":"mine"},"target":{"kind":"Node","name":"rack-a"}}'
  denies 'the controller: enters a container' "$through" controller POST "$pods/mine/exec?container=app&command=sh&stdout=true"
  denies 'the controller: adds an ephemeral container' "$through" controller PATCH "$pods/mine/ephemeralcontainers" \
    '{"spec":{"ephemeralContainers":[{"name":"e","image":"e"}]}}' application/strategic-merge-patch+json
  allows 'the controller: reads pods' controller GET /api/v1/pods

  make "$pods" "$(pod "$(jq -nc '[range(257) | {"key": "k\(.)", "value": "v"}] | from_entries')" many)"
  denies 'the controller: a pod with more than 256 annotations' 'more than 256 annotations' controller PATCH "$pods/many/status" \
    "$(annotate '{"loglink/status": "Linked"}')"
}
