# Who may change this host now. `$script` is this text; the arguments are one of
#   take TOKEN TTL_S GENERATION OWNER DOING   have the lease, where the record is at GENERATION
#   renew TOKEN TTL_S                         have it for longer; not once it has run out
#   release TOKEN                             give it back
#   do TOKEN COMMAND...                       run a command that no other's lease can begin under
#   holds TOKEN                               exit with 0 while it is TOKEN's
# The record has one value a line: token, expires, generation, owner, since, doing. A token that is
# empty was given back. Times are seconds since 1970 by this host's clock.
# All of it is its owner's alone, who is root in general: whoever may read a file may lock it, too.
# Exits: 73 a command still runs that an earlier lease allowed, 75 held by another, 76 the
# generation is another (both tell the record), 77 the lease is not TOKEN's (any more).
LC_ALL=C
export LC_ALL
umask 077
home=/var/lib/dockyard/lease
record=$home/record
running=$home/lock
most_s=3600
await_writer_s=10

number() { case $1 in '' | *[!0-9]*) echo 0 ;; *) echo "$1" ;; esac; }

look() {
    token='' expires=0 generation=0 owner='' since=0 doing=''
    [ ! -r "$record" ] || {
        IFS= read -r token
        IFS= read -r expires
        IFS= read -r generation
        IFS= read -r owner
        IFS= read -r since
        IFS= read -r doing
    } <"$record"
    expires=$(number "$expires") generation=$(number "$generation") since=$(number "$since")
    now=$(date +%s)
}

# One that runs for longer than anybody may have it is of a clock that was set back.
is_held() { [ -n "$token" ] && [ "$expires" -gt "$now" ] && [ $((expires - now)) -le "$most_s" ]; }

tell() {
    printf 'now=%s\n' "$now"
    [ ! -r "$record" ] || sed 's/^/|/' "$record"
}

# A reader sees the old record or the new one, never half of it.
write() {
    printf '%s\n' "$token" "$expires" "$generation" "$owner" "$since" "$doing" >"$record.$$" &&
        mv "$record.$$" "$record" && return
    rm -f "$record.$$"
    echo "lease: can not write to $home" >&2
    exit 1
}

utc() { date -u -d "@$1" '+%H:%M:%S UTC' 2>/dev/null || echo "$1"; }

refuse() {
    if [ -n "$token" ] && [ "$token" = "$1" ]; then
        why="it ran out at $(utc "$expires"), and was not renewed in time"
    elif [ -n "$owner" ]; then
        why="it is not this run's any more: $owner took it at $(utc "$since") ($doing)"
    else
        why="it is not this run's any more: its record is gone"
    fi
    echo "lease: $why; this was not done" >&2
    exit 77
}

one_writer() {
    exec 8>>"$home/writing" && flock -x -w "$await_writer_s" 8 && return
    echo "lease: another process has written to $record for $await_writer_s s" >&2
    exit 1
}

take() {
    command -v flock >/dev/null || {
        echo 'lease: expected flock, of util-linux; install it' >&2
        exit 1
    }
    (umask 022 && mkdir -p "${home%/*}") && mkdir -p "$home" && chmod 700 "$home" &&
        exec 9>>"$running" || exit 1
    look
    ! is_held || { tell; exit 75; }
    flock -n -x 9 || {
        waited=yes
        flock -w 1 -x 9 || { tell; exit 73; }
    }
    one_writer
    look
    ! is_held || { tell; exit 75; }
    [ "$generation" = "$3" ] || { tell; exit 76; }
    [ -z "$token$waited" ] || echo late
    token=$1 expires=$((now + $2)) generation=$((generation + 1)) owner=$4 since=$now doing=$5
    rm -f "$record".[0-9]* "$home"/script.[0-9]*
    printf '%s\n' "$script" >"$home/script.$$" && mv "$home/script.$$" "$home/lease.sh" || exit 1
    write
}

renew() {
    one_writer
    look
    [ "$token" = "$1" ] && is_held || refuse "$1"
    expires=$((now + $2))
    write
}

release() {
    one_writer
    look
    [ "$token" = "$1" ] || refuse "$1"
    token='' expires=0
    write
}

# The command does not hold the lock itself: what it leaves running must not. This shell does.
run() {
    mine=$1
    shift
    look
    [ -r "$running" ] || refuse "$mine"
    exec 9<"$running" && flock -s -w "$await_writer_s" 9 || {
        echo "lease: another process holds $running; this was not done" >&2
        exit 77
    }
    look
    [ "$token" = "$mine" ] && is_held || refuse "$mine"
    umask 022
    "$@" 9<&-
}

holds() {
    look
    [ "$token" = "$1" ] && is_held
}

waited=''
command=$1
shift
case $command in
take) take "$@" ;;
renew) renew "$@" ;;
release) release "$@" ;;
do) run "$@" ;;
holds) holds "$@" ;;
esac
