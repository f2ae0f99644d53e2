#!/bin/sh
# A hook for drift: posts what has changed, as it comes on stdin (docs/drift.md), to a URL.
#
# The URL is a secret. It is in a file that only the account of the check reads, by default
# /etc/dockyard/drift-hook.env, else the one that DRIFT_HOOK_ENV names:
#     WEBHOOK_URL='https://chat.example.org/hooks/...'
set -eu

settings=${DRIFT_HOOK_ENV:-/etc/dockyard/drift-hook.env}

refuse() {
    echo "$settings: $1" >&2
    exit 64
}

[ -r "$settings" ] || refuse "can't be read; expected a file with WEBHOOK_URL=..., mode 0600"
[ -z "$(find -L "$settings" -prune ! -perm 600 ! -perm 400)" ] ||
    refuse "others may read it; run: chmod 600 $settings"
unset WEBHOOK_URL
. "$settings"
newline='
'
case ${WEBHOOK_URL:-} in
*[\"\\]* | *"$newline"*) refuse "WEBHOOK_URL: expected an address without quotes and backslashes" ;;
http://?* | https://?*) ;;
*) refuse "WEBHOOK_URL: expected an address that begins with https:// or http://" ;;
esac

# Everybody on the machine sees a command line: curl reads the URL from a file, which ends with it.
exec curl -q --silent --show-error --fail --max-time 15 --retry 2 --output /dev/null \
    --header 'Content-Type: application/json' --data-binary @- --config /dev/fd/3 3<<END
url = "$WEBHOOK_URL"
END
