"""Hosts that talk at every login: what start-up files print stands before a command's own output.

It may be in bytes that are no text. Every command prints a mark first, and what comes before the
mark is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyinfra.connectors.util
from paramiko.file import BufferedFile
from pyinfra.api import Host, StringCommand
from pyinfra.connectors.util import CommandOutput, OutputLine, read_buffer

MARK = "@@dockyard-stdout"
SAY_MARK = f"printf '%s\\n' {MARK} && "
"""To stand before a command line."""

Run = Callable[..., tuple[bool, CommandOutput]]


def ignore_noise(host: Host) -> None:
    """Have pyinfra's own facts and operations read nothing but their command's output."""
    run: Run = host.connector.run_shell_command

    def run_shell_command(
        line: StringCommand, *printing: bool, **arguments: Any
    ) -> tuple[bool, CommandOutput]:
        marked = StringCommand(SAY_MARK, line, _separator="")
        succeeded, output = run(marked, *printing, **arguments)
        return succeeded, CommandOutput(list(own_lines(output.combined_lines)))

    host.connector.run_shell_command = run_shell_command  # type: ignore[assignment, method-assign]


def own_lines(lines: Iterable[OutputLine]) -> Iterator[OutputLine]:
    """Drop stdout up to the mark. Without one all of it stays: it tells what is wrong."""
    lines = list(lines)
    begun = not any(map(_is_mark, lines))
    for line in lines:
        if begun or line.buffer_name != "stdout":
            yield line
        begun = begun or _is_mark(line)


def _is_mark(line: OutputLine) -> bool:
    return line.buffer_name == "stdout" and line.line.rstrip() == MARK


def take_any_bytes() -> None:
    """Have pyinfra replace bytes that are not UTF-8; it loses all output that follows them."""

    def read(name: str, source: Any, *rest: Any, **more: Any) -> None:
        if isinstance(source, BufferedFile):
            source._flags |= BufferedFile.FLAG_BINARY  # type: ignore[attr-defined]
        text = (x if isinstance(x, str) else x.decode("utf-8", errors="replace") for x in source)
        read_buffer(name, text, *rest, **more)

    pyinfra.connectors.util.read_buffer = read  # type: ignore[assignment]
