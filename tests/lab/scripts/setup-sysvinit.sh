#!/bin/sh
# Runs in the base root file system: replaces systemd by sysvinit.
set -eu

trap 'rm -f /usr/sbin/policy-rc.d' EXIT
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d  # nothing starts in the build
chmod 755 /usr/sbin/policy-rc.d

export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -qy -o Dpkg::Use-Pty=0 install --no-install-recommends sysvinit-core ifupdown
apt-get -qy -o Dpkg::Use-Pty=0 purge systemd
apt-get clean
rm -rf /var/lib/apt/lists/*

# The lab shuts a host down, or restarts it, by the one signal or the other (SIGPWR, SIGINT).
cat > /etc/inittab <<'INITTAB'
id:2:initdefault:
si::sysinit:/etc/init.d/rcS
l0:0:wait:/etc/init.d/rc 0
l1:1:wait:/etc/init.d/rc 1
l2:2:wait:/etc/init.d/rc 2
l3:3:wait:/etc/init.d/rc 3
l4:4:wait:/etc/init.d/rc 4
l5:5:wait:/etc/init.d/rc 5
l6:6:wait:/etc/init.d/rc 6
ca::ctrlaltdel:/sbin/shutdown -r now
pf::powerwait:/sbin/shutdown -P -h now
INITTAB

cat > /etc/init.d/lab-cgroups <<'SERVICE'
#!/bin/sh
### BEGIN INIT INFO
# Provides:          lab-cgroups
# Required-Start:
# Required-Stop:
# Default-Start:     S
# Default-Stop:
# Short-Description: Mount the cgroup v1 controllers read-write
### END INIT INFO
[ "$1" = start ] || exit 0
# init's search for SELinux has mounted another /sys over the one with the cgroups.
if grep -q '^sysfs /sys sysfs' /proc/mounts; then umount /sys; fi
exec /usr/local/lib/lab/mount-cgroups
SERVICE
chmod 755 /etc/init.d/lab-cgroups
# What systemd-nspawn has mounted stays: another /sys would hide the cgroups, and a root that was
# made read-only would be so after a reboot. Without the order that these stood for, halt must not
# run beside others.
touch /etc/init.d/.legacy-bootordering
for name in brightness checkfs.sh checkroot.sh checkroot-bootclean.sh hwclock.sh kmod \
    mount-configfs mountdevsubfs.sh mountkernfs.sh umountfs umountroot
do
    update-rc.d -f "$name" remove
done
update-rc.d lab-cgroups defaults

# Docker's init script mounts each controller that the kernel has and that is not mounted, which
# would be one of the machine's. It leaves that to those who name cgroups here.
echo 'tmpfs /sys/fs/cgroup tmpfs noauto 0 0' >> /etc/fstab

# Docker's init script also raises limits. Where the machine itself may not, it would end there;
# systemd would go on with what it got.
mkdir -p /usr/lib/lsb/init-functions.d
echo 'ulimit() { command ulimit "$@" || :; }' > /usr/lib/lsb/init-functions.d/99-lab
