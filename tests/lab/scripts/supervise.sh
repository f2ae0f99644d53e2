#!/bin/sh
# Runs one host until it is powered off, and again whenever it reboots. Started in a mount namespace
# of its own, so that the host's overlay vanishes with the last of its processes.
#   supervise.sh OVERLAY_OPTIONS ROOT DISK_IMAGE DISK_MOUNT VETH COMMAND...
set -eu

mount -t overlay overlay -o "$1" "$2"
[ -z "$3" ] || mount -t ext4 -o loop "$3" "$4"
veth=$5
shift 5

while :; do
    # The kernel removes the last boot's network namespace some time after its processes.
    ip link delete "$veth" 2>/dev/null || :
    status=0
    "$@" || status=$?
    [ "$status" -eq 133 ] || exit "$status"  # systemd-nspawn's way to ask for a restart
done
