#!/bin/sh
set -e
if [ "$1" = configure ] && [ -z "$2" ] && [ SERVICE = docker ]; then
    getent group docker >/dev/null || groupadd --system docker
fi
case $1 in configure | abort-upgrade | abort-deconfigure | abort-remove) ;; *) exit 0 ;; esac
for unit in UNITS; do
    deb-systemd-helper unmask "$unit" >/dev/null || true
    if deb-systemd-helper --quiet was-enabled "$unit"; then
        deb-systemd-helper enable "$unit" >/dev/null || true
    else
        deb-systemd-helper update-state "$unit" >/dev/null || true
    fi
done
if [ -d /run/systemd/system ]; then
    systemctl --system daemon-reload >/dev/null || true
    if [ -n "$2" ]; then action=restart; else action=start; fi
    deb-systemd-invoke "$action" UNITS >/dev/null || true
elif [ -x /etc/init.d/SERVICE ]; then
    update-rc.d SERVICE defaults >/dev/null
    if [ -n "$2" ]; then action=restart; else action=start; fi
    invoke-rc.d SERVICE "$action" || true
fi
