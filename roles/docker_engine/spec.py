"""What the user says of the Docker engine."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from roles.run.model import Data, Seconds, Word


def _http_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/'\"\\]+[^\s'\"\\]*", value):
        raise ValueError(f"expected 'http://...' or 'https://...', found '{value}'")
    return value.rstrip("/")


def _sha256(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", value.lower()):
        raise ValueError(f"expected 64 hexadecimal digits, found '{value}'")
    return value.lower()


def _fingerprint(value: str) -> str:
    digits = value.replace(" ", "").upper()
    if not re.fullmatch(r"[0-9A-F]{40}|[0-9A-F]{64}", digits):
        raise ValueError(
            f"expected a whole fingerprint (40 or 64 hexadecimal digits), found '{value}'"
        )
    return digits


def _without_hosts(config: dict[str, Any]) -> dict[str, Any]:
    if "hosts" in config:
        raise ValueError("'hosts', found here, is the service unit's own: no TCP socket is opened")
    return config


Url = Annotated[str, AfterValidator(_http_url)]
Sha256 = Annotated[str, AfterValidator(_sha256)]
Fingerprint = Annotated[str, AfterValidator(_fingerprint)]


class Download(Data):
    """A file by URL, or by its path on this machine, that is used only with this content."""

    url: Url | None = None
    path: Word | None = None
    sha256: Sha256

    @model_validator(mode="after")
    def _has_one_place(self) -> Download:
        if (self.url is None) == (self.path is None):
            raise ValueError("expected either 'url' or 'path'")
        return self

    @property
    def place(self) -> str:
        return self.url or self.path or ""

    @property
    def name(self) -> str:
        """The last part of its place: what the file is called."""
        return self.place.rpartition("/")[2]


class Vendor(Data):
    """Docker's own package repositories, or a mirror of them."""

    repo_url: Url = "https://download.docker.com/linux"
    """What stands before `/debian`, `/ubuntu`, `/centos`, `/rhel`, `/fedora`."""
    channel: Word = "stable"
    key: Word | None = None
    """The signing key: a URL, or a path on this machine; None: the repository's own `gpg`."""
    fingerprint: Fingerprint | None = None
    """The only key that is trusted; None: Docker's own for the host's family."""


class ProxySettings(Data):
    """How hosts without a direct way out reach package repositories and image registries."""

    http: Url | None = None
    https: Url | None = None
    exempt: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9.:*/_-]+$")]] = Field(
        default_factory=list
    )
    """Names and addresses that are reached directly (`NO_PROXY`)."""


class DockerEngineSpec(Data):
    source: Literal["files", "vendor", "distro", "script", "present"] = "distro"
    """Where the engine comes from; see docs/engine.md."""
    version: Word | None = None
    """`26.1.5`, or the exact version as the packages have it; None: whatever the source has."""
    hold: bool = True
    """Whether a system upgrade leaves the engine's packages alone."""
    allow_downgrade: bool = False
    files: list[Download] = Field(default_factory=list)
    """`source` is `files`: all packages of the engine that the host's own sources lack."""
    vendor: Vendor = Vendor()
    script: Download | None = None
    config: Annotated[dict[str, Any], AfterValidator(_without_hosts)] = Field(default_factory=dict)
    """Keys of `daemon.json`; None takes a key out. Keys that are not named stay as they are."""
    proxy: ProxySettings | None = None
    install_timeout_s: Seconds = 900
    lock_timeout_s: Seconds = 300
    """How long to wait for another package manager, such as a new host's own first updates."""
    start_timeout_s: Seconds = 60

    @model_validator(mode="after")
    def _has_what_its_source_needs(self) -> DockerEngineSpec:
        if self.source == "files" and not self.files:
            raise ValueError("'files' is empty; name the engine's packages, or take another source")
        if self.source == "script" and self.script is None:
            raise ValueError("'script' is missing; name the script's url and sha256")
        return self
