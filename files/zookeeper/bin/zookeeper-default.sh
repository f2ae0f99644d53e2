#!/bin/bash
# Runs one member of the registry, or prepares its data folder.
set -euo pipefail
shopt -s inherit_errexit

usage() {
    cat >&2 <<'END'
usage: zookeeper-default.sh start | init [--found]

  start          run this member in the foreground
  init           prepare an empty data folder for a member that joins an ensemble which has data
  init --found   the same, for a member of an ensemble that is being founded: it may begin empty

  ZOO_MY_ID        this member's number, 1-255 (default 1)
  ZOO_SERVERS      the members to begin with, this one among them: 1=ADDRESS,2=ADDRESS,...
                   (default: this one alone), IPv4, IPv6, name; or `data`: the data folder says it
  ZOO_ADDRESS      the address to listen at for clients    (default: every address)
  ZOO_CLIENT_PORT  (default 2181)
  ZOO_HEAP_MB      (default 256)
END
    exit 64
}

refuse() {
    echo "$1 is ${2:-absent}; expected $3" >&2
    exit 64
}

home=$(dirname "$(dirname "$(readlink -f "$0")")")
work=${ZOO_WORK_DIR:-$home}
data=$work/data
my_id=${ZOO_MY_ID:-1}
client_port=${ZOO_CLIENT_PORT:-2181}
heap_mb=${ZOO_HEAP_MB:-256}
servers=${ZOO_SERVERS:-$my_id=${ZOO_ADDRESS:-127.0.0.1}}

check_settings() {
    [[ $my_id =~ ^[1-9][0-9]{0,2}$ && $my_id -le 255 ]] ||
        refuse ZOO_MY_ID "$my_id" "a whole number from 1 to 255"
    [[ $client_port =~ ^[1-9][0-9]{0,4}$ && $client_port -le 65535 ]] ||
        refuse ZOO_CLIENT_PORT "$client_port" "a whole number from 1 to 65535"
    [[ $heap_mb =~ ^[1-9][0-9]{1,5}$ && $heap_mb -ge 32 ]] ||
        refuse ZOO_HEAP_MB "$heap_mb" "a whole number of megabytes, 32 or more"
    [[ $servers == data || ,$servers, == *",$my_id="* ]] ||
        refuse ZOO_SERVERS "$servers" "1=ADDRESS,2=ADDRESS,... with $my_id (ZOO_MY_ID) among them"
}

bare() {
    local address=${1#[}
    echo "${address%]}"
}

# An IPv6 address before a port is in brackets, everywhere else it is not.
bracketed() {
    if [[ $1 == *:* ]]; then
        echo "[$(bare "$1")]"
    else
        echo "$1"
    fi
}

# Writes server.N=ADDRESS:2888:3888 for each of 1=ADDRESS,2=ADDRESS,...
server_lines() {
    local member members
    IFS=, read -ra members <<<"$1"
    for member in "${members[@]}"; do
        [[ $member =~ ^([1-9][0-9]{0,2})=([A-Za-z0-9._-]+|\[?[0-9A-Fa-f]*:[0-9A-Fa-f:.]+\]?)$ ]] ||
            refuse "a member in ${2:-ZOO_SERVERS}" "$member" "NUMBER=ADDRESS"
        echo "server.${BASH_REMATCH[1]}=$(bracketed "${BASH_REMATCH[2]}"):2888:3888:participant"
    done
}

# The version of the newest configuration that ZooKeeper has written here, in hexadecimal: it keeps
# each one that the ensemble has agreed on as zoo.cfg.dynamic.VERSION.
newest() {
    local file version found=
    for file in "$data"/zoo.cfg.dynamic.*; do
        version=${file##*.}
        if [[ $version =~ ^[0-9a-f]{1,16}$ ]] && ((16#$version > 16#${found:-0})); then
            found=$version
        fi
    done
    echo "$found"
}

# Names the file that says who the members are. What the ensemble has agreed on counts. A list that
# was given (the file `members`: VERSION 1=ADDRESS,2=ADDRESS,...) counts only until something newer
# than VERSION is known: a member that has left must not come back by an old list, since with
# others that have left it might make a quorum.
membership() {
    local agreed as_of='' given='' lines
    agreed=$(newest)
    if [[ -s $data/members ]]; then
        read -r as_of given <"$data/members" || true
        [[ $as_of =~ ^[0-9a-f]{1,16}$ && ,$given, == *",$my_id="* ]] ||
            refuse "$data/members" "'$as_of $given'" "VERSION 1=ADDRESS,2=ADDRESS,... with $my_id \
(ZOO_MY_ID) among them"
    fi
    if [[ -n $agreed ]] && { [[ -z $given ]] || ((16#$as_of < 16#$agreed)); }; then
        grep -q "^server\.$my_id=" "$data/zoo.cfg.dynamic.$agreed" ||
            refuse "$data/zoo.cfg.dynamic.$agreed" "without $my_id (ZOO_MY_ID)" "this member in it: \
it has left the ensemble; have it join again, or stop it"
        echo "$data/zoo.cfg.dynamic.$agreed"
        return
    fi
    if [[ -z $given ]]; then
        [[ $servers != data ]] ||
            refuse "$data/members" "" "VERSION 1=ADDRESS,2=ADDRESS,... (ZOO_SERVERS is 'data')"
        given=$servers
    fi
    lines=$(server_lines "$given" "${as_of:+$data/members}")
    echo "$lines" >"$data/zoo.cfg.initial"
    echo "$data/zoo.cfg.initial"
}

# Who changes the members has to know a password, made here and read here: ZooKeeper is told its
# digest alone, of which a random password can't be found.
super_digest() {
    local password sum
    if [[ ! -s $data/super ]]; then
        (umask 077 && head -c 24 /dev/urandom | base64 >"$data/super.new")
        mv "$data/super.new" "$data/super"
    fi
    password=$(<"$data/super")
    sum=$(printf 'super:%s' "$password" | sha1sum)
    # shellcheck disable=SC2001,SC2059 # the sum's bytes, written as such
    printf "$(sed 's/../\\x&/g' <<<"${sum%% *}")" | base64
}

config() {
    cat <<END
tickTime=2000
initLimit=10
syncLimit=5
dataDir=$data
clientPort=$client_port
${ZOO_ADDRESS:+clientPortAddress=$(bare "$ZOO_ADDRESS")}
maxClientCnxns=200
autopurge.purgeInterval=1
autopurge.snapRetainCount=3
4lw.commands.whitelist=srvr,mntr,ruok
admin.enableServer=false
quorumListenOnAllIPs=false
standaloneEnabled=false
reconfigEnabled=true
dynamicConfigFile=$1
DigestAuthenticationProvider.superDigest=super:$2
END
}

# Only the one who deploys knows whether an empty folder is a new member or a lost disk, so an
# unprepared one is refused. ZooKeeper takes an empty database for the truth only where it finds
# the file `initialize` beside myid, which it then removes (zookeeper.db.autocreate=false).
check_data() {
    local found
    found=$(cat "$data/myid" 2>/dev/null) ||
        refuse "$data/myid" "" "the number of this member, $my_id (ZOO_MY_ID): prepare the folder \
with 'zookeeper-default.sh init', or find out where its data went"
    [[ $found == "$my_id" ]] ||
        refuse "$data/myid" "$found" "$my_id (ZOO_MY_ID): this is the data of another member"
}

init() {
    if [[ -n $(ls -A "$data") ]]; then
        refuse "$data" "$(ls -A "$data" | head -n 1), ..." "an empty folder"
    fi
    if [[ ${1:-} == --found ]]; then
        : >"$data/initialize"
    fi
    echo "$my_id" >"$data/myid"
}

start() {
    local members digest lines jars=/usr/share/java
    check_data
    members=$(membership)
    digest=$(super_digest)
    lines=$(config "$members" "$digest")
    echo "$lines" >"$data/zoo.cfg"
    cd "$work"
    exec java \
        -Xmx"${heap_mb}m" -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError -XX:-UsePerfData \
        -Djava.util.logging.config.file="$home/logging.properties" \
        -Dzookeeper.db.autocreate=false \
        -Dzookeeper.jmx.log4j.disable=true \
        -cp "$jars/zookeeper.jar:$jars/slf4j-jdk14.jar" \
        org.apache.zookeeper.server.quorum.QuorumPeerMain "$data/zoo.cfg"
}

check_settings
case "$*" in
    start) start ;;
    init | "init --found") init "${2:-}" ;;
    *) usage ;;
esac
