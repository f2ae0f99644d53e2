"""What a host is told to do: scripts, their arguments and what they read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from roles.docker_engine.packages import Family

SHELL = Path(__file__).parent / "shell"
LIMIT_S = 120
INSTALL_S = 900
Where = Literal["whole", "first", "last"]
KeysWanted = Literal["add", "only", "back", "proven"]


@dataclass(frozen=True)
class Step:
    """One command on a host, by a script that goes in by stdin or as a word."""

    called: str
    words: tuple[str, ...]
    stdin: bytes = b""
    timeout_s: int = LIMIT_S


def script(name: str, *words: str, stdin: bytes = b"") -> Step:
    """One of our scripts, with arguments."""
    return Step(name, ("sh", "-c", text(name), name, *words), stdin)


def place(
    path: str,
    content: bytes,
    mode: str = "644",
    where: Where = "whole",
    check: str = "",
    apply: str = "",
) -> Step:
    """Write a file, or a block of ours in one; `check` and `apply` as shell/place.sh has it."""
    words = (str(len(content)), path, mode, where, check, apply)
    step = script("place", *words, stdin=content)
    return Step(f"writing {path}", step.words, step.stdin)


def give_keys(user: str, what: KeysWanted, content: bytes = b"") -> Step:
    """Write a user's authorized_keys, or end that, as shell/keys.sh has it."""
    step = script("keys", str(len(content)), user, what, stdin=content)
    return Step(f"authorized_keys of {user}", step.words, step.stdin)


def install(family: Family, *packages: str, environment: bytes = b"") -> Step:
    """Install packages; `environment` is shell text, such as what tells of a proxy."""
    sent = environment + text("install").encode()
    words = ("sh", "-c", 'script=$(cat); eval "$script"', "install", family, *packages)
    return Step(f"installing {', '.join(packages)}", words, sent, INSTALL_S)


def text(name: str) -> str:
    return (SHELL / f"{name}.sh").read_text()
