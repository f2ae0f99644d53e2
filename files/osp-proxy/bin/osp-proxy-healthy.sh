#!/bin/bash
# Exits 0 if the agent answers and HAProxy answers it.
set -u

loopback=127.0.0.1
[[ ${EXPORT_IP:-} == *:* ]] && loopback=::1
for address in "$loopback" 127.0.0.1; do
    if exec 3<>"/dev/tcp/$address/${OSP_STATUS_PORT:-2081}"; then
        printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3
        read -r -t 3 _ status _ <&3 && [ "$status" = 200 ]
        exit
    fi
done 2>/dev/null
exit 1
