# shellcheck shell=bash disable=SC2034,SC2154  # variables are shared between these files
# Waiting, looking at pods and links, and saying what was measured.

links=/run/loglink/links
state=/var/lib/loglink

# All waits end when their condition comes true; how many times longer than on a quiet machine they may take.
patience=${LOGLINK_E2E_PATIENCE:-3}

# A hung request must not hang the test.
kubectl() { timeout $((90 * patience)) "$kubectl" "$@"; }

now() { date +%s.%N; }
since() { awk -v from="$1" -v to="$(now)" 'BEGIN {printf "%.2f", to - from}'; }
measured() { printf 'measured: %s\n' "$*"; }

# wait_for <what> <seconds> <command...>: for what the test itself needs.
wait_for() {
  local what=$1 deadline=$((SECONDS + $2 * patience))
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || fail "waited in vain for $what"
    sleep 0.1
  done
}

# within <seconds> <command...>: its last output, and whether it came true in time. For "expect".
within() {
  local deadline=$((SECONDS + $1 * patience)) output
  shift
  until output=$("$@" 2>&1); do
    ((SECONDS < deadline)) || { printf 'not in time: %s\n%s\n' "$*" "$output"; return 1; }
    sleep 0.1
  done
}

uid_of() { kubectl -n shop get pod "$1" -o jsonpath='{.metadata.uid}'; }
annotation() { kubectl -n shop get pod "$1" -o json | jq -r --arg key "loglink/$2" '.metadata.annotations[$key] // ""'; }
annotation_is() {  # annotation_is POD KEY VALUE
  local value
  value=$(annotation "$1" "$2")
  [[ $value == "$3" ]] || { echo "loglink/$2 is \"$value\""; kubectl -n shop get pod "$1" -o json | jq .metadata.annotations; return 1; }
}
annotation_has() { [[ $(annotation "$1" "$2") == *"$3"* ]] || { annotation "$1" "$2"; return 1; }; }
phase_is() { [[ $(kubectl -n shop get pod "$1" -o jsonpath='{.status.phase}') == "$2" ]]; }

pods_are_ready() {  # pods_are_ready NAMESPACE SELECTOR
  kubectl -n "$1" get pods -l "$2" -o json | jq -e '.items | length > 0 and all(.metadata.deletionTimestamp == null
    and any(.status.conditions[]?; .type == "Ready" and .status == "True"))'
}

links_of() { find "$links" -maxdepth 1 -name "$1_*.log" -printf '%f\n' 2>/dev/null | sort; }
has_links() {  # has_links POD NAME...: exactly these
  local pod=$1 found
  shift
  found=$(links_of "$pod")
  [[ $found == "$(printf '%s\n' "$@" | sort)" ]] || { echo "the links are: $found"; return 1; }
}
no_links_of() { [[ -z $(links_of "$1") ]] || { links_of "$1"; return 1; }; }
no_links_at_all() {
  local found
  found=$(find "$links" -maxdepth 1 -type l 2>/dev/null)
  [[ -z $found ]] || { echo "$found"; return 1; }
}
link_reads() { [[ $(head -n 1 "$links/$1") == "$2" ]]; }

# The process of a container: pid_of NAMESPACE SELECTOR CONTAINER
pid_of() {
  local container
  container=$(kubectl -n "$1" get pods -l "$2" -o json | jq -r --arg name "$3" \
    '.items[0].status.containerStatuses[] | select(.name == $name) | .containerID')
  "${ctr[@]}" tasks ls | awk -v id="${container#containerd://}" '$1 == id {print $2}'
}

seconds_to_delete() {
  local started
  started=$(now)
  kubectl -n shop delete pod "$1" --timeout "$((80 * patience))s" >/dev/null
  since "$started"
}

# A pod that writes lines, in namespace shop: writer_pod NAME LINES PAUSE [ANNOTATIONS]; its logs are on an emptyDir.
writer_pod() {
  kubectl apply -f - <<END
apiVersion: v1
kind: Pod
metadata:
  name: $1
  namespace: shop
  labels: {app: writer, app.kubernetes.io/name: writer}
  annotations: {${4-loglink/watch-dir: /logs}}
spec:
  terminationGracePeriodSeconds: 5
  containers:
  - name: app
    image: loglink-test:1
    command: [/bin/writer, /logs/app.log, "$2", "$3"]
    volumeMounts: [{name: logs, mountPath: /logs}]
  volumes: [{name: logs, emptyDir: {}}]
END
}
