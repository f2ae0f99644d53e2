#!/bin/sh
# Runs in a minimal root file system: makes it a small base image for containers.
set -eu

cat > /etc/apt/apt.conf.d/90slim <<'APT'
APT::Install-Recommends "false";
APT::Install-Suggests "false";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
APT
# Also what is installed into the image later comes without these.
cat > /etc/dpkg/dpkg.cfg.d/slim <<'DPKG'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/linda/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
force-unsafe-io
DPKG
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d

find /usr/share/doc -mindepth 1 -not -name copyright -not -type d -delete
find /usr/share/doc -mindepth 1 -type d -empty -delete
rm -rf /usr/share/info/* /usr/share/lintian /usr/share/linda /usr/share/locale/* \
    /usr/share/man/* /usr/share/i18n /var/cache/debconf/*-old /var/lib/dpkg/*-old
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/* /tmp/* /etc/machine-id /etc/hostname
rm -f /var/lib/dbus/machine-id
mkdir -p /var/log/apt
