# shellcheck shell=bash disable=SC2154,SC2317  # variables are shared between these files; "expect" calls functions
# A tenant swaps its log files and directories for symlinks to what a collector can read and it cannot: the collector's
# token, the node's files, another tenant's logs. Read through loglink's links nothing may leak; read by the paths
# themselves it must, or the attack is none.

token=/var/run/secrets/kubernetes.io/serviceaccount/token
attack_names=(app.log absolute.log sub/token etc/passwd neighbour.log)

in_pod() { kubectl -n shop exec "$@"; }

prepare_attack() {
  # shellcheck disable=SC2016  # the pod's shell expands it
  in_pod attacker -- /bin/sh -c 'mkdir /logs/sub /logs/etc
    for name in app.log absolute.log sub/token etc/passwd neighbour.log; do echo "harmless $name" >/logs/$name; done'
}

# From the log's place: up to the pods' directory, which is the same through the safe root and on the node.
start_flipping() {  # start_flipping VICTIM'S-UID
  in_pod attacker -- /bin/sh -c "/bin/probe flip /logs app.log=$token absolute.log=/etc/passwd sub=${token%/*} etc=/etc \
    neighbour.log=../../../../$1/volumes/kubernetes.io~empty-dir/logs/app.log >/logs/flips 2>&1 &"
}

# count_of WORD OUTPUT
count_of() { sed -nE "s/.*$1 ([0-9]+).*/\1/p" <<<"$2"; }
leaks_nothing() {  # leaks_nothing OUTPUT: and it opened files at all, and was refused some
  [[ $(count_of leaked "$1") == 0 && $(count_of opened "$1") -gt 1000 && $(count_of refused "$1") -gt 1000 ]] || { echo "$1"; return 1; }
}
leaks() { [[ $(count_of leaked "$1") -gt 0 ]] || { echo "$1"; return 1; }; }
attacker_has_links() { [[ $(links_of attacker | wc -l) == 5 ]] || { links_of attacker; return 1; }; }
foreign_lines() { awk -F '|' '$3 == "attacker" && $6 !~ /^harmless/' "$collected"; }
collected_of_attacker() { grep -q '|attacker|.*|harmless' "$collected"; }
links_are_right() { [[ -z $(find "$links" -name 'attacker_*' ! -lname "/run/loglink/roots/kubelet-pods/$1/volumes/kubernetes.io~empty-dir/logs/*") ]]; }

part_attack() {
  local uid victim raw=() through=() name output
  expect 'rsyslog runs' start_collector
  writer_pod victim 10 0 >/dev/null
  kubectl apply -f "$folder/objects/attack.yaml" >/dev/null
  wait_for "the attacker" 60 phase_is attacker Running
  wait_for "the victim" 60 phase_is victim Running
  wait_for "the reader" 60 phase_is reader Running
  prepare_attack
  uid=$(uid_of attacker)
  victim=$(uid_of victim)
  expect "the attacker's five files are linked" within 30 attacker_has_links
  expect 'rsyslog has read them' within 60 collected_of_attacker
  for name in $(links_of attacker); do through+=("$links/$name"); done
  for name in "${attack_names[@]}"; do raw+=("/var/lib/kubelet/pods/$uid/volumes/kubernetes.io~empty-dir/logs/$name"); done

  start_flipping "$victim"
  output=$(in_pod reader -- /bin/probe read 20 "${through[@]}")
  expect 'in a pod: what is opened through the links is never a secret' leaks_nothing "$output"
  measured "through the links, in a pod: $output"
  output=$("$work/rootfs/bin/probe" read 10 "${through[@]}")
  expect 'on the node: the same' leaks_nothing "$output"
  measured "through the links, on the node: $output"
  output=$(in_pod reader -- /bin/probe read 5 "${raw[@]}")
  expect 'the same files by their own paths leak' leaks "$output"
  measured "by their own paths, in a pod: $output"
  expect "every link still points into the attacker's own volume" links_are_right "$uid"
  # Not a check: rsyslog asks realpath(3) where a link leads and opens the answer, so that no mount protects it.
  # docs/collectors/rsyslog.md says so.
  measured "rsyslog, which resolves names itself, collected $(foreign_lines | wc -l) lines that the attacker did not write:"
  foreign_lines | cut -c 1-150 | sed -n '1,3s/^/    /p'
  kubectl -n shop delete pods attacker reader victim --wait=false >/dev/null
}
