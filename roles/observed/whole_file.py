"""A file on a host that only root reads, written whole or not at all."""

from __future__ import annotations

from pyinfra.api import Host, State

from roles.observed import channel

LIMIT_S = 30

_PUT = """
set -e
umask 077
new=$1.new
mkdir -p "${1%/*}"
cat >"$new"
[ "$(wc -c <"$new")" -eq "$2" ] || { rm -f "$new"; echo "cut off" >&2; exit 1; }
mv "$new" "$1"
"""
"""Arguments: the file, and how many bytes stdin has; another count is a broken connection's."""


def put(state: State, host: Host, path: str, text: str) -> None:
    """Write a file, and the folders above it.

    Raises:
        RemoteError: it could not be written; what stood there before stands.
    """
    content = text.encode()
    words = ["sh", "-c", _PUT, "put", path, str(len(content))]
    channel.run(state, host, words, stdin=content, timeout_s=LIMIT_S, called=f"writing {path}")
