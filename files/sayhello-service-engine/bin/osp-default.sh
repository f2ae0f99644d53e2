#!/bin/sh
# Runs the engine in the foreground, as the process that called this script.
set -eu

if [ "${1:-}" != start ]; then
    echo "usage: osp-default.sh start" >&2
    exit 64
fi

home=$(dirname "$(dirname "$(readlink -f "$0")")")
export OSP_LOGS_DIR="${OSP_LOGS_DIR:-$home/logs}"
export PYTHONPATH="$home" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
exec python3 -m sayhello_engine
