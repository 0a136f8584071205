# shellcheck shell=bash disable=SC2154,SC2317  # variables are shared between these files; "expect" calls functions
# An OpenTelemetry Collector reads the links with the configuration of docs/collectors/opentelemetry.md. Its records are
# made to lines like rsyslog's, "file|namespace|pod|uid|source|text", and node, label and Deployment after them.

records=/var/log/collected-opentelemetry/records

has_opentelemetry() { [[ -e $images/loglink-test-opentelemetry.tar ]]; }

start_opentelemetry() {
  # shellcheck disable=SC2016  # backquotes are Markdown's
  sed -n '/^```yaml$/,/^```$/p' "$repository/docs/collectors/opentelemetry.md" | sed '1d;$d' >"$work/documented.yaml"
  kubectl apply -f "$folder/opentelemetry/objects.yaml" &&
    kubectl -n logging create configmap opentelemetry --from-file="$work/documented.yaml" \
      --from-file="$folder/opentelemetry/test.yaml"
}

# The last record may be half written.
record_lines() {
  jq -r '.resourceLogs[] | (.resource.attributes | map({(.key): .value.stringValue}) | add) as $of
    | .scopeLogs[].logRecords[] | (.attributes | map({(.key): .value.stringValue}) | add) as $has
    | [$has["log.file.name"], $of["k8s.namespace.name"], $of["k8s.pod.name"], $of["k8s.pod.uid"], $has["loglink.source"],
       .body.stringValue, $of["k8s.node.name"], $of["app"], $of["k8s.deployment.name"]] | map(. // "") | join("|")' \
    "$records" 2>/dev/null || true
}
# by_opentelemetry COMMAND...: of what it has collected by now, instead of rsyslog.
by_opentelemetry() {
  local collected=$work/opentelemetry-lines
  record_lines >"$collected"
  "$@"
}

# known_to_be_of POD UID DEPLOYMENT: each of its lines.
known_to_be_of() {
  local wrong wanted="$1_shop_app-app.log|shop|$1|$2|app-app|$1 %d|$node|writer|$3"
  wrong=$(lines_with_metadata "$1" | awk -F '|' -v wanted="$wanted" '{number = $6; sub(/.* /, "", number)}
    $0 != sprintf(wanted, number)')
  [[ -z $wrong ]] || { printf 'instead of %s\n' "$wanted"; head -n 3 <<<"$wrong"; return 1; }
}
lines_with_metadata() { awk -F '|' -v pod="$1" 'index($6, pod " ") == 1' "$collected"; }

restart_opentelemetry() {
  kubectl -n logging rollout restart daemonset/opentelemetry &&
    kubectl -n logging rollout status --timeout "$((80 * patience))s" daemonset/opentelemetry
}
was_refused_a_symlink() { kubectl -n logging logs daemonset/opentelemetry --tail=-1 | grep -q 'too many levels of symbolic links'; }
nothing_foreign() { local lines; lines=$(foreign_lines); [[ -z $lines ]] || { head -n 3 <<<"$lines" | cut -c 1-150; return 1; }; }
deployment_runs() { kubectl -n shop rollout status --timeout "$((60 * patience))s" deployment/store; }
store_pod() { kubectl -n shop get pods -l app=store -o jsonpath='{.items[0].metadata.name}'; }

make_deployment() {
  kubectl apply -f - <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: store, namespace: shop}
spec:
  selector: {matchLabels: {app: store}}
  template:
    metadata:
      labels: {app: store, app.kubernetes.io/name: writer}
      annotations: {loglink/watch-dir: /logs}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - name: app
        image: loglink-test:1
        command: [/bin/writer, /logs/app.log, "200", "0.01"]
        volumeMounts: [{name: logs, mountPath: /logs}]
      volumes: [{name: logs, emptyDir: {}}]
YAML
}

check_attribution() {
  local pod pods=(tea-0 tea shop-tea-0 b)
  for pod in "${pods[@]}"; do writer_pod "$pod" 200 0.01 >/dev/null; done
  expect 'a Deployment is made' make_deployment
  expect 'it runs' deployment_runs
  for pod in "${pods[@]}" "$(store_pod)"; do
    expect "$pod: the collector has each of its 200 lines once" within 90 by_opentelemetry each_line_once "$pod" 200
    expect "$pod: each line has pod, uid, node, label and owner" by_opentelemetry known_to_be_of "$pod" "$(uid_of "$pod")" \
      "$([[ $pod != store-* ]] || echo store)"
  done
  kubectl -n shop delete deployment store --wait=false >/dev/null
  kubectl -n shop delete pods "${pods[@]}" --wait=false >/dev/null
}

check_restarts() {
  local number
  for number in 1 2; do writer_pod "cup-$number" 2000 0.02 >/dev/null; done
  for number in 1 2; do expect "the collector reads cup-$number" within 60 by_opentelemetry lines_come_from "cup-$number"; done
  expect 'the agent is rolled out anew' restart daemonset/loglink-agent
  expect 'the collector itself too' restart_opentelemetry
  for number in 1 2; do
    expect "cup-$number: each of its 2000 lines was collected once" within 180 by_opentelemetry each_line_once "cup-$number" 2000
  done
  kubectl -n shop delete pods cup-1 cup-2 --wait=false >/dev/null
}

# Unlike rsyslog it opens the links, so that the safe roots hold.
check_swaps() {
  local victim pod
  writer_pod victim 10 0 >/dev/null
  kubectl apply -f "$folder/objects/attack.yaml" >/dev/null
  for pod in attacker victim; do wait_for "pod $pod" 90 phase_is "$pod" Running; done
  prepare_attack
  victim=$(uid_of victim)
  expect "the attacker's five files are linked" within 60 attacker_has_links
  expect 'the collector has read them' within 60 by_opentelemetry collected_of_attacker
  start_flipping "$victim"
  expect 'it meets symlinks in their place, and is refused' within 60 was_refused_a_symlink
  wait_for "a while of attack" 60 polled_often
  expect 'it collects nothing that the attacker did not write' by_opentelemetry nothing_foreign
  # The next part makes pods of the same names.
  kubectl -n shop delete pods attacker reader victim >/dev/null
}
polled_often() { (($(kubectl -n logging logs daemonset/opentelemetry --tail=-1 | grep -c 'too many levels of symbolic links') > 20)); }

part_opentelemetry() {
  if ! has_opentelemetry; then
    echo "skipped: no OpenTelemetry Collector is built; scripts/e2e opentelemetry builds one"
    return
  fi
  expect 'the collector starts, behind the gate, with the documented configuration' start_opentelemetry
  expect 'it runs' within 90 pods_are_ready logging app=opentelemetry
  check_attribution
  check_restarts
  check_swaps
  kubectl -n logging delete daemonset opentelemetry >/dev/null
}
