#!/bin/bash
# Exits 0 if the agent answers and HAProxy answers it.
set -u

exec 3<>"/dev/tcp/127.0.0.1/${OSP_STATUS_PORT:-2081}" || exit 1
printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3
read -r -t 3 _ status _ <&3 && [ "$status" = 200 ]
