# Reads this host and changes nothing. Arguments: docker's time limit in seconds, then any of
# "path P", "file P" (its first line), "name N" (to be resolved).
# Sections start with "@@name"; what comes before the first or after "@@end" is not ours.
LC_ALL=C
PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
export LC_ALL PATH
docker_limit_s=$1
shift

section() { printf '\n@@%s\n' "$1"; }
bounded() { timeout -k 1 "$docker_limit_s" docker "$@" 2>&1 </dev/null; }

section host
printf 'user_id=%s\n' "$(id -u)"
printf 'kernel=%s\n' "$(uname -r)"
printf 'architecture=%s\n' "$(uname -m)"
printf 'userland_bits=%s\n' "$(getconf LONG_BIT 2>/dev/null)"
printf 'init=%s\n' "$(if [ -d /run/systemd/system ]; then echo systemd; else cat /proc/1/comm; fi)"
printf 'overlay=%s\n' "$(
    if grep -qw overlay /proc/filesystems || modprobe -qn overlay 2>/dev/null; then echo yes; fi)"

section os_release
cat /etc/os-release 2>/dev/null

section cgroup
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    printf '2 %s\n' "$(cat /sys/fs/cgroup/cgroup.controllers)"
elif [ -d /sys/fs/cgroup ]; then
    printf '1 %s\n' "$(awk '!/^#/ && $4 == 1 { printf "%s ", $1 }' /proc/cgroups)"
fi

section addresses
ip -o -4 addr show
section routes
ip -o -4 route show table main
section listening
ss -Hltn 2>/dev/null | awk '{ print $4 }'

section packages
if command -v dpkg-query >/dev/null; then
    dpkg-query -W -f '${db:Status-Abbrev}|${Package}|${Version}\n' 2>/dev/null |
        grep -E '^.i' | grep -E '\|(docker|containerd|runc)' | cut -d'|' -f2-
fi

section service
if command -v systemctl >/dev/null; then
    printf 'enabled=%s\n' "$(systemctl is-enabled docker.service 2>/dev/null)"
    printf 'active=%s\n' "$(systemctl is-active docker.service 2>/dev/null)"
fi

section asked
while [ $# -gt 1 ]; do
    case $1 in
    path) stat -c "path|$2|%F|%u:%g|%a" -- "$2" 2>/dev/null ;;
    file) [ -f "$2" ] && printf 'file|%s|%s\n' "$2" "$(head -n 1 -- "$2" | head -c 200)" ;;
    name) printf 'name|%s|%s\n' "$2" "$(getent ahostsv4 "$2" | awk '{ print $1; exit }')" ;;
    esac
    shift 2
done

if command -v docker >/dev/null; then
    section docker
    if answer=$(bounded version --format '{{.Server.Version}}'); then
        printf 'version=%s\n' "$answer"
        printf 'driver=%s\n' "$(bounded info --format '{{.Driver}}')"
        section images
        images=$(bounded image ls -q --no-trunc | sort -u)
        [ -z "$images" ] || bounded image inspect $images \
            --format '{"id":{{json .Id}},"tags":{{json .RepoTags}},"layers":{{json .RootFS.Layers}}}'
        section containers
        bounded ps -a --no-trunc \
            --format '{"name":{{json .Names}},"image":{{json .Image}},"state":{{json .State}}}'
        section inspect
        ours=$(bounded ps -aq --filter label=dockyard.part)
        [ -z "$ours" ] || bounded inspect $ours --format '{{json .}}'
    else
        printf 'exit=%s\n%s\n' "$?" "$answer"
    fi
fi
section end
