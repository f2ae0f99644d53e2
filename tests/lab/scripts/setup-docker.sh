#!/bin/sh
# Runs in the root file system of a host with apt: adds the distribution's Docker engine, enabled at boot.
set -eu

trap 'rm -f /usr/sbin/policy-rc.d' EXIT
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d  # nothing starts in the build
chmod 755 /usr/sbin/policy-rc.d

export DEBIAN_FRONTEND=noninteractive
apt-get -q update
cli=
if apt-cache show docker-cli >/dev/null 2>&1; then cli=docker-cli; fi  # from trixie on
# shellcheck disable=SC2086
apt-get -qy -o Dpkg::Use-Pty=0 install --no-install-recommends docker.io $cli
if command -v systemctl >/dev/null; then systemctl enable docker.service containerd.service; fi
apt-get clean
rm -rf /var/lib/apt/lists/*
