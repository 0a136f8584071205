# shellcheck shell=bash disable=SC2154  # variables are shared between these files
# Writes docs/node-test.md from what a run of the node test has printed.

# shellcheck disable=SC2016  # backquotes are Markdown's
document() {  # document TRANSCRIPT SECONDS > PAGE
  local tally
  tally=$(tail -n 1 "$1")
  cat <<END
# The node test

What one run of \`scripts/e2e\` did and measured. Made by \`scripts/e2e --document\`, which installs the chart with Helm on a
node of its own, with the images of \`scripts/build-images\`. Times are those of a test machine that may have had other work,
and are no benchmark. The gate is the volume that holds a collector back until the links are there, see
[collectors](collectors/README.md#what-the-collectors-pod-needs); the linger was set to 10 s.

| | |
|---|---|
| result | $tally, in $((($2 + 30) / 60)) minutes |
| day, Linux, cores, load at the end | $(date -u +%F), $(uname -r), $(nproc), $(cut -d' ' -f1 /proc/loadavg) |
| control plane | $("$bin/kubelet" --version), etcd $("$bin/etcd" --version | sed -n 's/^etcd Version: //p'), Helm $("$bin/helm" version --template '{{.Version}}') |
| node | containerd $(version_of containerd), runc $(version_of runc), CNI plugins $(version_of containernetworking-plugins) |
| collectors | rsyslog $(version_of rsyslog)$(version_of_opentelemetry) |

## Images

\`\`\`
$(cat "$work/image-sizes")
\`\`\`
END
  awk '
    function flush_part(  i) {
      if (name == "") return
      sub(/^opentelemetry/, "OpenTelemetry", name)
      printf "\n## %s%s\n\n", toupper(substr(name, 1, 1)), substr(name, 2)
      for (i = 1; i <= measures; i++) print measure[i]
      if (measures && checks) print ""
      if (checks) print "```"
      for (i = 1; i <= checks; i++) print check[i]
      if (checks) print "```"
      measures = checks = 0
    }
    {sub(/ +$/, "")}
    /^==> / {flush_part(); name = substr($0, 5); next}
    /^measured: / {measure[++measures] = "- " substr($0, 11); after = 1; next}
    /^    / && after {measure[measures] = measure[measures] "\n" $0; next}
    {after = 0}
    /^(ok|FAILED): / {check[++checks] = $0}
    END {flush_part()}' "$1"
}

version_of() {
  dpkg-query -W -f '${Version}' "$1" 2>/dev/null ||
    # rsyslog may not be installed: its package is in the cache.
    find "$cache/$1-packages" -name "$1_*.deb" -printf '%f\n' 2>/dev/null | cut -d_ -f2
}
version_of_opentelemetry() {
  [[ ! -x $bin/otelcol ]] || printf ', OpenTelemetry Collector %s' "$("$bin/otelcol" --version | sed 's/.* //')"
}
