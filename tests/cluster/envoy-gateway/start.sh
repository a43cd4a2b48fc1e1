#!/bin/sh
# Runs Envoy Gateway where it finds its certificates: in /certs, which cannot be told otherwise when its resources come
# from Kubernetes. So it gets a mount namespace and a root directory of its own, which differs from the real one in
# /certs alone.
#
#   start.sh outside FOLDER COMMAND...    applies its objects, makes the certificates, opens the namespace
#   start.sh inside FOLDER COMMAND...     makes the root directory, becomes the command
#
# KUBECTL names the command of that name. The outer one stays until the command has ended, and tells it to end; however
# the outer one itself ends, the kernel takes the command with it.
set -eu
side=$1 folder=$2
shift 2

if [ "$side" = outside ]; then
    # Here, and not before it is started: its kinds have to be served first.
    "$KUBECTL" apply --server-side --force-conflicts --field-manager=certward-cluster -f "$folder/objects.yaml"
    [ -e "$folder/configHome/certs/envoy-gateway/tls.key" ] || "$1" certgen --local --config-home "$folder/configHome"
    # The Secrets that it looks for in its own namespace; those that are there stay.
    "$1" certgen --disable-topology-injector
    as_root=
    [ "$(id -u)" = 0 ] || as_root=--map-root-user
    unshare --mount --propagation private $as_root /bin/sh "$0" inside "$folder" "$@" &
    command=$!
    trap 'kill -TERM "$command"' TERM INT
    while kill -0 "$command" 2>/dev/null; do
        status=0
        wait "$command" || status=$?
    done
    exit "$status"
fi

root="$folder/root"
mkdir -p "$root"
mount -t tmpfs tmpfs "$root"
for entry in /* /.[!.]*; do
    name=${entry#/}
    if [ "$name" = certs ]; then
        continue
    elif [ -L "$entry" ]; then
        cp -P "$entry" "$root/$name"
    elif [ -d "$entry" ]; then
        mkdir "$root/$name"
        mount --rbind "$entry" "$root/$name"
    fi
done
mkdir "$root/certs"
mount --bind "$folder/configHome/certs/envoy-gateway" "$root/certs"
exec chroot "$root" setpriv --pdeathsig KILL -- "$@"
