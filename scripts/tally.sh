# shellcheck shell=bash
# Sourced by scripts that check many small things: each is printed when it fails - and, after "show_passes=1", also when
# it holds - and counted; "tally" ends the script.

passed=0 failed=0 show_passes=''

count_pass() {  # count_pass WHAT
  passed=$((passed + 1))
  [[ -z $show_passes ]] || printf 'ok: %s\n' "$1"
}

count_failure() {  # count_failure WHAT OUTPUT
  failed=$((failed + 1))
  printf 'FAILED: %s\n    %s\n' "$1" "${2//$'\n'/$'\n'    }"
}

# expect <what> <command...>: the command's output is shown only when it fails.
expect() {
  local what=$1 output
  shift
  if output=$("$@" 2>&1); then
    count_pass "$what"
  else
    count_failure "$what" "$output"
  fi
}

# expect_failure <what> <text> <command...>: it fails, and says that text.
expect_failure() {
  local what=$1 text=$2 output status=0
  shift 2
  output=$("$@" 2>&1) || status=$?
  if ((status)) && [[ $output == *"$text"* ]]; then
    count_pass "$what"
  else
    count_failure "$what: exit code $status, and expected to read: $text" "$output"
  fi
}

tally() {
  printf '%d passed, %d failed\n' "$passed" "$failed"
  exit $((failed > 0))
}
