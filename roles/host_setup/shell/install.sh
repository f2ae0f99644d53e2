# Installs packages from the host's own sources. Arguments: deb or rpm, then their names.
exec </dev/null
family=$1
shift
if [ "$family" = rpm ]; then
    exec "$(command -v dnf || command -v yum)" -q -y install "$@" >&2
fi
export DEBIAN_FRONTEND=noninteractive
# A new host's own first updates may hold the lists for minutes.
tries=60
while ! said=$(apt-get -q update 2>&1); do
    tries=$((tries - 1))
    case $said in *lock*) [ "$tries" -gt 0 ] || break ;; *) break ;; esac
    sleep 5
done
apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef \
    -o Dpkg::Options::=--force-confold --no-install-recommends install "$@" >&2 || {
    printf '%s\n' "$said" | grep -E '^(E|Err|W):' | head -n 3 >&2
    exit 1
}
