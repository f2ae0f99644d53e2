#!/bin/sh
# Runs in the base root file system: makes it look like a host of the RPM family. Its programs are
# Debian's all the same; what a package of that family asks for is provided by empty packages.
set -eu

export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -qy -o Dpkg::Use-Pty=0 install --no-install-recommends dnf rpm curl python3-dbus \
    iptables libdevmapper1.02.1 libseccomp2 libsystemd0 xz-utils
apt-get clean

cat > /usr/lib/os-release <<'OS'
NAME="Rocky Linux"
VERSION="9.5 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.5"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Rocky Linux 9.5 (emulated on Debian)"
CPE_NAME="cpe:/o:rocky:rocky:9::baseos"
OS
ln -sf ../usr/lib/os-release /etc/os-release
echo 'Rocky Linux release 9.5 (emulated on Debian)' > /etc/rocky-release
ln -s rocky-release /etc/redhat-release
ln -s rocky-release /etc/system-release

# Debian's rpm keeps its database in root's home.
mkdir -p /etc/rpm /etc/yum.repos.d /etc/pki/rpm-gpg
cat > /etc/rpm/macros <<'MACROS'
%_dbpath /var/lib/rpm
%dist .el9
%rhel 9
MACROS
rm -rf /root/.rpmdb
rpm --initdb
cat > /etc/dnf/dnf.conf <<'DNF'
[main]
gpgcheck=1
installonly_limit=3
clean_requirements_on_remove=True
best=True
skip_if_unavailable=False
DNF
ln -s dnf-3 /usr/bin/yum

# Of a package's units none is enabled by its installation, unlike Debian's.
mkdir -p /usr/lib/systemd/system-preset
echo 'enable ssh.service' > /usr/lib/systemd/system-preset/90-default.preset
echo 'disable *' > /usr/lib/systemd/system-preset/99-default-disable.preset

build=$(mktemp -d)
cat > "$build/rocky-release.spec" <<'SPEC'
Name: rocky-release
Version: 9.5
Release: 1.2%{dist}
Summary: The release of an emulated host
License: MIT
BuildArch: noarch
Provides: system-release = 9.5
Provides: system-release(releasever) = 9
Provides: redhat-release = 9.5
%description
%{summary}.
%files
SPEC
for provided in bash:5.1.8 ca-certificates:2024.2 coreutils:8.32 curl:7.76.1 device-mapper-libs:1.02 \
    dnf:4.14.0 e2fsprogs:1.46.5 iproute:6.2.0 iptables-nft:1.8.10 kmod:28 libcgroup:0.41 \
    libseccomp:2.5.2 openssh-server:8.7p1 policycoreutils:3.6 procps-ng:3.3.17 python3:3.9.18 \
    rpm:4.16.1 shadow-utils:4.9 sudo:1.9.5 systemd:252 tar:1.34 util-linux:2.37.4 xz:5.2.5 \
    yum:4.14.0
do
    name=${provided%:*}
    cat >> "$build/rocky-release.spec" <<SPEC
%package -n $name
Version: ${provided#*:}
Summary: Stands for what the emulated host has of its own
$(case $name in
    bash) echo 'Provides: /bin/sh /bin/bash /usr/bin/sh' ;;
    iptables-nft) echo 'Provides: iptables = 1.8.10' ;;
    shadow-utils) echo 'Provides: /usr/sbin/groupadd /usr/sbin/useradd' ;;
    systemd) echo 'Provides: /usr/bin/systemctl systemd-units' ;;
esac)
%description -n $name
%{summary}.
%files -n $name
SPEC
done
rpmbuild --quiet -bb --define "_topdir $build" "$build/rocky-release.spec"
rpm --install "$build"/RPMS/noarch/*.rpm
rm -r "$build"

# Nothing shall work that only works since this is Debian.
rm -rf /usr/bin/apt /usr/bin/apt-* /usr/bin/dpkg /usr/bin/dpkg-* /usr/sbin/dpkg-* \
    /etc/apt /etc/dpkg /etc/debian_version /var/lib/apt /var/lib/dpkg /var/cache/apt
