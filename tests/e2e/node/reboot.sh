# shellcheck shell=bash disable=SC2154,SC2317  # variables are shared between these files; "expect" calls functions
# The node goes down and comes up: all that is in /run is gone, every pod starts at the same time. A collector behind the
# gate sees each line once; another one, as a user might write it, shows what the gate is for.

ungated=/var/log/collected-ungated/lines

# Like rsyslog, but without the gate and without mount propagation.
start_ungated_collector() {
  kubectl -n logging get daemonset rsyslog -o json | jq '
    {apiVersion, kind, metadata: {name: "ungated", namespace: "logging"}, spec: (.spec
     | .selector.matchLabels.app = "ungated" | .template.metadata.labels.app = "ungated"
     | .template.spec |= (.volumes |= (map(select(.name != "gate")) | map(
           if .name == "state" then .hostPath.path = "/var/log/ungated-state"
           elif .name == "collected" then .hostPath.path = "/var/log/collected-ungated" else . end))
         | .containers[0].volumeMounts |= (map(select(.name != "gate")) | map(del(.mountPropagation)))))}' |
    kubectl apply -f -
}

# Asks every container to end, as an orderly shutdown does; the kubelet goes first, so that none comes again.
halt_node() {
  local container
  kill "$kubelet_pid"
  wait "$kubelet_pid" 2>/dev/null || true
  for container in $("${ctr[@]}" tasks ls -q); do "${ctr[@]}" tasks kill --signal SIGTERM "$container" >/dev/null 2>&1 || true; done
  wait_for "the containers to end" 30 no_container_runs
  kill "$containerd_pid"
  wait "$containerd_pid" 2>/dev/null || true
  cut_power
}
no_container_runs() { ! "${ctr[@]}" tasks ls | grep -q RUNNING; }

targets() { find "$links" -maxdepth 1 -name 'reboot-*' -printf '%f -> %l\n' | sort; }
same_targets() { local after; after=$(targets); [[ $after == "$1" ]] || { diff <(echo "$1") <(echo "$after"); return 1; }; }
run_is_empty() { [[ ! -e /run/loglink && ! -e /run/containerd ]] && ! grep -q ' /run/loglink' /proc/self/mountinfo; }
reboot_pods_run() {
  [[ $(kubectl -n shop get pods -o json | jq '[.items[] | select((.metadata.name | startswith("reboot-"))
    and .status.containerStatuses[0].state.running)] | length') == 3 ]]
}
rsyslog_started_after_the_gate() {
  local opened started
  opened=$(stat -c %Y /run/loglink/roots/.ready)
  started=$(date +%s -d "$(kubectl -n logging get pods -l app=rsyslog -o json | jq -r '.items[0].status.containerStatuses[0].state.running.startedAt')")
  ((started >= opened)) || { echo "the gate opened at $opened, rsyslog started at $started"; return 1; }
}
# What a collector has of a pod's lines: tell FILE POD N
tell() {
  awk -F '|' -v pod="$2" -v wanted="$3" 'index($6, pod " ") == 1 {split($6, word, " "); if (seen[word[2]]++) again++; else count++}
    END {printf "%d of %d lines, %d repeated", count, wanted, again}' "$1"
}
no_line_is_lost() { [[ $(lines_of "$1" | sort -u | wc -l) == "$2" ]] || { tell "$collected" "$1" "$2"; return 1; }; }
links_are_older_than_the_gate() {
  local late
  late=$(find "$links" -maxdepth 1 -name 'reboot-*' -newer /run/loglink/roots/.ready)
  [[ -z $late ]] || { echo "made after the gate was opened: $late"; return 1; }
}

bring_up() {
  local started
  started=$(now)
  start_containerd
  start_kubelet
  expect 'the same links are there again' within 90 same_targets "$1"
  measured "power on to links: $(since "$started") s"
  expect 'the pods run again' within 90 reboot_pods_run
  expect 'rsyslog runs again' within 90 pods_are_ready logging app=rsyslog
  expect 'and the agent' within 90 agents_ready
  expect 'rsyslog was held back until the gate was opened' rsyslog_started_after_the_gate
  expect 'and the links were there before that' links_are_older_than_the_gate
}

# keep_agent_away yes|no: by a node selector that no node has.
keep_agent_away() {
  local label=null
  [[ $1 == no ]] || label='"yes"'
  kubectl -n loglink-system patch daemonset loglink-agent --type merge \
    -p '{"spec": {"template": {"spec": {"nodeSelector": {"no-such-node": '"$label"'}}}}}'
}
no_agent() { [[ -z $(kubectl -n loglink-system get pods -l app.kubernetes.io/component=agent -o name) ]]; }
waits_for_the_gate() { kubectl -n logging get events -o json | jq -e 'any(.items[]; .reason == "FailedMount" and (.message | contains(".ready")))'; }
rsyslog_does_not_run() { kubectl -n logging get pods -l app=rsyslog -o json | jq -e '.items[0].status.containerStatuses[0].state.running == null'; }

# Which of them starts first after a reboot is chance; here it is the collectors.
check_late_agent() {
  say "reboot: the agent comes after the collectors"
  kubectl -n shop delete pods --all >/dev/null
  expect 'the agent is taken away' keep_agent_away yes
  expect 'it is gone' within 60 no_agent
  kubectl -n logging delete events --all >/dev/null
  writer_pod late-1 50 0 >/dev/null
  expect 'a pod writes' within 60 phase_is late-1 Running
  cut_power
  start_containerd
  start_kubelet
  expect 'rsyslog waits for the gate' within 90 waits_for_the_gate
  expect 'the collector without the gate runs' within 90 pods_are_ready logging app=ungated
  expect 'rsyslog does not run' rsyslog_does_not_run
  expect 'the agent may come' keep_agent_away no
  expect 'the gate opens, and rsyslog runs' within 120 pods_are_ready logging app=rsyslog
  expect 'rsyslog has each line once' within 90 each_line_once late-1 50
  touch "$ungated"
  measured "late-1: without gate and propagation: $(tell "$ungated" late-1 50)"
}

part_reboot() {
  local before number
  expect 'rsyslog runs, behind the gate' start_collector
  expect 'another rsyslog runs without it' start_ungated_collector
  for number in 1 2 3; do writer_pod "reboot-$number" 3000 0.02 >/dev/null; done
  expect 'three pods are linked' within 60 linked_count_is 'reboot-?' 3
  for number in 1 2 3; do expect "rsyslog reads reboot-$number" within 60 lines_come_from "reboot-$number"; done
  expect 'the other one runs too' within 60 pods_are_ready logging app=ungated
  before=$(targets)
  halt_node
  expect 'the node is down, and nothing of loglink is left in /run' run_is_empty
  bring_up "$before"
  expect 'no mount was stacked' one_mount_each
  for number in 1 2 3; do
    expect "reboot-$number: each of its 3000 lines was collected once" within 150 each_line_once "reboot-$number" 3000
    measured "reboot-$number: without the gate: $(tell "$ungated" "reboot-$number" 3000)"
  done
  say "reboot: the power fails"
  for number in 1 2 3; do kubectl -n shop delete pod "reboot-$number" >/dev/null; done
  for number in 4 5 6; do writer_pod "reboot-$number" 1500 0.02 >/dev/null; done
  for number in 4 5 6; do expect "rsyslog reads reboot-$number" within 60 lines_come_from "reboot-$number"; done
  expect 'the links of the pods before are gone' within 60 linked_count_is 'reboot-[123]' 0
  before=$(targets)
  cut_power
  bring_up "$before"
  for number in 4 5 6; do
    expect "reboot-$number: none of its 1500 lines is lost" within 120 no_line_is_lost "reboot-$number" 1500
    # Whatever a collector had not noted when it was killed, it reads again: with a gate or without.
    measured "reboot-$number: killed with the node, behind the gate: $(tell "$collected" "reboot-$number" 1500); without:" \
      "$(tell "$ungated" "reboot-$number" 1500)"
  done
  check_late_agent
  kubectl -n logging delete daemonset ungated >/dev/null
  kubectl -n shop delete pods --all --wait=false >/dev/null
}
