# shellcheck shell=bash
# Sourced by scripts that make container images without a container engine: archives that are an OCI layout and, for
# older engines, a docker archive. The same files, settings and time give the same digest.

# pack <folder> <archive> <time>: sorted, without names of users, every time the same.
pack() {
  LC_ALL=C tar --create --file "$2" --directory "$1" --sort=name --format=gnu --owner=0 --group=0 \
    --numeric-owner --mtime="@$3" .
}

# An image's blob lies in the layout under its digest. add_blob <layout> <file>: prints the digest.
add_blob() {
  local digest
  digest=$(sha256sum <"$2" | cut -d' ' -f1)
  mkdir -p "$1/blobs/sha256"
  mv "$2" "$1/blobs/sha256/$digest"
  printf 'sha256:%s\n' "$digest"
}

blob_size() { stat -c %s "$1/blobs/sha256/${2#sha256:}"; }

# gzip's level; images for a test need not be small.
level=9

# write_image <rootfs> <name> <tag> <archive> <time>: the image's settings (OCI "config") on stdin. Prints
# "<digest> <bytes to pull>".
write_image() {
  local rootfs=$1 name=$2 tag=$3 archive=$4 time=$5 layout architecture created layer difference config manifest
  layout=$(mktemp -d)
  chmod 755 "$layout"
  architecture=$(dpkg --print-architecture)
  created=$(date -u -d "@$time" +%Y-%m-%dT%H:%M:%SZ)
  pack "$rootfs" "$layout/layer" "$time"
  difference=sha256:$(sha256sum <"$layout/layer" | cut -d' ' -f1)
  gzip -n "-$level" "$layout/layer"
  layer=$(add_blob "$layout" "$layout/layer.gz")

  jq -Sc --arg created "$created" --arg architecture "$architecture" --arg difference "$difference" '
    {created: $created, architecture: $architecture, os: "linux", config: .,
     rootfs: {type: "layers", diff_ids: [$difference]},
     history: [{created: $created, created_by: "scripts/build-images"}]}' >"$layout/config"
  config=$(add_blob "$layout" "$layout/config")
  jq -nSc --arg config "$config" --argjson config_size "$(blob_size "$layout" "$config")" \
    --arg layer "$layer" --argjson layer_size "$(blob_size "$layout" "$layer")" '
    {schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
     config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $config, size: $config_size},
     layers: [{mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: $layer, size: $layer_size}]}' \
    >"$layout/manifest"
  manifest=$(add_blob "$layout" "$layout/manifest")

  printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
  jq -nSc --arg manifest "$manifest" --argjson size "$(blob_size "$layout" "$manifest")" --arg name "$name" \
    --arg tag "$tag" --arg architecture "$architecture" '
    {schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [
      {mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $manifest, size: $size,
       platform: {os: "linux", architecture: $architecture},
       annotations: {"io.containerd.image.name": "docker.io/library/\($name):\($tag)",
                     "org.opencontainers.image.ref.name": $tag}}]}' >"$layout/index.json"
  jq -nSc --arg config "$config" --arg layer "$layer" --arg tag "$name:$tag" '
    def path: "blobs/sha256/" + ltrimstr("sha256:");
    [{Config: ($config | path), RepoTags: [$tag], Layers: [$layer | path]}]' >"$layout/manifest.json"
  pack "$layout" "$archive.new" "$time"
  mv "$archive.new" "$archive"
  printf '%s %s\n' "$manifest" "$(blob_size "$layout" "$layer")"
  rm -rf "$layout"
}
