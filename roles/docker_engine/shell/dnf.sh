# How packages are looked at and installed with dnf, or yum where there is no dnf. What is held stands
# in `exclude` of its configuration: that needs no plugin. We go past it, with a copy without it.
# Only the engine's own names are left out of the copy: what else is held stays so.
manager_name=dnf
manager=$(command -v dnf || command -v yum)
[ -n "$manager" ] || fail "docker_engine.source: there is neither dnf nor yum"
erasing=--allowerasing
case $manager in */yum) [ "$(readlink -f "$manager")" != "$manager" ] || erasing= ;; esac  # yum 3
main_conf=/etc/dnf/dnf.conf
[ -f "$main_conf" ] || main_conf=/etc/yum.conf

# edited add|remove NAMES SETTINGS: the main configuration with names added to `exclude`, or taken out
# of it, and with the lines of a file besides.
edited() {
    awk -v how="$1" -v names="$2" -v settings="$3" '
        function shown(   text, name) {
            for (name in held) text = text (text == "" ? "" : " ") name
            return text
        }
        function ours(   line) {
            if (shown() != "") print "exclude=" shown()
            while ((getline line < settings) > 0) print line
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
            if (!at) { print "[main]"; ours() }
            for (i = 1; i <= n; i++) {
                print lines[i]
                if (i == at) ours()
            }
        }' "$main_conf"
}
# settings LINE...: for our own transactions alone.
settings() {
    [ $# -eq 0 ] || printf '%s\n' "$@" >>"$work/dnf.conf"
    edited remove "$engine_names" "$work/dnf.conf" >"$work/main.conf"
}
settings

dnf_run() { "$manager" -c "$work/main.conf" "$@" >>"$log" 2>&1 </dev/null 9>&-; }

lock_holder() {
    for file in /var/run/yum.pid /var/cache/dnf/metadata_lock.pid /var/lib/dnf/rpmdb_lock.pid \
        /run/dnf/*.pid; do
        [ -s "$file" ] && pid=$(cat "$file") && [ -d "/proc/$pid" ] || continue
        process_named "$pid" && return
    done
    locked_by /var/lib/rpm/.rpm.lock
}

leave_no_trace() { settings "cachedir=$work/cache" "persistdir=$work" "logdir=$work"; }
look_into_sources() {
    mkdir -p "$work/repos"
    for file in /etc/yum.repos.d/*.repo; do
        [ ! -f "$file" ] || [ "${file##*/}" = "$1" ] || cp "$file" "$work/repos"
    done
    settings "reposdir=$work/repos"
    leave_no_trace
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
    without_sources
    leave_no_trace
    simulate "$@"
}
simulate() {
    : >"$log"
    dnf_run --assumeno install $erasing "$@"
    grep -qE '^(Operation aborted|Nothing to do|Is this ok|Exiting on user)' "$log" ||
        fail_with_log "docker_engine.source: dnf can't install it:"
    sed 's/^/dnf|/' "$log"
}

# prepare_packages SECONDS [WORD]...: all that can be done while everything still runs.
prepare_packages() {
    await_lock "$1"
    shift
    dnf_run -y install --downloadonly "$@" || fail_with_log "dnf can't fetch the engine:"
}
install_packages() {
    dnf_run -y install "$@" || fail_with_log "dnf can't install the engine:"
    keep
}
# without_sources: what follows takes nothing but the files that came along.
without_sources() {
    mkdir -p "$work/repos"
    settings "reposdir=$work/repos"
}
# hold NAME...: add those of them that are installed to `exclude`; unhold NAME...: take out of it.
hold() {
    names=
    for name in "$@"; do ! rpm -q "$name" >/dev/null 2>&1 || names="$names $name"; done
    write_main_conf add "$names"
}
unhold() {
    printf '%s\n' "$@" >>"$let_go"
    write_main_conf remove "$*"
}
write_main_conf() {
    cp -p "$main_conf" "$main_conf.dockyard" &&
        edited "$1" "$2" /dev/null >"$main_conf.dockyard" &&
        mv "$main_conf.dockyard" "$main_conf" && return
    rm -f "$main_conf.dockyard"
    fail "$main_conf can't be written"
}
