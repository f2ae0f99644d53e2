# Functions that change this host's Docker engine; apt.sh or dnf.sh and then the steps follow.
# What came along lies in this script's own directory. What a step breaks off is put back: files, and
# the containers that were stopped for it. A cut SSH connection does not end it.
LC_ALL=C
DEBIAN_FRONTEND=noninteractive
PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
export LC_ALL DEBIAN_FRONTEND PATH
work=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$work" || exit
log=$work/log
undo=$work/undo
stopped=$work/stopped
let_go=$work/let-go
: >"$log"
mkdir "$undo"

# Lines on stdout that start so are shown to the operator at once; stderr is why it failed.
say() { printf 'say: %s\n' "$*"; }
fail() {
    printf '%s\n' "$*" >&2
    exit 1
}
# The last lines of what a program printed, below the reason.
fail_with_log() {
    printf '%s\n' "$*" >&2
    grep -vE '^$|^(Reading|Building) .*\.\.\.$' "$log" | tail -n 12 >&2
    exit 1
}

trap '' HUP PIPE
trap 'exit 143' TERM INT
trap 'code=$?; trap "" TERM INT; leave; exit $code' EXIT
leave() {
    wait
    [ "$code" -eq 0 ] || put_back
    [ ! -s "$stopped" ] || start_containers || code=1
    rm -rf "$work"
}

# only_one SECONDS: wait for another run on this host. Whoever may read the lock's file may hold it, too.
only_one() {
    command -v flock >/dev/null || return 0
    (umask 077 && : >>/var/run/dockyard-engine.lock && chmod 600 /var/run/dockyard-engine.lock)
    exec 9>>/var/run/dockyard-engine.lock
    flock -w "$1" 9 || fail "another run changes this host's engine, for more than $1 s now"
}

# locked_by FILE: who holds a lock on a file, as "PID (NAME)".
locked_by() {
    [ -e "$1" ] || return 0
    pid=$(awk -v end=":$(stat -c %i "$1")" \
        'substr($6, length($6) - length(end) + 1) == end { print $5; exit }' /proc/locks)
    [ -z "$pid" ] || process_named "$pid"
}
process_named() { printf '%s (%s)' "$1" "$(cat "/proc/$1/comm" 2>/dev/null)"; }
# await_lock SECONDS: wait for another package manager.
await_lock() {
    left=$1
    while holder=$(lock_holder) && [ -n "$holder" ]; do
        [ $((($1 - left) % 10)) -ne 0 ] || say "waiting for process $holder, which has $manager_name's lock"
        [ "$left" -gt 0 ] ||
            fail "process $holder has held $manager_name's lock for $1 s; look what it does there"
        sleep 1
        left=$((left - 1))
    done
}

# put FILE PATH MODE: place a file that came along.
put() {
    [ ! -d "$2" ] || fail "$2 is a directory, and a file belongs there; move it away, run again"
    remember "$2"
    mkdir -p -- "$(dirname -- "$2")"
    install -o 0 -g 0 -m "$3" -- "$work/$1" "$2.dockyard" && mv -- "$2.dockyard" "$2" && return
    rm -f -- "$2.dockyard"
    fail "$2 can't be written"
}
# take_away PATH: remove a file of ours.
take_away() {
    remember "$1"
    rm -f -- "$1"
}
# remember PATH: have it put back as it is now, should something fail later.
remember() {
    number=$(ls "$undo" | wc -l)
    { [ ! -e "$1" ] || cp -p -- "$1" "$undo/$number.old"; } &&
        printf '%s\n' "$1" >"$undo/$number.path" && return
    rm -f "$undo/$number".*
    fail "$1 can't be saved before it is changed"
}
put_back() {
    # In a shell of its own: where it fails, all else is put back nevertheless.
    # shellcheck disable=SC2046
    [ ! -s "$let_go" ] || (hold $(cat "$let_go"))
    for path in "$undo"/*.path; do
        [ -e "$path" ] || continue
        old=${path%.path}.old
        if [ -e "$old" ]; then cp -p -- "$old" "$(cat "$path")"; else rm -f -- "$(cat "$path")"; fi
    done
}
# What was put so far stays, whatever comes.
keep() { rm -f "$undo"/* "$let_go"; }

if [ -d /run/systemd/system ]; then
    service_do() {
        units=docker.service
        [ "$1" != stop ] || ! systemctl cat docker.socket >/dev/null 2>&1 ||
            units='docker.socket docker.service'
        systemctl reset-failed docker.service >/dev/null 2>&1
        # shellcheck disable=SC2086
        timeout "$service_timeout_s" systemctl "$1" $units >>"$log" 2>&1
    }
    service_enable() {
        # A mask is somebody's, and what is wanted is that it runs; not every engine has a socket.
        for where in '' --runtime; do
            systemctl unmask $where docker.service docker.socket >>"$log" 2>&1 || :
        done
        systemctl enable docker.service >>"$log" 2>&1
    }
    service_log() { journalctl -u docker.service -n 15 --no-pager -o cat; }
    reread_units() { systemctl daemon-reload; }
else
    service_do() { timeout "$service_timeout_s" service docker "$1" >>"$log" 2>&1 </dev/null 9>&-; }
    service_enable() {
        if command -v update-rc.d >/dev/null; then
            update-rc.d docker defaults && update-rc.d docker enable
        else
            chkconfig --add docker && chkconfig docker on
        fi >>"$log" 2>&1
    }
    service_log() { tail -n 15 /var/log/docker.log; }
    reread_units() { :; }
fi

# answers SECONDS: wait until the engine's API does.
answers() {
    timeout "$1" sh -c 'until docker version >/dev/null 2>&1; do sleep 0.2; done'
}
# service_up SECONDS: enabled, running and answering.
service_up() {
    service_enable || fail_with_log "the docker service can't be enabled"
    service_do start && answers "$1" && return
    printf 'the engine does not answer, %s s after it was started; it says:\n' "$1" >&2
    service_log >&2
    exit 1
}
service_down() {
    service_do stop || fail_with_log "the docker service can't be stopped"
}

# service_again SECONDS [KEY]: restarted; where it does not come up, with what it had before.
service_again() {
    if service_do restart && answers "$1"; then
        keep
        return
    fi
    if [ -n "$(ls "$undo")" ]; then
        printf '%sthe engine does not start with it, so the old is back:\n' "${2-}" >&2
    else
        printf 'the engine does not come up again; it says:\n' >&2
    fi
    service_log >&2
    put_back
    reread_units
    service_do restart
    answers "$1"
    exit 1
}

# stop_containers SECONDS NAME [SECONDS NAME]...: cleanly, and side by side; started again at the end.
stop_containers() {
    stopping=
    while [ $# -gt 1 ]; do
        say "stopping $2"
        printf '%s\n' "$2" >>"$stopped"
        timeout "$(($1 + 30))" docker stop --time "$1" "$2" >>"$log" 2>&1 &
        stopping="$stopping $!"
        shift 2
    done
    bad=
    for process in $stopping; do wait "$process" || bad=1; done
    [ -z "$bad" ] || fail_with_log "a container can't be stopped:"
}
# They are left stopped: the engine is to stay down.
leave_stopped() { rm -f "$stopped"; }
start_containers() {
    answers "${start_timeout_s:-60}" || {
        printf 'left stopped: %s\n' "$(tr '\n' ' ' <"$stopped")" >&2
        : >"$stopped"
        return 1
    }
    bad=
    while read -r name; do
        say "starting $name"
        timeout 60 docker start "$name" >>"$log" 2>&1 </dev/null && continue
        printf 'container %s can not be started: %s\n' "$name" "$(tail -n 1 "$log")" >&2
        bad=1
    done <"$stopped"
    : >"$stopped"
    [ -z "$bad" ]
}

# start_ours LABEL: every container of ours that an earlier stop has left.
start_ours() {
    docker ps -a --filter "label=$1" --filter status=exited --format '{{.Names}}' >"$stopped.all" ||
        fail "the engine does not tell its containers"
    # What a rollout keeps stopped stays so.
    grep -Ev -- '-(before|next|failed)$' "$stopped.all" >"$stopped" || :
    start_containers || exit 1
}

# run_script FILE VERSION: somebody else's way to install an engine.
run_script() {
    [ ! -f proxy.env ] || . ./proxy.env
    VERSION=$2 sh "./$1" >>"$log" 2>&1 </dev/null 9>&- || fail_with_log 'docker_engine.script: it failed:'
    keep
}

# The flags that the engine runs with: a key may not be said there and in its file.
running_flags() {
    [ ! -s /var/run/docker.pid ] || tr '\0' '\n' <"/proc/$(cat /var/run/docker.pid)/cmdline" |
        sed -e 1d -e '/^--config-file$/{N;d;}' -e '/^--config-file=/d'
}
# check_config FILE: before 23.0 the engine can't check a file. But it reads the file before it looks
# at the log level, and ends at one that it does not know.
check_config() {
    file=$1
    set --
    while IFS= read -r flag; do
        [ -z "$flag" ] || set -- "$@" "$flag"
    done <<FLAGS
$(running_flags 2>/dev/null)
FLAGS
    if dockerd --help 2>&1 | grep -q -e '--validate'; then
        found=$(timeout 20 dockerd "$@" --validate --config-file "./$file" 2>&1) && return
    else
        found=$(timeout 20 dockerd "$@" --config-file "./$file" --log-level none-such 2>&1)
        case $found in
        *'parse logging level'*) return 0 ;;
        *'as a flag and in the configuration file: log-level:'*) return 0 ;;
        esac
    fi
    found=$(printf '%s\n' "$found" | tail -n 1)
    fail "docker_engine.config: the engine refuses it: ${found#*"with file ./$file: "}"
}
# configure FILE reload|restart SECONDS
configure() {
    check_config "$1"
    put "$1" /etc/docker/daemon.json "$(stat -c %a /etc/docker/daemon.json 2>/dev/null || echo 644)"
    if [ "$2" = reload ] && docker version >/dev/null 2>&1; then
        service_reload || fail "the engine can't be told to read its configuration again"
        answers "$3" || fail "the engine does not answer after a reload"
        keep
        return
    fi
    service_again "$3" 'docker_engine.config: '
}
service_reload() { kill -s HUP "$(cat /var/run/docker.pid)" 2>>"$log"; }
