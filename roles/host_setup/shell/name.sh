# Names the host, now and at its next boot. Argument: the name.
set -e
hostnamectl set-hostname "$1" 2>/dev/null || hostname "$1" || printf '%s\n' "$1" >/proc/sys/kernel/hostname
[ "$(head -n 1 /etc/hostname 2>/dev/null)" = "$1" ] || printf '%s\n' "$1" >/etc/hostname
if grep -qs '^HOSTNAME=' /etc/sysconfig/network; then
    sed -i "s/^HOSTNAME=.*/HOSTNAME=$1/" /etc/sysconfig/network
fi
[ "$(uname -n)" = "$1" ] || { echo "the host keeps the name $(uname -n)" >&2 && exit 1; }
