"""Sudo with a password that goes in by stdin.

pyinfra writes the password into the command line, where the host's process list shows it until the
shell has handed it on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyinfra.api import Host, QuoteString, StringCommand
from pyinfra.connectors.util import CommandOutput, make_unix_command_for_host

_MARK = "@@dockyard-stdin"
_SKIP_PREFACE = f'while read -r line; do [ "$line" = {_MARK} ] && break; done; exec '
_SUDO = ("_sudo", "_sudo_user", "_sudo_password", "_use_sudo_login", "_preserve_sudo_env")
_RUN = ("_get_pty", "_timeout", "_stdin", "_success_exit_codes")


def password_of(host: Host, arguments: Mapping[str, Any]) -> str | None:
    """The password that sudo asks for on a host; None where sudo is not used, or asks for none."""
    known = arguments.get("_sudo_password") or host.connector_data.get("prompted_sudo_password")
    return str(known) if arguments.get("_sudo") and known else None


def preface(password: str) -> list[str]:
    """The lines that stdin starts with. Both are skipped on the host, whether sudo asks or not."""
    return [password, _MARK]


def command(arguments: Mapping[str, Any], inner: StringCommand) -> StringCommand:
    """Run `inner` by sudo; `preface` has to come first on stdin."""
    words: list[str | QuoteString] = ["sudo", "-H", "-S", "-k", "-p", QuoteString("")]
    if arguments.get("_use_sudo_login"):
        words.append("-i")
    if arguments.get("_preserve_sudo_env"):
        words.append("-E")
    if arguments.get("_sudo_user"):
        words += ["-u", QuoteString(arguments["_sudo_user"])]
    script = StringCommand(_SKIP_PREFACE, inner, _separator="")
    return StringCommand(*words, "sh", "-c", QuoteString(script))


def hide_password(host: Host) -> None:
    """Have pyinfra's own operations hand the password over by stdin, too; for a host once."""
    run = host.connector.run_shell_command

    def run_shell_command(
        line: StringCommand, print_output: bool = False, print_input: bool = False, **arguments: Any
    ) -> tuple[bool, CommandOutput]:
        password = password_of(host, arguments)
        if password is None:
            return run(line, print_output, print_input, **arguments)
        inside = {k: v for k, v in arguments.items() if k not in (*_SUDO, *_RUN)}
        inner = make_unix_command_for_host(host.state, host, line, **inside)
        outside = {key: arguments[key] for key in _RUN if key in arguments}
        outside["_stdin"] = [*preface(password), *_lines(outside.get("_stdin"))]
        return run(command(arguments, inner), print_output, print_input, **outside)

    host.connector.run_shell_command = run_shell_command  # type: ignore[assignment, method-assign]


def _lines(stdin: Any) -> Sequence[str]:
    if stdin is None:
        return []
    if hasattr(stdin, "readlines"):
        stdin = stdin.readlines()
    return stdin if isinstance(stdin, (list, tuple)) else [stdin]
