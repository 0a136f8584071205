# shellcheck shell=bash disable=SC2154,SC2317  # variables are shared between these files; "expect" calls functions
# Agent and controllers are restarted and upgraded while pods write and come and go: no link is touched, no line is lost
# or repeated.

# What a link is: its name, inode and time of making. A link that was made again differs.
identities() { find "$links" -maxdepth 1 -name 'load-*' -printf '%f %i %C@\n' | sort; }
same_links() { local after; after=$(identities); [[ $after == "$1" ]] || { diff <(echo "$1") <(echo "$after"); return 1; }; }
linked_count_is() { [[ $(find "$links" -maxdepth 1 -name "$1_shop_app-app.log" | wc -l) == "$2" ]]; }

restart() { kubectl -n loglink-system rollout restart "$1" && kubectl -n loglink-system rollout status --timeout "$((80 * patience))s" "$1"; }
kill_agent() { kill -9 "$(pid_of loglink-system app.kubernetes.io/component=agent agent)"; }
agents_ready() { pods_are_ready loglink-system app.kubernetes.io/component=agent; }
one_mount_each() {
  local count
  count=$(awk '$5 ~ "^/run/loglink/roots" {print $5}' /proc/self/mountinfo | sort | uniq -c | awk '$1 != 1')
  [[ -z $count ]] || { echo "$count"; return 1; }
}

agent_restarts() {
  kubectl -n loglink-system get pods -l app.kubernetes.io/component=agent -o json |
    jq '[.items[].status.containerStatuses[]?.restartCount] | add'
}
# Not merely still told to be ready: the kubelet notices a death about a second later.
agent_came_back() { (($(agent_restarts) > $1)) && agents_ready; }

part_restarts() {
  local number before started restarts
  expect 'rsyslog runs' start_collector
  for number in 1 2 3 4; do writer_pod "load-$number" 4000 0.01 >/dev/null; done
  expect 'four pods under load are linked' within 60 linked_count_is 'load-?' 4
  before=$(identities)
  started=$(now)
  expect 'the agent is rolled out anew' restart daemonset/loglink-agent
  writer_pod between-1 200 0.01 >/dev/null
  expect 'the controllers are rolled out anew' restart deployment/loglink-controller
  writer_pod between-2 200 0.01 >/dev/null
  expect 'helm upgrades both at once' upgrade
  expect 'helm rolls back' roll_back
  restarts=$(agent_restarts)
  expect 'and the agent once more, by kill -9' kill_agent
  expect 'it comes back' within 60 agent_came_back "$restarts"
  measured "all restarts: $(since "$started") s"
  expect 'no link was touched' same_links "$before"
  expect 'no safe root was stacked' one_mount_each
  for number in 1 2; do expect "a pod that came meanwhile is linked: between-$number" within 60 linked_count_is "between-$number" 1; done
  for number in 1 2 3 4; do
    expect "load-$number: each of its 4000 lines was collected once" within 120 each_line_once "load-$number" 4000
  done
  for number in 1 2; do expect "between-$number: each of its 200 lines once" within 60 each_line_once "between-$number" 200; done
  kubectl -n shop delete pods --all --wait=false >/dev/null
}
both_are_rolled_out() {
  kubectl -n loglink-system rollout status --timeout "$((80 * patience))s" daemonset/loglink-agent &&
    kubectl -n loglink-system rollout status --timeout "$((80 * patience))s" deployment/loglink-controller
}
# As docs/operations/upgrade.md says; a changed value changes the pods of both programs.
upgrade() {
  # A CRD that differs: only then Helm's ownership of its fields matters.
  sed 's/^\( *description: \)/\1Newer. /' "$repository"/charts/loglink/crds/*.yaml |
    kubectl apply --server-side --force-conflicts -f - &&
    helm upgrade loglink "$repository/charts/loglink" --namespace loglink-system --reset-then-reuse-values \
      --set config.logLevel=debug && both_are_rolled_out
}
roll_back() { helm rollback loglink --namespace loglink-system && both_are_rolled_out; }
