# shellcheck shell=bash
# Sourced by the scripts here: where things are, and how a step is said and run.

# The comment at its head is a script's help.
case ${1:-} in
  -h | --help)
    sed -n -e '/^# shellcheck /d' -e '2,/^[^#]/s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034  # used by those that source this
cache=${XDG_CACHE_HOME:-$HOME/.cache}/loglink
jobs=${LOGLINK_JOBS:-$(nproc)}

if [[ -t 1 ]]; then bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m'; else bold='' red='' plain=''; fi

say() { printf '%s==> %s%s\n' "$bold" "$*" "$plain"; }
fail() {
  printf '%serror:%s %s\n' "$red" "$plain" "$*" >&2
  exit 1
}

# quietly <what> <command...>: runs it without output, on a terminal with its latest line; on failure
# shows all of it and ends. The log has no name, so that an interrupted script leaves none.
quietly() {
  local what=$1 log status=0 input output
  shift
  log=$(mktemp)
  exec {output}>"$log"
  exec {input}<"$log"
  rm -f "$log"
  if [[ -t 1 ]]; then
    "$@" 2>&1 | show_latest_line "$output" || status=${PIPESTATUS[0]}
  else
    "$@" >&"$output" 2>&1 || status=$?
  fi
  if ((status)); then
    cat <&"$input" >&2
    fail "$what failed (exit code $status); its output is above"
  fi
  exec {output}>&- {input}<&-
}

# show_latest_line <fd>: copies stdin there; the terminal shows only the line that is the latest.
show_latest_line() {
  local line width
  read -r _ width < <(stty size <&2 2>/dev/null) || width=0
  ((width > 20)) || width=80
  while IFS= read -r line || [[ -n $line ]]; do
    printf '%s\n' "$line" >&"$1"
    printf '\r\e[K    %.*s' $((width - 5)) "${line//[^[:print:]]/ }"
  done
  printf '\r\e[K'
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

# missing_packages <package...>: those that are not installed, one a line.
missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
  done
}

# install_packages <package...>: Debian packages, only those that are missing.
install_packages() {
  local lock missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  if ((EUID != 0)) && ! sudo -n true 2>/dev/null; then
    fail "these Debian packages are missing and I may not install them: ${missing[*]}
       cure, as root or with sudo: apt-get update && apt-get install --no-install-recommends ${missing[*]}"
  fi
  # Two scripts at once: apt would refuse the second one.
  exec {lock}<"$repository/scripts"
  flock "$lock"
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]})); then
    say "Installing ${#missing[@]} Debian packages"
    quietly "apt-get update" as_root apt-get update -q
    quietly "apt-get install" as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -q -y --no-install-recommends "${missing[@]}"
  fi
  exec {lock}<&-
}

# build <preset> [target...]
build() {
  local preset=$1 lock
  shift
  cd "$repository" || exit
  # Two scripts at once: cmake and ninja do not share a build directory.
  mkdir -p "build/$preset"
  exec {lock}<"build/$preset"
  if ! flock -n "$lock"; then
    say "Waiting for another build of preset $preset"
    flock "$lock"
  fi
  quietly "cmake --preset $preset" cmake --preset "$preset"
  quietly "the build of preset $preset" cmake --build --preset "$preset" -j "$jobs" \
    ${1:+--target "$@"}
  exec {lock}<&-
}

# run_tests <preset> [ctest arguments...]: prints failures in full, how many tests were skipped for which reason, then
# one line "N passed, N failed" that counts test cases, without those. Returns 1 when one failed.
run_tests() {
  local preset=$1 results status=0
  shift
  results=$repository/build/$preset/test-results
  rm -rf "$results"
  mkdir -p "$results"
  (cd "$repository/build/$preset" &&
    GTEST_OUTPUT="xml:$results/" ctest --output-on-failure -j "$jobs" "$@") || status=$?
  report_results "$results" "$(cd "$repository/build/$preset" && ctest -N "$@" | sed -n 's/^Total Tests: //p')" "$status"
}

# report_results <folder with GoogleTest's XML> <programs that ran> <exit code of ctest>
report_results() {
  local folder=$1 programs=$2 status=$3 total failed skipped
  read -r total failed < <(cat "$folder"/*.xml 2>/dev/null | sed -n \
    's/^<testsuites tests="\([0-9]*\)" failures="\([0-9]*\)" disabled="[0-9]*" errors="\([0-9]*\)".*/\1 \2 \3/p' |
    awk '{ total += $1; failed += $2 + $3 } END { print total + 0, failed + 0 }')
  # A program that is no GoogleTest, or that crashed or hung, wrote no results: it counts as one.
  total=$((total + programs - $(find "$folder" -name '*.xml' | wc -l)))
  if ((status && failed == 0)); then failed=1; fi
  if ((total == 0)); then failed=1 total=1; fi
  # Its message begins with the place in the source.
  skipped=$(cat "$folder"/*.xml 2>/dev/null |
    sed -n 's/^ *<skipped message="[^"]*:[0-9]*&#x0A;\([^"]*\)".*/\1/p; s/^ *<skipped *\/>.*/no reason is given/p')
  if [[ -n $skipped ]]; then
    total=$((total - $(wc -l <<<"$skipped")))
    sort <<<"$skipped" | uniq -c |
      sed -E "s/&#x0A;/ /g; s/&apos;/'/g; s/&quot;/\"/g; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g
        s/^ *([0-9]+) (.*)/skipped: \1 (\2)/"
  fi
  printf '%d passed, %d failed\n' $((total - failed)) "$failed"
  ((failed == 0))
}
