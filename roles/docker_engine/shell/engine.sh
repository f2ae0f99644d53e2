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
trap 'code=$?; trap "" TERM INT; leave $code; exit $code' EXIT
leave() {
    [ "$1" -eq 0 ] || put_back
    [ ! -s "$stopped" ] || start_containers
    rm -rf "$work"
}

# only_one SECONDS: wait for another run on this host.
only_one() {
    command -v flock >/dev/null || return 0
    exec 9>>/run/dockyard-engine.lock
    flock -w "$1" 9 || fail "another run changes this host's engine, for more than $1 s now"
}

# put FILE PATH MODE: place a file that came along.
put() {
    number=$(ls "$undo" | wc -l)
    [ ! -e "$2" ] || cp -p -- "$2" "$undo/$number.old"
    printf '%s\n' "$2" >"$undo/$number.path"
    mkdir -p -- "$(dirname -- "$2")"
    install -m "$3" -- "$work/$1" "$2.dockyard" && mv -- "$2.dockyard" "$2" ||
        fail "$2 can't be written"
}
put_back() {
    for path in "$undo"/*.path; do
        [ -e "$path" ] || continue
        old=${path%.path}.old
        if [ -e "$old" ]; then cp -p -- "$old" "$(cat "$path")"; else rm -f -- "$(cat "$path")"; fi
    done
}
# What was put so far stays, whatever comes.
keep() { rm -f "$undo"/*; }

if [ -d /run/systemd/system ]; then
    service_do() {
        units=docker.service
        [ "$1" != stop ] || [ ! -e /run/docker.sock ] || units='docker.socket docker.service'
        systemctl reset-failed docker.service >/dev/null 2>&1
        # shellcheck disable=SC2086
        systemctl "$1" $units >>"$log" 2>&1
    }
    service_enable() { systemctl enable docker.service >>"$log" 2>&1; }
    service_log() { journalctl -u docker.service -n 15 --no-pager -o cat; }
    reread_units() { systemctl daemon-reload; }
else
    service_do() { service docker "$1" >>"$log" 2>&1 </dev/null 9>&-; }
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
service_again() {
    service_do restart
    service_up "$1"
}

# stop_containers SECONDS NAME [SECONDS NAME]...: cleanly, and side by side; started again at the end.
stop_containers() {
    stopping=
    while [ $# -gt 1 ]; do
        say "stopping $2"
        printf '%s\n' "$2" >>"$stopped"
        docker stop --time "$1" "$2" >>"$log" 2>&1 &
        stopping="$stopping $!"
        shift 2
    done
    for process in $stopping; do
        wait "$process" || fail_with_log "a container can't be stopped"
    done
}
# They are left stopped: the engine is to stay down.
leave_stopped() { rm -f "$stopped"; }
start_containers() {
    answers "${start_timeout_s:-60}" || {
        printf 'left stopped: %s\n' "$(tr '\n' ' ' <"$stopped")" >&2
        return 1
    }
    while read -r name; do
        say "starting $name"
        docker start "$name" >>"$log" 2>&1 </dev/null ||
            printf 'container %s can not be started: %s\n' "$name" "$(tail -n 1 "$log")" >&2
    done <"$stopped"
    : >"$stopped"
}

# start_ours LABEL: every container of ours that an earlier stop has left.
start_ours() {
    docker ps -a --filter "label=$1" --filter status=exited --format '{{.Names}}' >"$stopped"
    start_containers
}

# run_script SECONDS FILE VERSION: somebody else's way to install an engine.
run_script() {
    await_lock "$1"
    [ ! -f proxy.env ] || . ./proxy.env
    VERSION=$3 sh "./$2" >>"$log" 2>&1 </dev/null 9>&- || fail_with_log 'docker_engine.script: it failed:'
    keep
}

# Before 23.0 the engine can't check a file. But it reads the file before it looks at the log level,
# and ends at one that it does not know.
# check_config FILE
check_config() {
    if dockerd --help 2>&1 | grep -q -e '--validate'; then
        found=$(dockerd --validate --config-file "./$1" 2>&1) && return
    else
        found=$(timeout 10 dockerd --config-file "./$1" --log-level none-such 2>&1)
        case $found in
        *'parse logging level'*) return 0 ;;
        *'as a flag and in the configuration file: log-level:'*) return 0 ;;
        esac
    fi
    found=$(printf '%s\n' "$found" | tail -n 1)
    fail "docker_engine.config: the engine refuses it: ${found#*"with file ./$1: "}"
}
# configure FILE reload|restart SECONDS
configure() {
    check_config "$1"
    put "$1" /etc/docker/daemon.json 644
    if [ "$2" = reload ] && docker version >/dev/null 2>&1; then
        service_reload
        answers "$3" || fail "the engine does not answer after a reload"
        keep
        return
    fi
    if service_do restart && answers "$3"; then
        keep
        return
    fi
    printf 'docker_engine.config: the engine does not start with it, so the old is back:\n' >&2
    service_log >&2
    put_back
    service_do restart
    answers "$3"
    exit 1
}
service_reload() { kill -s HUP "$(cat /var/run/docker.pid)"; }
