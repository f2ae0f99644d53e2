# Sets the timezone. Argument: its name.
set -e
zone=/usr/share/zoneinfo/$1
[ -f "$zone" ] || { echo "host_setup.timezone: there is no $zone" >&2 && exit 1; }
ln -sfn "$zone" /etc/localtime.dockyard-new
mv -fT /etc/localtime.dockyard-new /etc/localtime
[ ! -f /etc/timezone ] || printf '%s\n' "$1" >/etc/timezone
