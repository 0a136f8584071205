# shellcheck shell=bash disable=SC2154  # variables are shared between these files
# One real node, in the namespaces of this process: containerd and kubelet as their own folders and addresses.

node='node-a'
node_address=192.0.2.10
socket=/run/containerd/containerd.sock
starts=0
ctr=(ctr --address "$socket" --namespace k8s.io)

# Everything that a node writes outside of /run gets a folder below $work in its place.
make_world() {
  local place
  # As systemd has it; otherwise no mount would propagate into a container.
  mount --make-rshared /
  for place in "${places[@]}"; do
    mkdir -p "$work/node$place"
    mount --bind "$work/node$place" "$place"
  done
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/lock
  ip link set lo up
  ip address add 10.0.0.1/32 dev lo # the address of kubernetes.default; there is no kube-proxy
  ip link add node0 type bridge
  ip address add "$node_address/24" dev node0
  ip link set node0 up
  ip route add default via "$node_address"
  echo 1 >/proc/sys/net/ipv4/ip_forward
  : >"$work/resolv.conf"
  write_node_configuration
}

write_node_configuration() {
  cat >"$work/containerd.toml" <<END
version = 2
root = "$work/containerd"
state = "/run/containerd"
oom_score = 0
[grpc]
  address = "$socket"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/library/loglink-test-pause:1"
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$work/cni"
END
  mkdir -p "$work/cni" "$work/static-pods"
  cat >"$work/cni/10-bridge.conflist" <<END
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
 {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
  "ipam": {"type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": "10.22.0.0/16"}]],
           "routes": [{"dst": "0.0.0.0/0"}]}},
 {"type": "portmap", "capabilities": {"portMappings": true}}]}
END
  cat >"$work/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://$socket
cgroupDriver: cgroupfs
cgroupRoot: /$cgroup
failCgroupV1: false
failSwapOn: false
staticPodPath: $work/static-pods
resolvConf: $work/resolv.conf
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $cluster/pki/ca.crt}}
authorization: {mode: Webhook}
evictionHard: {memory.available: 1Mi, nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%"}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
nodeStatusUpdateFrequency: 5s
syncFrequency: 20s
fileCheckFrequency: 2s
END
}

start_containerd() {
  starts=$((starts + 1))
  containerd --config "$work/containerd.toml" >"$work/logs/containerd-$starts" 2>&1 &
  containerd_pid=$!
  # It answers before it knows its containers again; a kubelet that comes too early would end.
  wait_for containerd 60 grep -q 'Start streaming server' "$work/logs/containerd-$starts"
}

start_kubelet() {
  kubelet --config="$work/kubelet.yaml" --kubeconfig="$cluster/kubelet.kubeconfig" --hostname-override="$node" \
    --node-ip="$node_address" --v=2 >>"$work/logs/kubelet" 2>&1 &
  kubelet_pid=$!
}

node_is_ready() {
  [[ $(kubectl get node "$node" -o json | jq -r '.status.conditions[] | select(.type == "Ready") | .status') == True ]]
}

import_images() {
  local archive
  for archive in "$images"/*.tar; do "${ctr[@]}" images import "$archive"; done
}

start_node() {
  start_containerd
  start_kubelet
  wait_for "the node to be ready" 120 node_is_ready
}

# What the power switch does: no process of the node is asked, /run is gone. The API server stays.
cut_power() {
  local file
  kill -9 "$kubelet_pid" "$containerd_pid" 2>/dev/null || true
  wait "$kubelet_pid" "$containerd_pid" 2>/dev/null || true
  # Containers and their shims: their processes are in the node's cgroup, or known to containerd by pid file.
  for file in /run/containerd/io.containerd.runtime.v2.task/k8s.io/*/shim.pid; do
    [[ ! -e $file ]] || kill -9 "$(<"$file")" 2>/dev/null || true
  done
  wait_for "the node's processes to end" 30 kill_containers
  # A kernel that starts has no cgroups of containers; the kubelet would ask containerd about each, for seconds.
  find /sys/fs/cgroup -depth -type d -path "*/$cgroup/*" -exec rmdir {} \; 2>/dev/null || true
  # Newest first; what is below /run goes with it.
  awk '{print $5}' /proc/self/mountinfo | grep -E '^(/run(/|$)|/var/lib/kubelet/)' | tac | while IFS= read -r file; do
    umount --lazy "$(printf '%b' "$file")" 2>/dev/null || true
  done
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/lock
}

# Processes of containers: none is left?
kill_containers() {
  local pids
  pids=$(find /sys/fs/cgroup -path "*/$cgroup/*" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -un)
  [[ -n $pids ]] || return 0
  # shellcheck disable=SC2086  # a list
  kill -9 $pids 2>/dev/null || true
  return 1
}
