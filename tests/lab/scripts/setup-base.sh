#!/bin/sh
# Runs in a fresh root file system: makes it what every lab host starts from.
set -eu

# Three logins with the lab's key: one whom sudo asks for a password, one whom it does not, one
# without any right.
useradd --create-home --shell /bin/bash --uid 1001 --groups sudo ops
useradd --create-home --shell /bin/bash --uid 1002 deployer
useradd --create-home --shell /bin/bash --uid 1003 guest
echo 'ops:ops-lab' | chpasswd
chmod 440 /etc/sudoers.d/deployer

systemctl enable systemd-networkd.service systemd-networkd-wait-online.service ssh.service \
    lab-cgroups.service
systemctl set-default multi-user.target
# Timers would hold apt's lock at a random moment; a console reads from nowhere.
systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    console-getty.service getty.target

# Each host gets its own.
rm -f /etc/ssh/ssh_host_* /etc/hostname /etc/machine-id /var/lib/dbus/machine-id
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/bootstrap.log
