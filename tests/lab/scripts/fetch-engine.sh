#!/bin/sh
# Runs in a base root file system: unpacks the distribution's Docker engine into /engine.
set -eu

apt-get -q update
mkdir -p /engine /tmp/engine
cd /tmp/engine
cli=
if apt-cache show docker-cli >/dev/null 2>&1; then cli=docker-cli; fi  # from trixie on
# shellcheck disable=SC2086
apt-get -q download docker.io containerd runc tini $cli
for package in *.deb; do
    dpkg-deb --extract "$package" /engine
    dpkg-deb --field "$package" Package Version > /engine/"${package%%_*}".version
done
cd /
rm -r /tmp/engine
apt-get clean
rm -rf /var/lib/apt/lists/* /engine/usr/share
