# Functions that exchange a container on this host, and put back what ran before where that fails; the
# steps follow. What they are told stands before: name, stop_s, ready_s, docker_s (any other call of
# docker), wait_s, lock, back (what ran before: "runs", "stopped" or "nothing"), policy (its restart).
# A cut SSH connection does not end it. Lines on stdout tell what has become of it, a word first;
# stderr is why it failed.
LC_ALL=C
PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
export LC_ALL PATH
trap '' HUP PIPE
before=$name-before next=$name-next failed=$name-failed
hung=

say() { printf '%s\n' "$*" 2>/dev/null || :; }
fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# only_one: wait for another run's step on the same container; one that was cut off may go on. Whoever
# may read the lock's file may hold it, too.
only_one() {
    command -v flock >/dev/null && [ -w "${lock%/*}" ] || return 0
    (umask 077 && : >>"$lock" && chmod 600 "$lock")
    exec 9>>"$lock"
    flock -w "$wait_s" 9 || leave "another run exchanges container $name, for more than $wait_s s now"
}

# in_time SECONDS STREAM WORD...: call docker; `answer` is what it says on stdout or, where STREAM is
# "told", why it refused. One that hung is not asked again.
in_time() {
    limit_s=$1 stream=$2
    shift 2
    [ -z "$hung" ] || return 1
    case $stream in
    told) answer=$(timeout -k 1 "$limit_s" docker "$@" 2>&1 >/dev/null </dev/null 9>&-) ;;
    *) answer=$(timeout -k 1 "$limit_s" docker "$@" 2>/dev/null </dev/null 9>&-) ;;
    esac
    judge $? "$1"
}
judge() {
    case $1 in
    0) return 0 ;;
    124 | 137) hung=yes answer="docker $2 did not end within $limit_s s" ;;
    *) answer="docker $2 exited with $1${answer:+
$answer}" ;;
    esac
    return 1
}
tell() { in_time "$docker_s" told "$@"; }
ask() { in_time "$docker_s" asked "$@"; }
# has CONTAINER: 1 where there is none, 2 where that can not be told.
has() {
    ask ps --all --format '{{.Names}}' || return 2
    printf '%s\n' "$answer" | grep -qxF -e "$1"
}
remove() { tell rm --volumes "$1"; }
stop_one() { in_time "$((stop_s + docker_s))" told stop --time "$stop_s" "$1"; }
wake() { tell unpause "$1" || tell start "$1"; }

# seen CONTAINER ID: it must still be the one that was looked at; "" for none.
seen() {
    if [ -n "$2" ]; then
        ask inspect --format '{{.Id}}' "$1" && [ "$answer" = "$2" ] && return
    else
        has "$1" || [ -n "$hung" ] || return 0
    fi
    [ -z "$hung" ] || leave "$answer"
    leave "container $1 was changed since it was looked at; run again"
}
leave() {
    say untouched
    fail "$*"
}

# exchange HOW [WORD]...: "create", "start" or "replace" the container; words go to `docker run`, its
# variables come by stdin.
exchange() {
    how=$1
    shift
    [ "$how" = start ] || receive
    "$how" "$@" && is_healthy "$name" && return
    why=$answer
    take_back
    fail "$why"
}
create() { run "$@"; }
# One that ends again and again is stopped first: docker start would leave it to its restarts.
start() {
    ask inspect --format '{{.State.Running}} {{.RestartCount}}' "$name" || return
    case $answer in
    "true "[1-9]*)
        tell unpause "$name" && return
        stop_one "$name" || return
        ;;
    esac
    wake "$name"
}
replace() { make_room && run "$@"; }
# Of two that are to be replaced the one is kept that served.
make_room() {
    stop_one "$name" || return
    if has "$before"; then
        remove "$name"
    else
        tell rename "$name" "$before" && tell update --restart no "$before"
    fi
}

# beside [WORD]...: start the next one beside the one that serves on. Where docker hung it may be made
# all the same: so it is looked for anew, and all is as before only where that could be seen.
beside() {
    receive
    run "$@" && is_healthy "$next" && return
    why=$answer
    hung=
    set_aside "$next" && say back
    fail "$why"
}

# receive: read the variables, in `variables`, never in a process list. Where the connection was cut
# their last line is missing, and nothing has been touched yet.
receive() {
    variables=$(cat)
    case $variables in *'#end') ;; *) leave "what container $name is to be told did not arrive whole" ;; esac
    variables=${variables%'#end'}
}
run() {
    [ -z "$hung" ] || return 1
    limit_s=$docker_s
    answer=$(printf '%s' "$variables" |
        timeout -k 1 "$limit_s" docker run "$@" 2>&1 >/dev/null 9>&-)
    judge $? run
}

# is_healthy CONTAINER: its own health check, asked now instead of at its interval.
is_healthy() {
    container=$1
    ask inspect --format '{{if .Config.Healthcheck}}{{range .Config.Healthcheck.Test}}{{"\x27"}}{{join (split . "\x27") "\x27\\\x27\x27"}}{{"\x27"}} {{end}}{{end}}' "$container" || return
    eval "set -- $answer"
    case ${1:-NONE} in
    NONE) say unprovable && return ;;
    CMD-SHELL) shift && set -- sh -c "$@" ;;
    *) shift ;;
    esac
    end=$(($(date +%s) + ready_s)) restarts=
    while :; do
        ask inspect --format '{{.State.Running}} {{.RestartCount}}' "$container" || return
        restarts=${restarts:-${answer#* }}
        if [ "${answer% *}" = false ] || [ "${answer#* }" -gt $((restarts + 2)) ]; then
            say "ended $container"
            return 1
        fi
        said=$(timeout -k 1 10 docker exec "$container" "$@" 2>&1 </dev/null 9>&-) && return
        [ "$(date +%s)" -lt "$end" ] || break
        sleep 0.1
    done
    say "unhealthy $container $(printf '%s' "$said" | tr '\n' ' ' | head -c 400)"
    return 1
}

# take_back: stop the new one, keep it to be looked at, and have the old one as it was. Each part is
# tried, whatever became of the one before. To be repeated without harm.
take_back() {
    hung=
    if [ "$back" = nothing ] || has "$before"; then set_aside "$name"; fi
    old_again
}
# keep_failed CONTAINER: stop it, and keep it to be looked at.
keep_failed() {
    set_aside "$1" || fail "$answer"
}
# It must never start again by itself: two would run.
set_aside() {
    has "$1"
    case $? in
    1) return 0 ;;
    2) return 1 ;;
    esac
    in_time "$docker_s" told update --restart no "$1"
    show_logs "$1"
    ! has "$failed" || remove "$failed"
    stop_one "$1"
    stopped=$?
    tell rename "$1" "$failed" && say "kept $failed" && return "$stopped"
}
show_logs() {
    timeout -k 1 "$docker_s" docker logs --tail 15 "$1" 2>&1 </dev/null 9>&- |
        sed "/^[[:space:]]*\$/d; s/^/log $1: /"
}
old_again() {
    if has "$before" && ! has "$name"; then
        tell rename "$before" "$name" && tell update --restart "$policy" "$name"
    fi
    [ "$back" = runs ] || return 0
    hung=
    wake "$name" || fail "$answer"
    has "$before"
    case $? in
    1) say back ;;
    2) fail "$answer" ;;
    *) fail "container $name runs, and what ran before is still $before" ;;
    esac
}

# settle: give the new one its name, and remove what was kept to go back to.
settle() {
    clear_away || fail "$answer"
}
clear_away() {
    ! has "$before" || remove "$before" || return
    if has "$next" && has "$name"; then
        tell rename "$name" "$before" && tell rename "$next" "$name" && remove "$before" || return
    elif has "$next"; then
        tell rename "$next" "$name" || return
    fi
    ! has "$failed" || remove "$failed"
}

# stop CONTAINER...; stop_and_remove CONTAINER...: of those that are there.
stop() {
    for each in "$@"; do
        stop_one "$each" || fail "$answer"
    done
}
stop_and_remove() {
    for each in "$@"; do
        has "$each" || continue
        stop_one "$each" && remove "$each" || fail "$answer"
    done
}

# while_it_is FOUND WORD...: call docker, while the very process that was found so still runs.
while_it_is() {
    found=$1
    shift
    ask inspect --format '{{.Id}} {{.State.StartedAt}} {{.State.Running}}' "${found%% *}" || fail "$answer"
    [ "$answer" = "$found" ] || return 0
    in_time "$((stop_s + docker_s))" told "$@" || fail "$answer"
}

only_one
