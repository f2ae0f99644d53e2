#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then systemctl --system daemon-reload >/dev/null || true; fi
[ "$1" = purge ] || exit 0
if command -v deb-systemd-helper >/dev/null; then
    deb-systemd-helper purge UNITS >/dev/null || true
    deb-systemd-helper unmask UNITS >/dev/null || true
fi
[ SERVICE != docker ] || update-rc.d docker remove >/dev/null || true
