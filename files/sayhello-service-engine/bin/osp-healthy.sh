#!/bin/bash
# Exits 0 if the engine answers its health check. It listens on the port that it exports where it
# is on the host's network, and on the image's own behind a published port.
set -u

loopback=127.0.0.1
[[ ${EXPORT_IP:-} == *:* ]] && loopback=::1
for port in "${EXPORT_PORT:-${EXPORT_PROT:-1080}}" 1080; do
    for address in "$loopback" 127.0.0.1; do
        if exec 3<>"/dev/tcp/$address/$port"; then
            printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3
            read -r -t 3 _ status _ <&3 && [ "$status" = 200 ]
            exit
        fi
    done
done 2>/dev/null
exit 1
