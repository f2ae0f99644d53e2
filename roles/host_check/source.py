"""Where an engine's packages would come from, as the probe is to ask for it."""

from __future__ import annotations

from urllib.parse import urlsplit

from roles.docker_engine.spec import DockerEngineSpec

PORTS = {"http": 80, "https": 443}


def place_of_packages(spec: DockerEngineSpec) -> str | None:
    """`http(s)://HOST:PORT`; `distro` for what the host's package manager is set to.

    None where the host itself asks nobody: files and a script are brought to it from this machine.
    """
    if spec.source == "distro":
        return "distro"
    url = spec.vendor.repo_url
    return f"{urlsplit(url).scheme}://{_place(url)}" if spec.source == "vendor" else None


def place_of_proxy(spec: DockerEngineSpec) -> str | None:
    """`HOST:PORT`: who may use it is nobody's business on the way."""
    proxy = spec.proxy and (spec.proxy.https or spec.proxy.http)
    return _place(proxy) if proxy else None


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or PORTS[parts.scheme]}"
