# How packages are looked at and installed with apt. Its settings come along as apt.conf, and win over
# the host's own.
manager_name=apt
sed -i "s#@WORK@#$work#g" "$work/apt.conf"

apt_get() { apt-get -c "$work/apt.conf" -q -y "$@" >>"$log" 2>&1 </dev/null 9>&-; }
apt_cache() { apt-cache -c "$work/apt.conf" "$@" 2>>"$log" </dev/null; }

lock_holder() {
    for lock in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock; do
        holder=$(locked_by "$lock")
        [ -z "$holder" ] || { printf '%s' "$holder" && return; }
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
        ! grep -qE '^(E|Err|W: (Failed|GPG error|An error|Some index))' "$log" || fail_with_log 'docker_engine.vendor: its repository can not be used:'
    fi
    cat /etc/apt/sources.list >"$work/sources.list" 2>/dev/null || :
    for file in /etc/apt/sources.list.d/*; do
        [ ! -f "$file" ] || [ "${file##*/}" = "$1" ] || cp "$file" "$work/sources"
    done
    apt_get update || :
}
# pick PACKAGE VERSION: the version as apt has it, in its notation or in plain numbers; of ""
# the one that it would take.
pick() {
    if [ -z "$2" ]; then
        apt_cache policy "$1" | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'
        return
    fi
    apt_cache madison "$1" | awk -v wanted="$2" '
        { full = plain = $3; sub(/^[0-9]+:/, "", plain); bare = plain; sub(/[-+~].*/, "", plain) }
        wanted == full || wanted == bare || wanted == plain { print full; exit }'
}
# rehearse VERSION [PACKAGE]... -- [WORD]...: what would be done; words go to apt-get as they are.
rehearse() {
    wanted=$1
    shift
    words=
    while [ "$1" != -- ]; do
        version=$(pick "$1" "$wanted")
        if [ -z "$version" ]; then
            there=$(apt_cache madison "$1" | awk '{ print $3 }' | tr '\n' ' ')
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
    without_sources
    simulate "$@"
}
simulate() {
    apt_get -s -f install --allow-downgrades --allow-change-held-packages "$@" ||
        fail_with_log "docker_engine.source: apt can't install it:"
    listed DOWNGRADED down
    listed 'held packages will be changed' held
    grep -E '^(Inst|Remv) ' "$log" | sed 's/^/apt|/'
}

# listed HEADING KIND: the names that stand below a heading of apt's.
listed() {
    awk -v heading="$1" -v kind="$2" '
        index($0, heading) { list = 1; next }
        /^ / && list { sub(/^ */, ""); print kind "|" $0; next }
        { list = 0 }' "$log"
}

# prepare_packages SECONDS [WORD]...: all that can be done while everything still runs.
prepare_packages() {
    await_lock "$1"
    shift
    apt_get update || say "not all of the host's package sources answer"
    dpkg --force-confdef --force-confold --configure -a >>"$log" 2>&1 </dev/null 9>&-
    apt_get -f install --no-remove --allow-change-held-packages || :
    apt_get install -f --download-only --allow-downgrades --allow-change-held-packages "$@" ||
        fail_with_log "apt can't fetch the engine:"
}
# install_packages [WORD]...
install_packages() {
    removing=--no-remove
    for word in "$@"; do
        case $word in *-) removing= ;; esac
    done
    # shellcheck disable=SC2086
    apt_get install -f $removing --allow-downgrades --allow-change-held-packages "$@" ||
        fail_with_log "apt can't install the engine:"
    keep
}
# without_sources: what follows takes nothing but the files that came along.
without_sources() {
    mkdir -p "$work/lists/partial" "$work/sources"
    : >"$work/sources.list"
}
# hold NAME...: those of them that are installed.
hold() {
    for name in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || continue
        apt-mark hold "$name" >>"$log" 2>&1 || fail_with_log "$name can't be held:"
    done
}
unhold() {
    printf '%s\n' "$@" >>"$let_go"
    apt-mark unhold "$@" >>"$log" 2>&1
}
