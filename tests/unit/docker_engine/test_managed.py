from __future__ import annotations

import shutil
import subprocess
from hashlib import sha256
from pathlib import Path as File
from typing import Any

import pytest

from roles.docker_engine import managed
from roles.docker_engine.managed import ManagedFile
from roles.docker_engine.spec import DockerEngineSpec, ProxySettings
from roles.observed import Observed, Path
from roles.run.changes import Gap
from tests.unit.build import bare

DEB_KEY = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
RPM_KEY = "060A61C51B558A7F742B77AAC52FEB6B621E9F35"
OWN_KEY = "AB" * 20
VENDOR = {"repo_url": "https://packages.example/linux", "fingerprint": OWN_KEY}


def spec(**engine: Any) -> DockerEngineSpec:
    return DockerEngineSpec.model_validate({"source": "vendor", **engine})


def host(os_id: str, os_version: str, *like: str, codename: str = "", **changes: Any) -> Observed:
    return bare(os_id=os_id, os_version=os_version, os_like=like, os_codename=codename, **changes)


DEBIAN = host("debian", "12", codename="bookworm")
ROCKY = host("rocky", "9.4", "rhel", "centos", "fedora")


@pytest.mark.parametrize(
    "engine, observed, line",
    [
        (
            {},
            DEBIAN,
            f"deb [arch=amd64 signed-by=/etc/apt/keyrings/docker-{DEB_KEY}.asc] "
            "https://download.docker.com/linux/debian bookworm stable\n",
        ),
        (
            {"vendor": {**VENDOR, "channel": "test"}},
            host("ubuntu", "24.04", "debian", codename="noble", architecture="aarch64"),
            f"deb [arch=arm64 signed-by=/etc/apt/keyrings/docker-{OWN_KEY}.asc] "
            "https://packages.example/linux/ubuntu noble test\n",
        ),
        (
            {"vendor": VENDOR},
            host("raspbian", "12", "debian", codename="bookworm", architecture="armv7l"),
            f"deb [arch=armhf signed-by=/etc/apt/keyrings/docker-{OWN_KEY}.asc] "
            "https://packages.example/linux/debian bookworm stable\n",
        ),
        (
            {"vendor": VENDOR},
            host("linuxmint", "22", "ubuntu", "debian", codename="noble"),
            f"deb [arch=amd64 signed-by=/etc/apt/keyrings/docker-{OWN_KEY}.asc] "
            "https://packages.example/linux/ubuntu noble stable\n",
        ),
        (
            {"vendor": VENDOR},
            host("debian", "13", codename="trixie", architecture="riscv64"),
            f"deb [arch=riscv64 signed-by=/etc/apt/keyrings/docker-{OWN_KEY}.asc] "
            "https://packages.example/linux/debian trixie stable\n",
        ),
    ],
    ids=["debian", "ubuntu", "raspbian", "mint", "unknown-architecture"],
)
def test_the_vendors_repository_for_apt(
    engine: dict[str, Any], observed: Observed, line: str
) -> None:
    assert managed.repository(spec(**engine), observed) == ManagedFile(
        "docker.list", "/etc/apt/sources.list.d/docker.list", line.encode()
    )


@pytest.mark.parametrize(
    "observed, place",
    [
        (ROCKY, "rhel/9/x86_64"),
        (host("rhel", "9.4", "fedora"), "rhel/9/x86_64"),
        (host("ol", "9.4", "fedora"), "rhel/9/x86_64"),
        (host("centos", "10", "rhel", "fedora", architecture="aarch64"), "centos/10/aarch64"),
        (host("fedora", "41"), "fedora/41/x86_64"),
    ],
    ids=["rocky", "rhel", "oracle", "centos-stream", "fedora"],
)
def test_the_vendors_repository_for_dnf(observed: Observed, place: str) -> None:
    file = managed.repository(spec(vendor={**VENDOR, "channel": "test"}), observed)
    assert (file.name, file.path, file.mode) == (
        "docker-ce.repo",
        "/etc/yum.repos.d/docker-ce.repo",
        "644",
    )
    assert file.content.decode() == (
        "[docker-ce-test]\n"
        "name=Docker CE test\n"
        f"baseurl=https://packages.example/linux/{place}/test\n"
        "enabled=1\n"
        "gpgcheck=1\n"
        f"gpgkey=file:///etc/pki/rpm-gpg/docker-{OWN_KEY}.asc\n"
    )


@pytest.mark.parametrize(
    "engine, observed, fingerprint, path, place",
    [
        (
            {},
            DEBIAN,
            DEB_KEY,
            f"/etc/apt/keyrings/docker-{DEB_KEY}.asc",
            "https://download.docker.com/linux/debian/gpg",
        ),
        (
            {},
            ROCKY,
            RPM_KEY,
            f"/etc/pki/rpm-gpg/docker-{RPM_KEY}.asc",
            "https://download.docker.com/linux/rhel/gpg",
        ),
        (
            {"vendor": {**VENDOR, "key": "keys/vendor.asc"}},
            DEBIAN,
            OWN_KEY,
            f"/etc/apt/keyrings/docker-{OWN_KEY}.asc",
            "keys/vendor.asc",
        ),
    ],
    ids=["debian", "rocky", "own"],
)
def test_the_vendors_key(
    engine: dict[str, Any], observed: Observed, fingerprint: str, path: str, place: str
) -> None:
    found = spec(**engine)
    assert managed.fingerprint(found, observed) == fingerprint
    assert managed.key_path(found, observed) == path
    assert managed.key_place(found, observed) == place


def test_what_hosts_are_asked() -> None:
    files = (
        "/etc/apt/sources.list.d/docker.list",
        "/etc/yum.repos.d/docker-ce.repo",
        "/etc/systemd/system/docker.service.d/dockyard-proxy.conf",
    )
    assert managed.looked_at(spec(source="present")) == ((), ())
    assert managed.looked_at(spec()) == (
        (
            f"/etc/apt/keyrings/docker-{DEB_KEY}.asc",
            f"/etc/pki/rpm-gpg/docker-{RPM_KEY}.asc",
        ),
        files,
    )
    for observed in (DEBIAN, ROCKY):
        found = spec(vendor=VENDOR)
        paths, sums = managed.looked_at(found)
        assert managed.key_path(found, observed) in paths
        assert managed.repository(found, observed).path in sums


LIST = "/etc/docker.list"


@pytest.mark.parametrize(
    ("content", "place", "gap"),
    [
        (b"deb\n", Path("regular file", "0:0", "644"), None),
        (b"deb\n", None, None),
        (b"deb", Path("regular file", "0:0", "644"), ("as Dockyard writes it", "differs")),
        (None, None, ("as Dockyard writes it", "absent")),
        (None, Path("directory", "0:0", "755"), ("as Dockyard writes it", "a directory")),
        (
            b"deb\n",
            Path("symbolic link", "0:0", "777"),
            ("as Dockyard writes it", "a symbolic link"),
        ),
        (
            b"deb\n",
            Path("regular file", "65534:0", "666"),
            ("of 0:0, mode 644", "of 65534:0, mode 666"),
        ),
    ],
)
def test_how_a_file_differs(
    content: bytes | None, place: Path | None, gap: tuple[str, str] | None
) -> None:
    observed = bare(
        sums={LIST: sha256(content).hexdigest()} if content is not None else {},
        paths={LIST: place} if place else {},
    )
    found = ManagedFile("docker.list", LIST, b"deb\n").gap(observed)
    assert found == (Gap(LIST, *gap) if gap else None)


@pytest.mark.parametrize(
    "proxy, lines",
    [
        (
            {"http": "http://proxy.example:3128"},
            ['Environment="HTTP_PROXY=http://proxy.example:3128"'],
        ),
        (
            {
                "http": "http://proxy.example:3128",
                "https": "http://me:p%40ss@proxy.example:3129",
                "exempt": ["registry.example", ".inner.example", "198.18.0.0/24"],
            },
            [
                'Environment="HTTP_PROXY=http://proxy.example:3128"',
                'Environment="HTTPS_PROXY=http://me:p%%40ss@proxy.example:3129"',
                'Environment="NO_PROXY=registry.example,.inner.example,198.18.0.0/24"',
            ],
        ),
    ],
    ids=["http", "both"],
)
def test_the_service_is_told_of_the_proxy(proxy: dict[str, Any], lines: list[str]) -> None:
    file = managed.proxy_unit(ProxySettings.model_validate(proxy))
    assert file.content.decode() == "\n".join(["[Service]", *lines]) + "\n"
    assert (file.path, file.mode) == (
        "/etc/systemd/system/docker.service.d/dockyard-proxy.conf",
        "600",
    )


PROXY = ProxySettings.model_validate(
    {
        "http": "http://proxy.example:3128",
        "https": "http://proxy.example:3129",
        "exempt": ["packages.example", "198.18.0.0/24", "::1"],
    }
)


def test_what_apt_is_told() -> None:
    assert managed.apt_conf(None, scratch=False).decode() == (
        'Acquire::Retries "1";\n'
        'Acquire::http::Timeout "30";\n'
        'Acquire::https::Timeout "30";\n'
        'APT::Install-Recommends "false";\n'
        'DPkg::Lock::Timeout "30";\n'
        'Dpkg::Use-Pty "0";\n'
        "Dpkg::Options {\n"
        '  "--force-confdef";\n'
        '  "--force-confold";\n'
        "};\n"
    )


def dumped(conf: bytes, folder: File) -> dict[str, str]:
    """A configuration as apt itself reads it."""
    (folder / "apt.conf").write_bytes(conf)
    done = subprocess.run(
        ["apt-config", "dump"],
        env={"APT_CONFIG": str(folder / "apt.conf"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    lines = [line.rstrip(";").partition(" ") for line in done.stdout.splitlines()]
    return {name: value.strip('"') for name, _, value in lines}


@pytest.mark.skipif(not shutil.which("apt-config"), reason="needs apt")
def test_apt_understands_it(tmp_path: File) -> None:
    told = dumped(managed.apt_conf(PROXY, scratch=True), tmp_path)
    assert told["Acquire::http::Proxy"] == "http://proxy.example:3128"
    assert told["Acquire::https::Proxy"] == "http://proxy.example:3129"
    for scheme in ("http", "https"):
        assert told[f"Acquire::{scheme}::Proxy::packages.example"] == "DIRECT"
        assert told[f"Acquire::{scheme}::Proxy::198.18.0.0/24"] == "DIRECT"
    assert told["APT::Install-Recommends"] == "false"
    assert told["Dir::State::lists"] == "@WORK@/lists"
    assert told["Dir::Etc::sourcelist"] == "@WORK@/sources.list"
    assert told["Dir::Etc::sourceparts"] == "@WORK@/sources"
    assert told["Dir::Cache::pkgcache"] == told["Dir::Cache::srcpkgcache"] == ""


def test_only_what_is_rehearsed_has_a_place_of_its_own() -> None:
    assert b"@WORK@" not in managed.apt_conf(PROXY, scratch=False)
    assert managed.apt_conf(PROXY, scratch=True).count(b"@WORK@") == 4


@pytest.mark.parametrize(
    "proxy, lines",
    [
        (None, ["timeout=10", "retries=1"]),
        (ProxySettings(), ["timeout=10", "retries=1"]),
        (
            ProxySettings(http="http://proxy.example:3128"),
            ["timeout=10", "retries=1", "proxy=http://proxy.example:3128"],
        ),
        (PROXY, ["timeout=10", "retries=1", "proxy=http://proxy.example:3129"]),
    ],
    ids=["none", "empty", "http", "https"],
)
def test_what_dnf_is_told(proxy: ProxySettings | None, lines: list[str]) -> None:
    assert managed.dnf_conf(proxy).decode().splitlines() == lines
