# shellcheck shell=bash disable=SC2154,SC2317  # variables are shared between these files; "expect" calls functions
# rsyslog reads the links. A collected line is "file|namespace|pod|uid|container|text"; the uid is the API server's.

collected=/var/log/collected/lines

start_collector() {
  [[ ! -e $collected ]] || return 0
  kubectl apply -f "$folder/objects/rsyslog.yaml" >/dev/null
  wait_for "rsyslog to run" 60 pods_are_ready logging app=rsyslog
  mkdir -p /var/log/collected
  touch "$collected"
}

lines_of() { awk -F '|' -v pod="$1" 'index($6, pod " ") == 1 {print $6}' "$collected"; }

# Every line once: lines 1 to N of each pod, in any order. each_line_once POD N
each_line_once() {
  lines_of "$1" | awk -v wanted="$2" '{if (seen[$2]++) again++; else count++}
    END {if (count != wanted || again) {printf "%d of %d lines, %d repeated\n", count, wanted, again; exit 1}}'
}

# Every line that names a pod of namespace shop in its text came through that pod's link, and has its uid.
attributed() {  # attributed POD UID
  local wrong
  wrong=$(awk -F '|' -v pod="$1" -v uid="$2" 'index($6, pod " ") == 1 &&
    ($1 != "/run/loglink/links/" pod "_shop_app-app.log" || $2 != "shop" || $3 != pod || $4 != uid || $5 != "app")' "$collected")
  [[ -z $wrong ]] || { head -n 3 <<<"$wrong"; return 1; }
}

part_collector() {
  local pod pods=(web-0 web-1 web shop-web-0 a)
  expect 'rsyslog starts, behind the gate' start_collector
  for pod in "${pods[@]}"; do writer_pod "$pod" 200 0.01 >/dev/null; done
  for pod in "${pods[@]}"; do
    expect "$pod: rsyslog has each of its 200 lines once" within 60 each_line_once "$pod" 200
    expect "$pod: each line is known to be of this pod, by its uid" attributed "$pod" "$(uid_of "$pod")"
  done
  kubectl -n shop delete pods "${pods[@]}" --wait=false >/dev/null
}
