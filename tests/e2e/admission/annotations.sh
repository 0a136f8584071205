# shellcheck shell=bash disable=SC2034,SC2154  # variables are shared between these files
# What users may write into request annotations: a malformed one is denied in a workload's template (a container that is not
# there is told: it may be injected) and told, but accepted, on a pod. The same table drives the parser of the controller.

check_case() {  # check_case NAME ADMITTED ANNOTATIONS REASON
  local template pod_body
  template=$(workload Deployment "$3")
  pod_body=$(pod "$3")
  if [[ $2 == true ]]; then
    allows "template: $1" user POST "$(workload_path Deployment)?dryRun=All" "$template"
    request user POST "$pods?dryRun=All" "$pod_body"
    verdict "pod: $1: no complaint about its form" has_no_complaint_about_form
  elif [[ $4 == '"UnknownContainer"' ]]; then
    warns "template: $1" "'loglink-workload-containers'" user POST "$(workload_path Deployment)?dryRun=All" "$template"
    warns "pod: $1" "'loglink-pod-annotations'" user POST "$pods?dryRun=All" "$pod_body"
  else
    denies "template: $1" "'loglink-workload-annotations'" user POST "$(workload_path Deployment)?dryRun=All" "$template"
    warns "pod: $1" "'loglink-pod-annotations'" user POST "$pods?dryRun=All" "$pod_body"
  fi
}
has_no_complaint_about_form() { is_success && [[ $(warnings) != *loglink-pod-annotations* ]]; }

check_shared_table() {
  local name admitted annotations reason count=0
  while IFS= read -r name && IFS= read -r admitted && IFS= read -r annotations && IFS= read -r reason; do
    check_case "$name" "$admitted" "$annotations" "$reason"
    count=$((count + 1))
  done < <(jq -c '.cases[] | .name, .admitted, .annotations, .reason' "$repository/tests/golden/annotation_cases.json")
  ((count > 100)) || fail "only $count cases were read"
}

check_messages() {
  local each text
  while IFS='|' read -r annotations text; do
    denies "message for $annotations" "$text" user POST "$(workload_path Deployment)?dryRun=All" "$(workload Deployment "$annotations")"
  done <<'TABLE'
{"loglink/watch-dir": "var/log"}|"var/log" is not [<container>:]<absolute directory>
{"loglink/watch-dir": "/a/../b"}|"/a/../b" has a . or .. component
{"loglink/watch-dir": ""}|loglink/watch-dir is empty; name a directory or take the annotation away
{"loglink/watchdir": "/a"}|loglink/watchdir is not an annotation of loglink; known are loglink/watch-dir, loglink/include, loglink/exclude and loglink/max-depth
{"loglink/status": "Linked"}|loglink/status, loglink/links and loglink/message are the controller's answers
{"loglink/include": "a/b"}|loglink/include must be 1 to 16 file name patterns with commas between them
{"loglink/exclude": "a/b"}|loglink/exclude must be 1 to 16 file name patterns with commas between them
{"loglink/max-depth": "17"}|loglink/max-depth must be a whole number from 1 to 16
TABLE
  text='annotations that begin with loglink.io/ do nothing; those of loglink begin with loglink/, as loglink/watch-dir'
  warns "a template has a key of the API group" "$text" user POST "$(workload_path Deployment)?dryRun=All" \
    "$(workload Deployment '{"loglink.io/watch-dir": "/logs"}')"
  warns 'a pod has a key of the API group' "$text" user POST "$pods?dryRun=All" "$(pod '{"loglink.io/watch-dir": "/logs"}')"
  text='"ap:/logs" names a container that the pod does not have; it has app, side, setup'
  warns 'a template names a container that a webhook may inject' "$text" user POST "$(workload_path Deployment)?dryRun=All" \
    "$(workload Deployment '{"loglink/watch-dir": "ap:/logs"}')"
  warns 'a pod names a container that it does not have' "$text" user POST "$pods?dryRun=All" "$(pod '{"loglink/watch-dir": "ap:/logs"}')"
  each=$(printf 'x%.0s' {1..400})
  denies 'a long item is cut in the message' 'xxx..."' user POST "$(workload_path Deployment)?dryRun=All" \
    "$(workload Deployment '{"loglink/watch-dir": "'"$each"'"}')"
}

check_kinds() {
  local kind
  for kind in Deployment StatefulSet DaemonSet Job CronJob; do
    denies "$kind with a malformed template" "'loglink-workload-annotations'" user POST "$(workload_path $kind)?dryRun=All" \
      "$(workload $kind '{"loglink/watch-dir": "bad"}')"
    passes "$kind with a good template" user POST "$(workload_path $kind)?dryRun=All" \
      "$(workload $kind '{"loglink/watch-dir": "app:/var/log/app", "other": "x"}')"
    passes "$kind without annotations" user POST "$(workload_path $kind)?dryRun=All" "$(workload $kind)"
    warns "$kind with the annotation in the wrong place" "annotations on a $kind do nothing; put them into spec." \
      user POST "$(workload_path $kind)?dryRun=All" "$(workload $kind null '{"loglink/watch-dir": "/var/log/app"}')"
  done
  # Nobody would see the denial, and the CronJob would stand still.
  passes 'the Job of a CronJob that was there before, with a malformed template' user POST "$(workload_path Job)?dryRun=All" \
    "$(workload Job '{"loglink/watch-dir": "bad"}' | jq '.metadata.ownerReferences = [{"apiVersion": "batch/v1", "kind": "CronJob",
      "name": "nightly", "uid": "0a1b2c3d-0000-0000-0000-000000000000", "controller": true}]')"
  # Deployments make ReplicaSets; denying those would stop a rollout where nobody looks.
  passes 'ReplicaSet with a malformed template' user POST "$(workload_path ReplicaSet)?dryRun=All" \
    "$(workload ReplicaSet '{"loglink/watch-dir": "bad"}')"
}

# What was there before the policies came must stay usable.
check_old_objects() {
  local deployments
  deployments=$(workload_path Deployment)
  request admin PATCH /apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/loglink-workload-annotations \
    '{"spec":{"validationActions":["Audit"]}}'
  for _ in $(seq 60); do
    request admin POST "$deployments" "$(workload Deployment '{"loglink/watch-dir": "bad"}')"
    [[ $code == 422 ]] || break
    sleep 0.25
  done
  [[ $code == 201 ]] || fail "cannot make an old malformed Deployment: $(answer)"
  request admin PATCH /apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/loglink-workload-annotations \
    '{"spec":{"validationActions":["Deny"]}}'
  for _ in $(seq 60); do
    request admin POST "$deployments?dryRun=All" "$(workload Deployment '{"loglink/watch-dir": "bad"}')"
    [[ $code != 422 ]] || break
    sleep 0.25
  done
  passes 'an old malformed Deployment is scaled' user PATCH "$deployments/web" '{"spec":{"replicas":3}}'
  passes 'an old malformed Deployment gets another image' user PATCH "$deployments/web" \
    '{"spec":{"template":{"metadata":{"annotations":{"restarted":"now"}}}}}'
  denies 'an old malformed Deployment gets worse' "'loglink-workload-annotations'" user PATCH "$deployments/web?dryRun=All" \
    '{"spec":{"template":{"metadata":{"annotations":{"loglink/watch-dir":"worse"}}}}}'
  passes 'an old malformed Deployment is mended' user PATCH "$deployments/web" \
    '{"spec":{"template":{"metadata":{"annotations":{"loglink/watch-dir":"/var/log/app"}}}}}'

  warns 'a malformed pod is made' "'loglink-pod-annotations'" user POST "$pods" "$(pod '{"loglink/watch-dir": "bad"}' old)"
  passes 'a malformed pod gets a label' user PATCH "$pods/old" '{"metadata":{"labels":{"a":"b"}}}'
  passes 'the kubelet reports on a malformed pod' kubelet PATCH "$pods/old/status" '{"status":{"message":"starting"}}'
  passes 'a malformed pod is mended' user PATCH "$pods/old" "$(annotate '{"loglink/watch-dir": "/var/log/app"}')"
  warns 'a pod gets a malformed annotation' "'loglink-pod-annotations'" user PATCH "$pods/old?dryRun=All" "$(annotate '{"loglink/watch-dir": "bad"}')"
}

check_volumes() {
  local each text
  for each in /var/log/app /var/log/app/deep/er app:/var/log/app side:/data/logs /data/logs ' /var/log/app , side:/data/logs/ ' \
    /var//log///app; do
    passes "pod: \"$each\" is on a volume" user POST "$pods?dryRun=All" "$(pod "$(jq -nc --arg dir "$each" '{"loglink/watch-dir": $dir}')")"
  done
  for each in /opt /var/log /var/log/apps app:/data/logs /memory /config; do
    text="$each\" is not on an emptyDir (on disk) or hostPath volume"
    warns "pod: \"$each\" is on no volume" "$text" user POST "$pods?dryRun=All" "$(pod '{"loglink/watch-dir": "'"$each"'"}')"
  done
}

check_annotations() {
  check_shared_table
  check_messages
  check_kinds
  check_old_objects
  check_volumes
}
