#!/bin/bash
# Runs one member of the registry, or prepares its data folder.
set -euo pipefail

usage() {
    cat >&2 <<'END'
usage: zookeeper-default.sh start | init [--found]

  start          run this member in the foreground
  init           prepare an empty data folder for a member that joins an ensemble which has data
  init --found   the same, for a member of an ensemble that is being founded: it may begin empty

  ZOO_MY_ID        this member's number, 1-255 (default 1)
  ZOO_SERVERS      every member: 1=ADDRESS,2=ADDRESS,...   (default: standalone), IPv4, IPv6, name
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

check_settings() {
    [[ $my_id =~ ^[1-9][0-9]{0,2}$ && $my_id -le 255 ]] ||
        refuse ZOO_MY_ID "$my_id" "a whole number from 1 to 255"
    [[ $client_port =~ ^[1-9][0-9]{0,4}$ && $client_port -le 65535 ]] ||
        refuse ZOO_CLIENT_PORT "$client_port" "a whole number from 1 to 65535"
    [[ $heap_mb =~ ^[1-9][0-9]{1,5}$ && $heap_mb -ge 32 ]] ||
        refuse ZOO_HEAP_MB "$heap_mb" "a whole number of megabytes, 32 or more"
    [[ -z ${ZOO_SERVERS:-} || ,$ZOO_SERVERS, == *",$my_id="* ]] ||
        refuse ZOO_SERVERS "$ZOO_SERVERS" "1=ADDRESS,2=ADDRESS,... with $my_id (ZOO_MY_ID) among them"
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

# Writes server.N=ADDRESS:2888:3888 for each member.
server_lines() {
    local member members
    IFS=, read -ra members <<<"${ZOO_SERVERS:-}"
    for member in "${members[@]}"; do
        [[ $member =~ ^([1-9][0-9]{0,2})=([A-Za-z0-9._-]+|\[?[0-9A-Fa-f]*:[0-9A-Fa-f:.]+\]?)$ ]] ||
            refuse "a member in ZOO_SERVERS" "$member" "NUMBER=ADDRESS"
        echo "server.${BASH_REMATCH[1]}=$(bracketed "${BASH_REMATCH[2]}"):2888:3888"
    done
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
END
    server_lines
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
    local lines jars=/usr/share/java
    check_data
    lines=$(config)
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
