# shellcheck shell=bash disable=SC2154,SC2317  # variables are shared between these files; "expect" calls functions
# Pods go as fast as without loglink; what a collector gets from a pod that ends.

not_much_longer() { awk -v one="$1" -v other="$2" 'BEGIN {exit !(one < other + 2)}' || { echo "$1 s against $2 s"; return 1; }; }
job_is_done() { [[ $(kubectl -n shop get job "$1" -o jsonpath='{.status.succeeded}') == 1 ]]; }
volume_is_empty() {
  local directory=/var/lib/kubelet/pods/$1/volumes/kubernetes.io~empty-dir/logs
  [[ -z $(ls -A "$directory" 2>/dev/null) ]] || { ls -l "$directory"; return 1; }
}
pod_of_job() { kubectl -n shop get pods -l "batch.kubernetes.io/job-name=$1" -o jsonpath='{.items[0].metadata.name}'; }
collected_count() { lines_of "$1" | sort -u | wc -l; }

# job NAME PAUSE VOLUME MOUNT: writes 50 lines and ends.
job() {
  kubectl apply -f - >/dev/null <<END
apiVersion: batch/v1
kind: Job
metadata: {name: $1, namespace: shop}
spec:
  template:
    metadata: {annotations: {loglink/watch-dir: /logs}}
    spec:
      restartPolicy: Never
      containers:
      - name: app
        image: loglink-test:1
        command: [/bin/writer, /logs/app.log, "50", "$2", exit]
        env: [{name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
        volumeMounts: [{name: logs, mountPath: /logs, $4}]
      volumes: [{name: logs, $3}]
END
}

# The pod that is held against it went before loglink was installed ("unwatched", in install.sh).
check_deletion() {
  local linked number
  # A busy machine may hold one of them up by chance; not three times.
  for number in 1 2 3; do
    writer_pod "linked-$number" 1000000 0.02 >/dev/null
    expect 'rsyslog reads a pod that is about to go' within 60 lines_come_from "linked-$number"
    linked=$(seconds_to_delete "linked-$number")
    measured "a pod is deleted in $unwatched s before loglink is there, in $linked s while rsyslog reads its linked file"
    ! not_much_longer "$linked" "$unwatched" >/dev/null || break
  done
  expect 'a pod goes as fast as without loglink' not_much_longer "$linked" "$unwatched"
  expect 'its link goes after the linger' within 40 no_links_of "linked-$number"
}
lines_come_from() { [[ $(lines_of "$1" | wc -l) -gt 20 ]]; }

check_jobs() {
  local name pod uid
  local -A pods=()
  job sudden 0 'emptyDir: {}' 'readOnly: false'
  job slow 0.1 'emptyDir: {}' 'readOnly: false'
  # shellcheck disable=SC2016  # Kubernetes expands it
  job kept 0 'hostPath: {path: /var/log/apps/shop, type: DirectoryOrCreate}' 'subPathExpr: $(POD_NAME)'
  for name in sudden slow kept; do
    expect "Job $name ends" within 60 job_is_done "$name"
    pods[$name]=$(pod_of_job "$name")
  done
  for name in sudden slow; do
    pod=${pods[$name]} uid=$(uid_of "$pod")
    expect "Job $name: the kubelet has emptied its volume" within 30 volume_is_empty "$uid"
    measured "Job $name, on an emptyDir: rsyslog has $(collected_count "$pod") of 50 lines, $(links_of "$pod" | wc -l) link is left"
  done
  # Five seconds of life are enough for the link and for a collector that is told of new files.
  expect 'Job slow: rsyslog got every line but those of its end' test "$(collected_count "${pods[slow]}")" -ge 40
  expect "Job kept, on a hostPath with subPathExpr: every line is collected, after its end too" \
    within 60 each_line_once "${pods[kept]}" 50
  kubectl -n shop delete jobs sudden slow kept >/dev/null
  expect 'no link of a Job is left when it is gone' within 60 no_links_of_jobs
}
no_links_of_jobs() { no_links_of 'sudden-*' && no_links_of 'slow-*' && no_links_of 'kept-*'; }

part_deletion() {
  expect 'rsyslog runs' start_collector
  check_deletion
  check_jobs
}
