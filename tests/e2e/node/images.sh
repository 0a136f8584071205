# shellcheck shell=bash disable=SC2034,SC2154  # variables are shared between these files
# The images of the node test, made from Debian packages of this machine's release: no registry is needed.

# archive <rootfs> <name> <entrypoint...>: to $images/NAME.tar
archive() {
  local rootfs=$1 name=$2 level=1
  shift 2
  printf '%s\n' "$@" | jq -nRc '{Entrypoint: [inputs], WorkingDir: "/", Env: ["PATH=/bin:/sbin:/usr/bin:/usr/sbin"]}' |
    write_image "$rootfs" "$name" 1 "$images/$name.tar" 0 >/dev/null
}

# What pods run: a shell with the usual commands, the writer of logs, the probe.
make_pod_images() {
  local rootfs=$work/rootfs applet
  mkdir -p "$rootfs"/{bin,tmp,etc} "$work/pause"
  g++ -std=c++20 -O1 -static -s -o "$rootfs/bin/probe" "$folder/probe.cc"
  cp "$rootfs/bin/probe" "$work/pause/probe"
  archive "$work/pause" loglink-test-pause /probe pause
  cp "$folder/writer" "$(command -v busybox)" "$rootfs/bin/"
  for applet in $(busybox --list); do
    [[ -e $rootfs/bin/$applet ]] || ln -s busybox "$rootfs/bin/$applet"
  done
  printf 'root:x:0:0:root:/:/bin/sh\n' >"$rootfs/etc/passwd"
  archive "$rootfs" loglink-test /bin/sh
}

# The log collector: Debian's rsyslog with mmkubernetes, and every package that they need, unpacked.
make_collector_image() {
  local rootfs=$work/rsyslog packages=$cache/rsyslog-packages package
  mkdir -p "$packages/partial" "$rootfs"
  # With an empty status apt takes nothing for installed, and fetches all of it. "_apt" may not write there.
  : >"$work/empty-status"
  apt-get install -y -q --download-only --no-install-recommends -o Dir::State::status="$work/empty-status" \
    -o Dir::Cache::archives="$packages" -o APT::Sandbox::User=root rsyslog rsyslog-kubernetes
  mkdir -p "$rootfs"/{usr/lib,usr/bin,usr/sbin,usr/lib64,tmp,run,var}
  for package in lib bin sbin lib64; do ln -s "usr/$package" "$rootfs/$package"; done
  for package in "$packages"/*.deb; do dpkg-deb --fsys-tarfile "$package" | tar x -C "$rootfs" --keep-directory-symlink; done
  rm -rf "$rootfs"/usr/share/{doc,man,locale,lintian}
  printf 'root:x:0:0:root:/:/\n' >"$rootfs/etc/passwd"
  printf 'root:x:0:\n' >"$rootfs/etc/group"
  archive "$rootfs" loglink-test-rsyslog /usr/sbin/rsyslogd -n -i NONE -f /config/rsyslog.conf
}

# Another collector, linked statically.
make_opentelemetry_image() {
  local rootfs=$work/opentelemetry
  mkdir -p "$rootfs"/{etc,tmp,usr/bin}
  cp "$bin/otelcol" "$rootfs/usr/bin/"
  archive "$rootfs" loglink-test-opentelemetry /usr/bin/otelcol
}
