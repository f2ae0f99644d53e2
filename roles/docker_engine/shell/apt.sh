# How packages are looked at and installed with apt. APT_CONFIG comes along as apt.conf.
sed -i "s#@WORK@#$work#g" "$work/apt.conf"
APT_CONFIG=$work/apt.conf
export APT_CONFIG

apt_get() { apt-get -q -y "$@" >>"$log" 2>&1 </dev/null 9>&-; }

# Who holds one of the package manager's locks: "PID (NAME)".
lock_holder() {
    for lock in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock; do
        [ -e "$lock" ] || continue
        pid=$(awk -v end=":$(stat -c %i "$lock")" \
            'substr($6, length($6) - length(end) + 1) == end { print $5; exit }' /proc/locks)
        [ -z "$pid" ] || { printf '%s (%s)' "$pid" "$(cat "/proc/$pid/comm" 2>/dev/null)" && return; }
    done
}
# await_lock SECONDS
await_lock() {
    left=$1
    while holder=$(lock_holder) && [ -n "$holder" ]; do
        [ $((($1 - left) % 10)) -ne 0 ] || say "waiting for process $holder, which has apt's lock"
        [ "$left" -gt 0 ] || fail "process $holder has held apt's lock for $1 s; look what it does there"
        sleep 1
        left=$((left - 1))
    done
}

# look_into_sources FILE: read the lists of the engine's source alone, where there is one, and then
# of the host's own sources; into a directory of their own.
look_into_sources() {
    mkdir -p "$work/lists/partial" "$work/sources"
    if [ -n "$1" ]; then
        sed "s#signed-by=[^] ]*#signed-by=$work/key.asc#" "$work/$1" >"$work/sources/$1"
        : >"$work/sources.list"
        apt_get update
        ! grep -qE '^(E|W|Err)[:]' "$log" || fail_with_log 'docker_engine.vendor: its repository can not be used:'
    fi
    cat /etc/apt/sources.list >"$work/sources.list" 2>/dev/null || :
    for file in /etc/apt/sources.list.d/*; do
        [ ! -f "$file" ] || [ "${file##*/}" = "$1" ] || cp "$file" "$work/sources"
    done
    apt_get update || :
}
# pick PACKAGE VERSION: the version as apt has it, in its notation or in plain numbers; "" is any.
pick() {
    apt-cache madison "$1" 2>>"$log" | awk -v wanted="$2" '
        { full = plain = $3; sub(/^[0-9]+:/, "", plain); bare = plain; sub(/[-+~].*/, "", plain) }
        wanted == "" || wanted == full || wanted == bare || wanted == plain { print full; exit }'
}
# rehearse VERSION [PACKAGE]... -- [WORD]...: what would be done; words go to apt-get as they are.
rehearse() {
    wanted=$1
    shift
    words=
    while [ "$1" != -- ]; do
        version=$(pick "$1" "$wanted")
        if [ -z "$version" ]; then
            there=$(apt-cache madison "$1" 2>>"$log" | awk '{ print $3 }' | tr '\n' ' ')
            [ -n "$there" ] || fail_with_log "docker_engine.source: it has no package $1:"
            fail "docker_engine.version: $1 $wanted is not there; there are: $there"
        fi
        printf 'pin|%s|%s\n' "$1" "$version"
        words="$words $1=$version"
        shift
    done
    shift
    # shellcheck disable=SC2086
    simulate $words "$@"
}
# rehearse_files [WORD]...: the same for package files.
rehearse_files() {
    mkdir -p "$work/lists/partial" "$work/sources"
    : >"$work/sources.list"
    simulate "$@"
}
simulate() {
    apt_get -s -f install --allow-downgrades --allow-change-held-packages "$@" ||
        fail_with_log "docker_engine.source: apt can't install it:"
    awk '/DOWNGRADED/ { list = 1; next } /^ / && list { print "down|" $0; next } { list = 0 }' "$log" |
        sed 's/| */|/'
    grep -E '^(Inst|Remv) ' "$log" | sed 's/^/apt|/'
}

# install_packages SECONDS [WORD]...
install_packages() {
    await_lock "$1"
    shift
    update_sources
    repair_packages
    apt_get install -f --allow-downgrades --allow-change-held-packages "$@" ||
        fail_with_log "apt can't install the engine:"
    keep
}
update_sources() { apt_get update || say "not all of the host's package sources answer"; }
repair_packages() {
    dpkg --force-confdef --force-confold --configure -a >>"$log" 2>&1 </dev/null 9>&-
    apt_get -f install --allow-change-held-packages || :
}
# install_files SECONDS [WORD]...: without any source.
install_files() {
    mkdir -p "$work/lists/partial" "$work/sources"
    : >"$work/sources.list"
    update_sources() { :; }
    install_packages "$@"
}
# hold NAME...: those of them that are installed.
hold() {
    for name in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || continue
        apt-mark hold "$name" >>"$log" 2>&1 || fail_with_log "$name can't be held:"
    done
}
unhold() { apt-mark unhold "$@" >>"$log" 2>&1; }
