# shellcheck shell=bash disable=SC2154,SC2317  # variables are shared between these files; "expect" calls functions
# helm install, as the chart's README says, and the first link.

install_loglink() {
  helm install loglink "$repository/charts/loglink" --namespace loglink-system \
    --set config.linger=10s \
    --set-json 'config.roots=[{"name":"apps","path":"/var/log/apps","perNamespace":true}]'
}

explained_in_the_cluster() {
  kubectl -n shop get pod first -o yaml |
    kubectl -n loglink-system exec -i deployment/loglink-controller -- \
      /usr/bin/loglink-controller explain -f - --config /etc/loglink/controller.yaml -o json |
    jq -e '.pods[0].refusals == [] and (.nodeLinkSets[0].spec.sources | length) == 1'
}
node_link_set() { kubectl get nodelinkset "$node" -o json; }
agent_says_ready() {
  node_link_set | jq -e '.status.observedGeneration == .metadata.generation
    and any(.status.conditions[]; .type == "Ready" and .status == "True")'
}
table_shows_the_node() {
  local table
  table=$(kubectl get nls)
  [[ $table == NAME*PODS*LINKS*REFUSED*READY*$'\n'"$node "*True* ]] || { echo "$table"; return 1; }
}

part_install() {
  local installed
  say "install"
  kubectl create namespace loglink-system
  kubectl label namespace loglink-system pod-security.kubernetes.io/enforce=privileged
  kubectl create namespace shop
  wait_for "the namespace's service account" 60 kubectl -n shop get serviceaccount default
  writer_pod unwatched 1000000 0.02 ''
  wait_for "a pod that writes" 60 phase_is unwatched Running
  # shellcheck disable=SC2034  # deletion.sh reads it
  unwatched=$(seconds_to_delete unwatched)
  writer_pod first 3 0.01
  wait_for "the first pod to run" 60 phase_is first Running
  installed=$(now)
  expect 'helm installs the chart' install_loglink
  expect_failure 'a second release is refused' 'must equal "another": current value is "loglink"' \
    helm install another "$repository/charts/loglink" --namespace shop
  expect 'a pod that was there before gets its link' within 60 has_links first first_shop_app-app.log
  measured "helm install to first link: $(since "$installed") s"
  expect 'it reads what the pod wrote' link_reads first_shop_app-app.log 'first 1'
  expect 'the pod is told: Linked' within 20 annotation_is first status Linked
  expect 'and one link' within 20 annotation_is first links 1
  measured "helm install to the pod's answer: $(since "$installed") s"
  expect 'both programs are rolled out' kubectl -n loglink-system rollout status --timeout "$((60 * patience))s" \
    deployment/loglink-controller daemonset/loglink-agent
  expect "explain runs in the controller's pod, with its configuration" explained_in_the_cluster
  expect "the agent says that it is ready" within 30 agent_says_ready
  expect 'kubectl get nls shows the node' within 10 table_shows_the_node
}
