# shellcheck shell=bash disable=SC2154,SC2317  # variables are shared between these files; "expect" calls functions
# helm uninstall takes all links away, and leaves the pods alone.

nothing_installed() {
  local all left
  all=$(kubectl get deployment,daemonset,job,poddisruptionbudget,configmap,secret,serviceaccount,role,rolebinding,clusterrole,clusterrolebinding,validatingadmissionpolicy,validatingadmissionpolicybinding -A -o name) || return 1
  left=$(grep loglink <<<"$all") || return 0
  echo "$left"
  return 1
}
sets_are_empty() { kubectl get nodelinksets -o json | jq -e 'all(.items[]; .spec.sources == [] and (.status.links // 0) == 0)'; }
no_process_is_left() { ! grep -sE '^loglink-(agent|control)' /proc/[0-9]*/comm; }

# Helm does not wait for the drain: its record says "uninstalling" then, and helm upgrade refuses.
uninstall_breaks_off() { ! helm uninstall loglink --namespace loglink-system --timeout 2s; }
# As docs/operations/uninstall.md says.
change_ones_mind() {
  local revision
  revision=$(helm history loglink --namespace loglink-system --output json | jq '.[-1].revision') &&
    helm rollback loglink "$revision" --namespace loglink-system &&
    kubectl -n loglink-system delete job loglink-drain &&
    kubectl -n loglink-system delete lease loglink-controller && both_are_rolled_out
}

part_uninstall() {
  local started
  writer_pod last-1 1000000 0.05 >/dev/null
  writer_pod last-2 1000000 0.05 >/dev/null
  expect 'two pods are linked' within 60 has_links last-1 last-1_shop_app-app.log
  expect 'two pods are linked: the other one' within 60 has_links last-2 last-2_shop_app-app.log
  expect 'helm uninstall fails where the drain does not end in time' uninstall_breaks_off
  expect 'a rollback makes the release whole' change_ones_mind
  writer_pod last-3 1000000 0.05 >/dev/null
  expect 'and it links again' within 60 has_links last-3 last-3_shop_app-app.log
  started=$(now)
  expect 'helm uninstalls' helm uninstall loglink --namespace loglink-system --timeout "$((80 * patience))s"
  measured "helm uninstall: $(since "$started") s"
  expect 'no link is left' no_links_at_all
  expect 'the NodeLinkSets are empty' sets_are_empty
  expect 'nothing that the chart made is left' within 30 nothing_installed
  expect 'no process is left' within 60 no_process_is_left
  expect 'the pods run on' phase_is last-1 Running
  measured "a pod is deleted afterwards in $(seconds_to_delete last-1) s"
  expect 'loglink can be installed again' install_loglink
  expect 'and links the pod again' within 60 has_links last-2 last-2_shop_app-app.log
}
