"""What the user says of hosts themselves, and of the user who looks after them."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from roles.run.model import AbsolutePath, Data

KEY_TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
_EXPECTED = "expected a public key, 'TYPE BASE64 [COMMENT]' in one line"


def _public_key(line: str) -> str:
    """A line of authorized_keys without options. What is no key is not shown: it may be secret."""
    words = line.split(None, 2)
    if "PRIVATE KEY" in line:
        raise ValueError(f"{_EXPECTED}, found a private one; take the file that ends in '.pub'")
    if not words or words[0] not in KEY_TYPES:
        known = ", ".join(KEY_TYPES)
        raise ValueError(f"{_EXPECTED}, found no such type in front; known: {known}")
    if len(words) < 2 or not _is_blob(words[1], words[0]) or not line.isprintable():
        raise ValueError(f"{_EXPECTED}, found '{words[0]}' and what is no such key; copy it anew")
    return " ".join(words)


def _is_blob(text: str, kind: str) -> bool:
    """Whether it is base64 of a whole key that says its own type (RFC 4253: strings in a row)."""
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    parts, at = [], 0
    while at < len(blob):
        end = at + 4 + int.from_bytes(blob[at : at + 4], "big")
        parts.append(blob[at + 4 : end])
        at = end
    return at == len(blob) and len(parts) > 1 and parts[0] == kind.encode()


def _read_keys(value: Any) -> Any:
    """Read `{"files": [...]}`: public keys on this machine; relative paths start in the project."""
    if not isinstance(value, dict):
        return value
    files = value.get("files")
    if set(value) != {"files"} or not isinstance(files, list) or not files:
        raise ValueError("expected a list of keys, or {'files': [...]} with a file at the least")
    if at_home := [str(file) for file in files if str(file).startswith("~")]:
        raise ValueError(
            f"expected a path in the project's folder, such as 'files/ops.pub', found "
            f"'{at_home[0]}': whose home `~` is depends on who runs, and the scheduled check for "
            "drift is another; write the key itself into the list, or copy the file"
        )
    return [key for file in files for key in _keys_of(Path(str(file)))]


def _keys_of(file: Path) -> list[str]:
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ValueError(f"expected a file of public keys, found {file}: {why}") from None
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            try:
                found.append(_public_key(line.strip()))
            except ValueError as error:
                raise ValueError(f"{file}, line {number}: {error}") from None
    if not found:
        raise ValueError(f"expected a file of public keys, found none in {file}")
    return found


def _zone(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", value):
        raise ValueError(f"expected a timezone such as 'Europe/Berlin' or 'UTC', found '{value}'")
    return value


def _host_name(value: str) -> str:
    if not is_host_name(value):
        raise ValueError(f"expected a host name of letters, digits, '-' and '.', found '{value}'")
    return value


def is_host_name(value: str) -> bool:
    """RFC 1123; no address, whose last label is a number."""
    labels = value.split(".")
    fits = all(re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", one) for one in labels)
    return fits and len(value) <= 64 and not labels[-1].isdecimal()


def _sysctl_value(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError("expected a number, or a text such as '1024 65000'")
    text = " ".join(str(value).split())
    if not text or not text.isprintable():
        raise ValueError("expected a number, or a text of one line")
    return text


PublicKey = Annotated[str, AfterValidator(_public_key)]
UserName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]
Zone = Annotated[str, AfterValidator(_zone)]
HostName = Annotated[str, AfterValidator(_host_name)]
SysctlName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)+$")]
SysctlValue = Annotated[str | None, BeforeValidator(_sysctl_value)]
Module = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Server = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.:_-]*[A-Za-z0-9])?$")]
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]


class UserSpec(Data):
    """The operations user: who deploys, and logs in."""

    name: UserName
    uid: Annotated[int, Field(ge=1, le=2**31 - 2)] | None = None
    """None: whatever is free, or what the user has."""
    keys: Annotated[list[PublicKey], Field(min_length=1), BeforeValidator(_read_keys)]
    """Public keys, or `{"files": [...]}`: files of them, relative to the project's folder."""
    exclusive: bool = False
    """Whether other keys of this user are taken away."""
    sudo: bool = True
    """Whether it becomes root without a password."""
    shell: AbsolutePath = "/bin/bash"
    lock_passwords: bool = True
    """Whether nobody logs in with a password any more, and the user has none."""

    @property
    def is_root(self) -> bool:
        return self.name == "root"


class TimeSyncSpec(Data):
    service: Literal["auto", "timesyncd", "chrony"] = "auto"
    """`auto`: chrony where it is installed, and on hosts of the RPM family; else timesyncd."""
    servers: list[Server] = Field(default_factory=list)
    """None: whatever the distribution has."""


class LimitsSpec(Data):
    """Of whoever logs in; containers have their own."""

    nofile: Count | None = None
    nproc: Count | None = None


class LogRotationSpec(Data):
    """Of the parts' log directories."""

    size_mb: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    count: Annotated[int, Field(ge=1, le=1000)] = 5
    copytruncate: bool = True
    """Whether a log is copied and emptied; else it is renamed, and its writer must notice."""


class JournaldSpec(Data):
    max_use_mb: Annotated[int, Field(ge=8, le=1_000_000)] | None = None
    max_retention_days: Annotated[int, Field(ge=1, le=3650)] | None = None


class HostSetupSpec(Data):
    """Whatever is None or empty is not touched."""

    user: UserSpec | None = None
    name: Literal[True] | HostName | None = None
    """True: the inventory's name of the host."""
    timezone: Zone | None = None
    time_sync: TimeSyncSpec | None = None
    sysctls: dict[SysctlName, SysctlValue] | None = None
    """Names to values. One that is None is not wanted, whatever is said for more hosts."""
    modules: list[Module] | None = None
    limits: LimitsSpec | None = None
    log_rotation: LogRotationSpec | None = None
    journald: JournaldSpec | None = None
    security_updates: Literal[True] | None = None

    @property
    def wanted_sysctls(self) -> dict[str, str]:
        return {name: value for name, value in (self.sysctls or {}).items() if value is not None}

    @property
    def wanted_modules(self) -> list[str]:
        """As the kernel has them: with `_` alone."""
        return list(dict.fromkeys(name.replace("-", "_") for name in self.modules or ()))
