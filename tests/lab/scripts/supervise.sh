#!/bin/sh
# Runs one host until it is powered off, and again whenever it reboots. Started in a mount namespace
# of its own, so that the host's overlay vanishes with the last of its processes.
#   supervise.sh OVERLAY_OPTIONS ROOT VETH COMMAND...
set -eu

mount -t overlay overlay -o "$1" "$2"
veth=$3
shift 3

while :; do
    # The kernel removes the last boot's network namespace some time after its processes.
    ip link delete "$veth" 2>/dev/null || :
    status=0
    "$@" || status=$?
    [ "$status" -eq 133 ] || exit "$status"  # systemd-nspawn's way to ask for a restart
done
