#!/bin/sh
# Keeps the container there for `docker exec osp-sdk osp-sdk call ...`.
set -eu

if [ "${1:-}" != start ]; then
    echo "usage: osp-sdk-default.sh start" >&2
    exit 64
fi
exec "$(dirname "$(readlink -f "$0")")/osp-sdk" idle
