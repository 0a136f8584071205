# shellcheck shell=bash disable=SC2154,SC2317  # variables are shared between these files; "expect" calls functions
# Pods of each kind of volume: what is linked, what is refused, and what they are told.

# expect_pod POD STATUS TEXT-OF-MESSAGE|- LINK...
expect_pod() {
  local pod=$1 status=$2 message=$3
  shift 3
  expect "$pod: the status is $status" within 30 annotation_is "$pod" status "$status"
  [[ $message == - ]] || expect "$pod: the message says $message" within 20 annotation_has "$pod" message "$message"
  expect "$pod: links: ${*:-none}" within 20 has_links "$pod" "$@"
}

writers_run() { kubectl -n shop get pods -o json | jq -e '[.items[] | select(.status.phase != "Running")] == []'; }
events_tell() {
  kubectl -n shop get events -o json | jq -e --arg pod "$1" --arg text "$2" \
    'any(.items[]; .involvedObject.name == $pod and .type == "Warning" and ("\(.reason) \(.message)" | contains($text)))' ||
    { kubectl -n shop get events; kubectl -n loglink-system logs --prefix --tail 50 -l app.kubernetes.io/component=controller; return 1; }
}

add_annotation() { kubectl -n shop annotate pod plain loglink/watch-dir=/logs; }
remove_annotation() { kubectl -n shop annotate pod plain loglink/watch-dir-; }

part_volumes() {
  kubectl apply -f "$folder/objects/volumes.yaml"
  cp "$folder/objects/static.yaml" "$work/static-pods/static.yaml"
  wait_for "the pods to run" 120 writers_run
  expect_pod empty-dir Linked - empty-dir_shop_app-app.log
  expect_pod sub-path Linked - sub-path_shop_app-app.log
  expect_pod host-path Linked - host-path_shop_app-app.log
  expect_pod sub-path-expr Linked - sub-path-expr_shop_app-app.log
  expect_pod two-containers Linked - two-containers_shop_one-app.log two-containers_shop_two-app.log
  expect_pod patterns Linked - patterns_shop_app-app.log
  expect_pod deep Linked - deep_shop_app-app.log "deep_shop_app-more-$(digest_of deep more.log).log"
  expect_pod claim Invalid VolumeKindNotSupported
  expect_pod memory Invalid VolumeKindNotSupported
  expect_pod other-host-path Invalid HostPathNotAllowed
  expect_pod other-namespace Invalid HostPathNotAllowed
  expect_pod no-volume Invalid NotOnAVolume
  expect_pod typo Pending DirectoryNotFound
  expect_pod half Degraded VolumeKindNotSupported half_shop_app-app.log
  expect_pod "static-$node" Invalid StaticPod
  expect_pod plain '' -
  expect 'kubectl describe shows a refusal' within 20 events_tell claim VolumeKindNotSupported

  expect 'an annotation may come later' add_annotation
  expect_pod plain Linked - plain_shop_app-app.log
  expect 'an annotation may go' remove_annotation
  expect 'plain: its link goes after the linger' within 30 no_links_of plain
  expect 'plain: its answers go too' within 30 annotation_is plain status ''
  expect 'every link is a link into a safe root' links_are_safe
  rm "$work/static-pods/static.yaml"
  kubectl -n shop delete pods --all --wait=false
  kubectl -n shop delete pvc --all --wait=false
  expect 'all links go with their pods' within 60 no_links_at_all
}

# The eight hex digits that name a file which is not directly in the watch dir.
digest_of() { links_of "$1" | sed -nE "s/.*-${2%.log}-([0-9a-f]{8})\.log$/\1/p"; }

links_are_safe() {
  local bad
  bad=$(find "$links" -maxdepth 1 -type l ! -lname '/run/loglink/roots/*')
  [[ -z $bad ]] || { echo "$bad"; return 1; }
}
