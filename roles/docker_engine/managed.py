"""The files that Dockyard writes on a host for its engine: what they hold, and where. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote

from roles.docker_engine.packages import family
from roles.docker_engine.spec import DockerEngineSpec, ProxySettings
from roles.observed import Observed
from roles.run.changes import Gap, file_gap

DOCKER_KEYS = {
    "deb": "9DC858229FC7DD38854AE2D88D81803C0EBFCD88",
    "rpm": "060A61C51B558A7F742B77AAC52FEB6B621E9F35",
}
"""Docker's own signing keys, as its installation pages for each family tell them."""

DEB_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "armhf",
    "ppc64le": "ppc64el",
    "s390x": "s390x",
}
KEY_DIRECTORIES = {"deb": "/etc/apt/keyrings", "rpm": "/etc/pki/rpm-gpg"}
REPOSITORIES = {
    "deb": "/etc/apt/sources.list.d/docker.list",
    "rpm": "/etc/yum.repos.d/docker-ce.repo",
}
"""Where Docker's own installation pages put them."""

PROXY_UNIT = "/etc/systemd/system/docker.service.d/dockyard-proxy.conf"


@dataclass(frozen=True)
class ManagedFile:
    """A file with all that it is to hold; `name` is what it is called on its way."""

    name: str
    path: str
    content: bytes
    mode: str = "644"

    def gap(self, observed: Observed) -> Gap | None:
        return file_gap(observed, self.path, self.content, self.mode)


def fingerprint(spec: DockerEngineSpec, observed: Observed) -> str:
    """The fingerprint of the one key that may sign the vendor's packages."""
    return spec.vendor.fingerprint or DOCKER_KEYS[family(observed) or "deb"]


def key_path(spec: DockerEngineSpec, observed: Observed) -> str:
    """The vendor's keyring; its name tells the key that is in it."""
    directory = KEY_DIRECTORIES[family(observed) or "deb"]
    return f"{directory}/docker-{fingerprint(spec, observed)}.asc"


def key_place(spec: DockerEngineSpec, observed: Observed) -> str:
    """Where the vendor's key is to be had: a URL, or a path on this machine."""
    return spec.vendor.key or f"{spec.vendor.repo_url}/{_distribution(observed)}/gpg"


def looked_at(spec: DockerEngineSpec) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The paths and the files that a host is asked for, before its family is known."""
    if spec.source == "present":
        return (), ()
    keys = tuple(
        f"{KEY_DIRECTORIES[kind]}/docker-{spec.vendor.fingerprint or DOCKER_KEYS[kind]}.asc"
        for kind in KEY_DIRECTORIES
    )
    return keys, (*REPOSITORIES.values(), PROXY_UNIT)


def repository(spec: DockerEngineSpec, observed: Observed) -> ManagedFile:
    """The vendor's repository, as the host's package manager is told of it."""
    vendor, distribution = spec.vendor, _distribution(observed)
    key = key_path(spec, observed)
    if family(observed) == "deb":
        architecture = DEB_ARCHITECTURES.get(observed.architecture, observed.architecture)
        text = (
            f"deb [arch={architecture} signed-by={key}] "
            f"{vendor.repo_url}/{distribution} {observed.os_codename} {vendor.channel}\n"
        )
        return ManagedFile("docker.list", REPOSITORIES["deb"], text.encode())
    release = observed.os_version.partition(".")[0]
    base = f"{vendor.repo_url}/{distribution}/{release}/{observed.architecture}/{vendor.channel}"
    lines = [
        f"[docker-ce-{vendor.channel}]",
        f"name=Docker CE {vendor.channel}",
        f"baseurl={base}",
        "enabled=1",
        "gpgcheck=1",
        f"gpgkey=file://{key}",
    ]
    return ManagedFile("docker-ce.repo", REPOSITORIES["rpm"], _text(lines))


def proxy_unit(proxy: ProxySettings) -> ManagedFile:
    """What the engine's service is told of the way out; a proxy's URL may hold a password."""
    lines = [f'Environment="{name}={value}"' for name, value in _way_out(proxy).items()]
    escaped = [line.replace("%", "%%") for line in lines]  # systemd's own sign
    return ManagedFile("proxy.conf", PROXY_UNIT, _text(["[Service]", *escaped]), "600")


def proxy_env(proxy: ProxySettings | None) -> bytes:
    """The way out as programs that a script calls take it."""
    told = _way_out(proxy) if proxy else {}
    lines = [f"export {name.lower()}={quote(value)}" for name, value in told.items()]
    return _text(lines)


def _way_out(proxy: ProxySettings) -> dict[str, str]:
    told = {"HTTP_PROXY": proxy.http, "HTTPS_PROXY": proxy.https}
    told["NO_PROXY"] = ",".join(proxy.exempt) or None
    return {name: value for name, value in told.items() if value}


def apt_conf(proxy: ProxySettings | None, scratch: bool) -> bytes:
    """What apt is told for our transactions; with `scratch` its lists and sources lie there."""
    told = {
        "Acquire::Retries": "0" if scratch else "1",
        "Acquire::http::Timeout": "10" if scratch else "30",
        "Acquire::https::Timeout": "10" if scratch else "30",
        "APT::Install-Recommends": "false",
        "DPkg::Lock::Timeout": "30",
        "Dpkg::Use-Pty": "0",
    }
    if proxy and proxy.http:
        told["Acquire::http::Proxy"] = proxy.http
    if proxy and proxy.https:
        told["Acquire::https::Proxy"] = proxy.https
    for name in proxy.exempt if proxy else ():
        told[f"Acquire::http::Proxy::{name}"] = "DIRECT"
        told[f"Acquire::https::Proxy::{name}"] = "DIRECT"
    if scratch:
        told |= {
            "APT::Get::List-Cleanup": "false",
            "APT::Sandbox::User": "root",
            "Dir::State::Lists": "@WORK@/lists",
            "Dir::Etc::SourceList": "@WORK@/sources.list",
            "Dir::Etc::SourceParts": "@WORK@/sources",
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
            "Dir::Log": "@WORK@",
        }
    lines = [f'{name} "{value}";' for name, value in told.items()]
    lines += ["Dpkg::Options {", '  "--force-confdef";', '  "--force-confold";', "};"]
    return _text(lines)


def dnf_conf(proxy: ProxySettings | None) -> bytes:
    """What is added to dnf's own settings for our transactions."""
    address = (proxy.https or proxy.http) if proxy else None
    return _text(["timeout=10", "retries=1", *([f"proxy={address}"] if address else [])])


def _distribution(observed: Observed) -> str:
    """The vendor's directory for a host's distribution; rebuilds of RHEL take RHEL's."""
    if family(observed) == "deb":
        return next(i for i in (observed.os_id, *observed.os_like) if i in ("debian", "ubuntu"))
    return observed.os_id if observed.os_id in ("centos", "fedora") else "rhel"


def _text(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
