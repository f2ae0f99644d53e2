"""Where an engine's packages would come from, as the probe is to ask for it."""

from __future__ import annotations

from urllib.parse import urlsplit

from roles.docker_engine.spec import DockerEngineSpec

PORTS = {"http": 80, "https": 443}


def place_of_packages(spec: DockerEngineSpec) -> str | None:
    """`http(s)://HOST:PORT`; `distro` for what the host's package manager is set to.

    None where nothing comes from the network.
    """
    if spec.source == "distro":
        return "distro"
    downloads: dict[str, list[str | None]] = {
        "vendor": [spec.vendor.repo_url],
        "script": [spec.script.url if spec.script else None],
        "files": [file.url for file in spec.files],
    }
    urls = [url for url in downloads.get(spec.source, []) if url]
    return f"{urlsplit(urls[0]).scheme}://{_place(urls[0])}" if urls else None


def place_of_proxy(spec: DockerEngineSpec) -> str | None:
    """`HOST:PORT`: who may use it is nobody's business on the way."""
    proxy = spec.proxy and (spec.proxy.https or spec.proxy.http)
    return _place(proxy) if proxy else None


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or PORTS[parts.scheme]}"
