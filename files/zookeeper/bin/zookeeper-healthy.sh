#!/bin/bash
# Exits 0 if this member serves clients: it is alone, leads, or follows.
set -u

address=${ZOO_ADDRESS:-127.0.0.1}
address=${address#[}
exec 3<>"/dev/tcp/${address%]}/${ZOO_CLIENT_PORT:-2181}" || exit 1
printf srvr >&3
while read -r -t 3 key value <&3; do
    [ "$key" = Mode: ] && [ -n "$value" ] && exit 0
done
exit 1
