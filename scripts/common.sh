# shellcheck shell=bash
# Sourced by the scripts here: where things are, and how a step is said and run.

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

# quietly <what> <command...>: runs it without output; on failure shows all of it and ends.
quietly() {
  local what=$1 log status=0
  shift
  log=$(mktemp)
  "$@" >"$log" 2>&1 || status=$?
  if ((status)); then
    cat "$log" >&2
    rm -f "$log"
    fail "$what failed (exit code $status); its output is above"
  fi
  rm -f "$log"
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

# install_packages <package...>: Debian packages, only those that are missing.
install_packages() {
  local package missing=()
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  if ((EUID != 0)) && ! sudo -n true 2>/dev/null; then
    fail "these Debian packages are missing and I may not install them: ${missing[*]}
       cure: run as root, or: sudo apt-get install --no-install-recommends ${missing[*]}"
  fi
  say "Installing ${#missing[@]} Debian packages"
  quietly "apt-get update" as_root apt-get update -q
  quietly "apt-get install" as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# build <preset> [target...]
build() {
  local preset=$1
  shift
  cd "$repository" || exit
  quietly "cmake --preset $preset" cmake --preset "$preset"
  quietly "the build of preset $preset" cmake --build --preset "$preset" -j "$jobs" \
    ${1:+--target "$@"}
}

# run_tests <preset> [ctest arguments...]: prints failures in full, then one line "N passed, N failed"
# that counts test cases. Returns 1 when one failed.
run_tests() {
  local preset=$1 results status=0
  shift
  results=$repository/build/$preset/test-results
  rm -rf "$results"
  mkdir -p "$results"
  (cd "$repository/build/$preset" &&
    GTEST_OUTPUT="json:$results/" ctest --output-on-failure -j "$jobs" "$@") || status=$?
  local total failed programs
  total=$(cat "$results"/*.json 2>/dev/null | jq -s 'map(.tests) | add // 0')
  failed=$(cat "$results"/*.json 2>/dev/null | jq -s 'map(.failures + .errors) | add // 0')
  # A program that is no GoogleTest, or that crashed or hung, wrote no results: it counts as one.
  programs=$(cd "$repository/build/$preset" && ctest -N "$@" | sed -n 's/^Total Tests: //p')
  total=$((total + programs - $(find "$results" -name '*.json' | wc -l)))
  if ((status && failed == 0)); then failed=1; fi
  if ((total == 0)); then failed=1 total=1; fi
  printf '%d passed, %d failed\n' $((total - failed)) "$failed"
  ((failed == 0))
}
