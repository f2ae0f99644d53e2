#!/bin/sh
# Runs the proxy in the foreground, as the process that called this script.
set -eu

if [ "${1:-}" != start ]; then
    echo "usage: osp-proxy-default.sh start" >&2
    exit 64
fi

home=$(dirname "$(dirname "$(readlink -f "$0")")")
export OSP_LOGS_DIR="${OSP_LOGS_DIR:-$home/logs}" OSP_DATA_DIR="${OSP_DATA_DIR:-$home/data}"
export PYTHONPATH="$home" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
PATH=$PATH:/usr/sbin exec python3 -m osp_proxy
