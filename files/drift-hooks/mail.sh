#!/bin/sh
# A hook for drift: mails what has changed. docs/drift.md tells what comes on stdin.
#
# MAIL_TO is in the environment, or in the file that DRIFT_HOOK_ENV names:
#     MAIL_TO=ops@example.org
set -eu

settings=${DRIFT_HOOK_ENV:-/etc/dockyard/drift-hook.env}
[ ! -r "$settings" ] || . "$settings"
PATH=$PATH:/usr/sbin:/usr/lib

case ${MAIL_TO:-} in
'' | -*)
    echo "MAIL_TO: expected an address, found '${MAIL_TO:-}'; set it in $settings" >&2
    exit 64
    ;;
esac

# Each key is on a line of its own, and no text from a host can look like one.
news=$(cat)
change=$(printf '%s\n' "$news" | sed -n 's/^  "change": "\([a-z]*\)",$/\1/p')
inventory=$(printf '%s\n' "$news" | sed -n 's/^    "inventory": "\(.*\)",$/\1/p')
subject="drift: ${change:-unknown}: $inventory"

# The whole report is in last.json; a mail's lines end at 998 signs.
body() {
    printf '%s\n' "$news" | sed '/^  "report": {$/,$d' | fold -w 900
}

if command -v sendmail >/dev/null; then
    {
        printf '%s\n' "To: $MAIL_TO" "Subject: $subject" "Auto-Submitted: auto-generated" \
            "MIME-Version: 1.0" "Content-Type: text/plain; charset=utf-8" ""
        body
    } | sendmail -oi -t
elif command -v mail >/dev/null; then
    body | mail -s "$subject" "$MAIL_TO"
else
    echo "expected the program sendmail or mail; install one" >&2
    exit 69
fi
