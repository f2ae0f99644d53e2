#!/bin/sh
set -e
[ "$1" = remove ] || exit 0
if [ -d /run/systemd/system ]; then
    deb-systemd-invoke stop UNITS >/dev/null || true
elif [ -x /etc/init.d/SERVICE ]; then
    invoke-rc.d SERVICE stop || true
fi
