# How packages are looked at and installed with dnf, or yum where there is no dnf. What is held stands
# in `exclude` of its configuration: that needs no plugin. We go past it, with a copy without it.
manager=$(command -v dnf || command -v yum)
[ -n "$manager" ] || fail "docker_engine.source: there is neither dnf nor yum"
erasing=--allowerasing
case $manager in */yum) [ "$(readlink -f "$manager")" != "$manager" ] || erasing= ;; esac  # yum 3
main_conf=/etc/dnf/dnf.conf
[ -f "$main_conf" ] || main_conf=/etc/yum.conf
{
    awk '!/^[ \t]/ { out = /^(exclude|excludepkgs)[ \t]*=/ } !out' "$main_conf"
    cat "$work/dnf.conf"
} >"$work/main.conf"

dnf_run() { "$manager" -c "$work/main.conf" "$@" >>"$log" 2>&1 </dev/null 9>&-; }

lock_holder() {
    for file in /var/run/yum.pid /var/cache/dnf/metadata_lock.pid /var/lib/dnf/rpmdb_lock.pid \
        /run/dnf/*.pid; do
        [ -s "$file" ] && pid=$(cat "$file") && [ -d "/proc/$pid" ] || continue
        printf '%s (%s)' "$pid" "$(cat "/proc/$pid/comm" 2>/dev/null)" && return
    done
    [ -e /var/lib/rpm/.rpm.lock ] || return 0
    pid=$(awk -v end=":$(stat -c %i /var/lib/rpm/.rpm.lock)" \
        'substr($6, length($6) - length(end) + 1) == end { print $5; exit }' /proc/locks)
    [ -z "$pid" ] || printf '%s (%s)' "$pid" "$(cat "/proc/$pid/comm" 2>/dev/null)"
}
await_lock() {
    left=$1
    while holder=$(lock_holder) && [ -n "$holder" ]; do
        [ $((($1 - left) % 10)) -ne 0 ] || say "waiting for process $holder, which has dnf's lock"
        [ "$left" -gt 0 ] || fail "process $holder has held dnf's lock for $1 s; look what it does there"
        sleep 1
        left=$((left - 1))
    done
}

leave_no_trace() {
    printf 'cachedir=%s\npersistdir=%s\nlogdir=%s\n' "$work/cache" "$work" "$work" >>"$work/main.conf"
}
look_into_sources() {
    mkdir -p "$work/repos"
    for file in /etc/yum.repos.d/*.repo; do
        [ ! -f "$file" ] || [ "${file##*/}" = "$1" ] || cp "$file" "$work/repos"
    done
    leave_no_trace
    printf 'reposdir=%s\n' "$work/repos" >>"$work/main.conf"
    [ -n "$1" ] || return 0
    sed "s#^gpgkey=.*#gpgkey=file://$work/key.asc#" "$work/$1" >"$work/repos/$1"
    id=$(sed -n 's/^\[\(.*\)\]/\1/p' "$work/$1")
    dnf_run --disablerepo='*' --enablerepo="$id" makecache ||
        fail_with_log 'docker_engine.vendor: its repository can not be used:'
}
versions_of() {
    dnf_run list --showduplicates "$1" >/dev/null 2>&1
    "$manager" -q -c "$work/main.conf" list --showduplicates "$1" 2>>"$log" </dev/null |
        awk -v name="$1" '{ sub(/\.[^.]*$/, "", $1) } $1 == name { print $2 }' | sort -rV | uniq
}
rehearse() {
    wanted=$1
    shift
    words=
    while [ "$1" != -- ]; do
        there=$(versions_of "$1")
        version=$(printf '%s\n' "$there" | awk -v wanted="$wanted" '
            BEGIN { sub(/^[0-9]+:/, "", wanted) }  # the client has an epoch of its own
            { plain = $1; sub(/^[0-9]+:/, "", plain); bare = plain; sub(/[-+~].*/, "", plain) }
            wanted == "" || wanted == bare || wanted == plain { print $1; exit }')
        if [ -z "$version" ]; then
            [ -n "$there" ] || fail_with_log "docker_engine.source: it has no package $1:"
            fail "docker_engine.version: $1 $wanted is not there; there are:" $there
        fi
        printf 'pin|%s|%s\n' "$1" "$version"
        words="$words $1-$version"
        shift
    done
    shift
    # shellcheck disable=SC2086
    simulate $words "$@"
}
rehearse_files() {
    leave_no_trace
    simulate --disablerepo='*' "$@"
}
simulate() {
    : >"$log"
    dnf_run --assumeno install $erasing "$@"
    grep -qE '^(Operation aborted|Nothing to do|Is this ok|Exiting on user)' "$log" ||
        fail_with_log "docker_engine.source: dnf can't install it:"
    sed 's/^/dnf|/' "$log"
}

install_packages() {
    await_lock "$1"
    shift
    dnf_run -y install $erasing "$@" || fail_with_log "dnf can't install the engine:"
    keep
}
install_files() {
    seconds=$1
    shift
    install_packages "$seconds" --disablerepo='*' "$@"
}
# hold NAME...: add those of them that are installed to `exclude`; unhold NAME...: take out of it.
hold() {
    names=
    for name in "$@"; do ! rpm -q "$name" >/dev/null 2>&1 || names="$names $name"; done
    # shellcheck disable=SC2086
    exclude add $names
}
unhold() { exclude remove "$@"; }
exclude() {
    how=$1
    shift
    awk -v how="$how" -v names="$*" '
        function shown(   text, name) {
            for (name in held) text = text (text == "" ? "" : " ") name
            return text
        }
        BEGIN { count = split(names, given, " ") }
        /^\[/ { main = ($1 == "[main]") }
        !/^[ \t]/ { list = main && /^(exclude|excludepkgs)[ \t]*=/ }
        list {  # its value may go on in indented lines
            sub(/^[^ \t][^=]*=/, "")
            gsub(/,/, " ")
            for (i = split($0, was, " "); i > 0; i--) held[was[i]]
            next
        }
        { lines[++n] = $0; if (main && $1 == "[main]") at = n }
        END {
            for (i = 1; i <= count; i++) if (how == "add") held[given[i]]; else delete held[given[i]]
            if (!at) { print "[main]"; if (shown() != "") print "exclude=" shown() }
            for (i = 1; i <= n; i++) {
                print lines[i]
                if (i == at && shown() != "") print "exclude=" shown()
            }
        }' "$main_conf" >"$work/held.conf" && cat "$work/held.conf" >"$main_conf" ||
        fail "$main_conf can't be written"
}
