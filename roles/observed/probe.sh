# Reads this host and changes nothing. Arguments: docker's time limit in seconds, then any of
# "path P", "file P" (its first line), "sum P" (its SHA-256), "name N" (to be resolved).
# Sections start with "@@name"; what comes before the first or after "@@end" is not ours.
LC_ALL=C
PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
export LC_ALL PATH
docker_limit_s=$1
shift

section() { printf '\n@@%s\n' "$1"; }
bounded_by() { timeout -k 1 "$@" </dev/null; }
bounded() { bounded_by "$docker_limit_s" docker "$@"; }

# Sets `answer`, of an engine that answered before: it may hang all the same, and is then not asked
# again. What it warns of is no data.
hung=
ask() {
    answer=
    [ -z "$hung" ] || return 0
    answer=$(bounded "$@" 2>/dev/null)
    code=$?
    case $code in 124 | 137) hung=$code ;; esac
}

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

# What dpkg wants with a package and what it has come to ("ii", "hi", "iF"...); rpm knows no such.
section packages
{
    dpkg-query -W -f '${db:Status-Abbrev}|${Package}|${Version}\n' 2>/dev/null
    rpm -qa --qf 'ii|%{NAME}|%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n' 2>/dev/null | sed 's/|0:/|/'
} | grep -E '^[^|]*\|(docker|containerd|runc|moby|podman-docker|lxc-docker)'
section excluded
for file in /etc/dnf/dnf.conf /etc/yum.conf; do
    [ ! -f "$file" ] || [ -L "$file" ] || awk '
        /^\[/ { main = ($1 == "[main]") }
        !/^[ \t]/ { list = main && /^(exclude|excludepkgs)[ \t]*=/ }
        list { sub(/^[^ \t][^=]*=/, ""); gsub(/,/, " "); print }' "$file"
done

section service
if [ -d /run/systemd/system ]; then
    printf 'enabled=%s\n' "$(systemctl is-enabled docker.service 2>/dev/null)"
    printf 'active=%s\n' "$(systemctl is-active docker.service 2>/dev/null)"
elif [ -x /etc/init.d/docker ]; then
    for link in /etc/rc[2-5].d/S??docker; do
        [ ! -e "$link" ] || { echo enabled=enabled && break; }
    done
    ! bounded_by 10 service docker status >/dev/null 2>&1 || echo active=active
fi

section daemon_json
if [ -f /etc/docker/daemon.json ]; then
    echo present
    head -c 65536 /etc/docker/daemon.json | sed 's/^/|/'
fi

section asked
while [ $# -gt 1 ]; do
    case $1 in
    path) stat -c "path|$2|%F|%u:%g|%a" -- "$2" 2>/dev/null ;;
    file) [ -f "$2" ] && printf 'file|%s|%s\n' "$2" "$(head -n 1 -- "$2" | head -c 200)" ;;
    sum) [ -f "$2" ] && printf 'sum|%s|%s\n' "$2" "$(sha256sum <"$2" | cut -d' ' -f1)" ;;
    name) printf 'name|%s|%s\n' "$2" "$(getent ahostsv4 "$2" | awk '{ print $1; exit }')" ;;
    esac
    shift 2
done

if command -v docker >/dev/null; then
    section docker
    if answer=$(bounded version --format '{{.Server.Version}}' 2>&1); then
        printf 'version=%s\n' "$(printf '%s\n' "$answer" | tail -n 1)"
        ask info --format '{{.Driver}}'
        printf 'driver=%s\n' "$answer"
        section images
        ask image ls -q --no-trunc
        images=$(printf '%s\n' "$answer" | sort -u)
        [ -z "$images" ] || ask image inspect $images \
            --format '{"id":{{json .Id}},"tags":{{json .RepoTags}},"layers":{{json .RootFS.Layers}}}'
        printf '%s\n' "$answer"
        section containers
        ask ps -a --no-trunc \
            --format '{"name":{{json .Names}},"image":{{json .Image}},"state":{{json .State}}}'
        printf '%s\n' "$answer"
        section inspect
        ask ps -aq --filter label=dockyard.part
        ours=$answer
        [ -z "$ours" ] || ask inspect $ours --format '{{json .}}'
        printf '%s\n' "$answer"
        [ -z "$hung" ] || { section docker; printf 'exit=%s\n' "$hung"; }
    else
        printf 'exit=%s\n%s\n' "$?" "$answer"
    fi
fi
section end
