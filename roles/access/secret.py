"""Secrets from a prompt, a file or a command: read once, before anything connects; never shown."""

from __future__ import annotations

import getpass
import os
import stat
import subprocess
from contextlib import suppress
from pathlib import Path

from roles.access.spec import SecretCommand, SecretFile, Source

MOST_BYTES = 4096
COMMAND_S = 120


class NoSecret(Exception):
    """A secret can't be had; the text says why and what to do, and holds nothing of it."""


class Secret:
    """A secret that no log, error or list of variables shows."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for what sends it."""
        return self._value

    def __repr__(self) -> str:
        return "*****"

    __str__ = __repr__


def from_file(path: str) -> Secret:
    """Read a file that only its owner may read.

    Raises:
        NoSecret: there is none, others may read it, or it is not one line.
    """
    file = Path(path).expanduser()
    expected = "expected a regular file of mode 0600 with one line"
    try:
        number = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise NoSecret(f"{path}: {error.strerror}; {expected}") from None
    with open(number, "rb") as opened:
        found = os.fstat(opened.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise NoSecret(f"{path}: is no regular file; {expected}")
        if found.st_mode & 0o077:
            mode = f"{stat.S_IMODE(found.st_mode):04o}"
            raise NoSecret(f"{path}: has mode {mode}, others may read it; chmod 0600 {path}")
        if found.st_uid not in (os.geteuid(), 0):
            raise NoSecret(f"{path}: belongs to another user; make it this account's own")
        return _one_line(opened.read(MOST_BYTES + 1), path)


def from_command(command: str) -> Secret:
    """Run a shell's command line here, which may ask at the terminal, and take what it prints.

    So it is in our own process group, and of one that takes too long the shell alone is ended.

    Raises:
        NoSecret: it failed, took longer than COMMAND_S, or did not print one line.
    """
    process = subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE)
    try:
        printed, _ = process.communicate(timeout=COMMAND_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()  # for the shell alone: what it has started may hold the pipe for long
        raise NoSecret(f"`{command}` did not end within {COMMAND_S} s") from None
    if process.returncode:
        raise NoSecret(f"`{command}` exited with {process.returncode}; try it by hand")
    return _one_line(printed, f"`{command}`")


def from_prompt(question: str, has_terminal: bool) -> Secret:
    """Ask at the terminal, without showing what is typed.

    Raises:
        NoSecret: there is no terminal, or nothing was typed.
    """
    if not has_terminal:
        raise NoSecret(
            "there is no terminal to ask on; expected {'file': PATH} or {'command': COMMAND}"
        )
    typed = ""
    with suppress(EOFError):
        typed = getpass.getpass(f"{question}: ")
    if not typed:
        raise NoSecret("nothing was typed")
    return Secret(typed)


class Secrets:
    """What was read in this run; the same source is read, or asked for, once."""

    def __init__(self, has_terminal: bool) -> None:
        self._has_terminal = has_terminal
        self._read: dict[tuple[str, str], Secret | NoSecret] = {}

    def get(self, source: Source, question: str) -> Secret | None:
        """Return the secret of a source, None where there is no source.

        Sources of one kind are one secret: two prompts with the same question are one prompt.

        Raises:
            NoSecret: it can't be had; also the second time.
        """
        if source is None:
            return None
        key = ("prompt", question) if source == "prompt" else (type(source).__name__, str(source))
        if key not in self._read:
            try:
                self._read[key] = self._of(source, question)
            except NoSecret as error:
                self._read[key] = error
        found = self._read[key]
        if isinstance(found, NoSecret):
            raise found
        return found

    def _of(self, source: SecretFile | SecretCommand | str, question: str) -> Secret:
        if isinstance(source, SecretFile):
            return from_file(source.file)
        if isinstance(source, SecretCommand):
            return from_command(source.command)
        return from_prompt(question, self._has_terminal)


def _one_line(content: bytes, where: str) -> Secret:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise NoSecret(f"{where}: expected one line of text, found other bytes") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text or len(content) > MOST_BYTES or any(sign in text for sign in "\n\r\0"):
        raise NoSecret(f"{where}: expected one line that holds the secret, found none or more")
    return Secret(text)
