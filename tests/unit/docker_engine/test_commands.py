"""The exact steps that a host is told, and what goes with them."""

from __future__ import annotations

import io
import subprocess
import tarfile
from hashlib import sha256
from pathlib import Path as File
from typing import Any

import pytest

from roles.docker_engine import managed
from roles.docker_engine.commands import (
    UNPACK_AND_RUN,
    Cargo,
    Step,
    archive,
    rehearsal,
    script,
    treatment,
)
from roles.docker_engine.materials import Materials
from roles.docker_engine.packages import ALL
from roles.docker_engine.plan import changes
from roles.docker_engine.transaction import Transaction
from roles.observed import Observed, Path, Service
from roles.run.fleet import Member
from tests.unit.build import bare, fitted
from tests.unit.docker_engine.build import (
    DEB_VERSION,
    KEY,
    ROCKY,
    SUM,
    VENDOR,
    files,
    one,
    vendors,
)

BY_VENDOR = {"source": "vendor", "vendor": VENDOR}
BY_SCRIPT = {"source": "script", "script": files("install.sh")[0]}
OWN = "20.10.24+dfsg1-1"
OLD = "5:20.10.24~3-0~debian-bookworm"
RPM_VERSION = "3:26.1.5-1.el9"
PINS = {"docker-ce": DEB_VERSION, "docker-ce-cli": DEB_VERSION}
ALL_OF_VENDOR = (
    "docker-ce docker-ce-cli containerd.io docker-ce-rootless-extras docker-buildx-plugin "
    "docker-compose-plugin"
)
ALL_OF_DEBIAN = "docker.io docker-cli docker-buildx containerd runc"
THE_KEY = {f"/etc/apt/keyrings/docker-{KEY}.asc": Path("regular file", "0:0", "644")}


def told(steps: list[Step]) -> list[str]:
    return [" ".join(word or "''" for word in step) for step in steps]


def treated(
    found: Member, brought: Materials | None = None, containers: dict[str, int] | None = None
) -> tuple[list[str], Cargo]:
    steps, cargo = treatment(found, changes(found), brought or Materials(), containers or {})
    return told(steps), cargo


def packages_in(folder: File, *names: str) -> list[File]:
    for name in names:
        (folder / name).write_bytes(name.encode())
    return [folder / name for name in names]


def test_a_fresh_host() -> None:
    coming = Transaction(pins={"docker.io": OWN}, installs={"docker.io": OWN, "runc": "1.1.5"})
    steps, cargo = treated(one(bare(), rehearsed=coming))
    assert steps == [
        "only_one 300",
        f"prepare_packages 300 docker.io={OWN}",
        f"install_packages docker.io={OWN}",
        f"hold {ALL_OF_DEBIAN}",
        "service_up 60",
        "start_ours dockyard.part",
        "keep",
    ]
    assert cargo == {"apt.conf": managed.apt_conf(None, scratch=False)}


def test_a_fresh_host_of_debian_13_with_its_own_limits() -> None:
    pins = {"docker.io": "26.1.5", "docker-cli": "26.1.5"}
    engine = {"hold": False, "lock_timeout_s": 10, "start_timeout_s": 20}
    found = one(bare(os_version="13"), engine, rehearsed=Transaction(pins=pins))
    assert treated(found)[0] == [
        "only_one 10",
        "prepare_packages 10 docker.io=26.1.5 docker-cli=26.1.5",
        "install_packages docker.io=26.1.5 docker-cli=26.1.5",
        "service_up 20",
        "start_ours dockyard.part",
        "keep",
    ]


def test_another_version_of_the_vendors_under_containers() -> None:
    found = one(
        vendors(OLD),
        {**BY_VENDOR, "version": "26.1.5"},
        rehearsed=Transaction(pins=PINS, upgrades=PINS),
    )
    steps, cargo = treated(found, Materials(key=b"key"), {"engine": 30, "proxy": 10})
    words = f"docker-ce={DEB_VERSION} docker-ce-cli={DEB_VERSION} containerd.io"
    assert steps == [
        "only_one 300",
        f"put key.asc /etc/apt/keyrings/docker-{KEY}.asc 644",
        "put docker.list /etc/apt/sources.list.d/docker.list 644",
        f"prepare_packages 300 {words}",
        "stop_containers 30 engine 10 proxy",
        f"install_packages {words}",
        "hold docker-ce docker-ce-cli containerd.io docker-ce-rootless-extras"
        " docker-buildx-plugin docker-compose-plugin",
        "service_up 60",
        "keep",
    ]
    assert set(cargo) == {"apt.conf", "key.asc", "docker.list"}
    assert cargo["key.asc"] == b"key"
    assert b"https://packages.example/linux/debian bookworm stable" in bytes(cargo["docker.list"])  # type: ignore[arg-type]


def test_what_is_placed_already_is_not_placed_again() -> None:
    spec = one(vendors(), BY_VENDOR).wanted.docker_engine
    file = managed.repository(spec, vendors())
    sums = {file.path: sha256(file.content).hexdigest()}
    found = one(
        vendors(OLD, paths=THE_KEY, sums=sums),
        {**BY_VENDOR, "version": "26.1.5"},
        rehearsed=Transaction(pins=PINS),
    )
    steps, cargo = treated(found, Materials(key=b"key"))
    assert not [step for step in steps if step.startswith("put")]
    assert set(cargo) == {"apt.conf"}


def test_from_the_distributions_engine_to_the_vendors() -> None:
    observed = fitted(paths=THE_KEY)
    coming = Transaction(pins=PINS, installs={**PINS, "containerd.io": "1.6.33-1"})
    words = (
        f"docker-ce={DEB_VERSION} docker-ce-cli={DEB_VERSION} containerd.io=1.6.33-1 "
        "docker.io- containerd- runc-"
    )
    found = one(observed, BY_VENDOR, rehearsed=coming)
    assert treated(found, Materials(key=b"key"))[0] == [
        "only_one 300",
        "put docker.list /etc/apt/sources.list.d/docker.list 644",
        f"prepare_packages 300 {words}",
        "unhold docker.io containerd runc",
        f"install_packages {words}",
        f"hold {ALL_OF_VENDOR}",
        "service_up 60",
        "keep",
    ]


def test_what_stays_of_another_engine_is_neither_released_nor_removed() -> None:
    observed = vendors(
        packages={"docker-ce": "5:20.10.24-1", "containerd.io": "1.6"},
        held=frozenset({"docker-ce"}),
    )
    found = one(observed, {}, rehearsed=Transaction(pins={"docker.io": "26.1.5"}))
    steps, _ = treated(found)
    assert "unhold docker-ce" in steps
    assert "install_packages docker.io=26.1.5 docker-ce- containerd.io-" in steps


def test_package_files(tmp_path: File) -> None:
    names = ("docker-ce_26.1.5-1_amd64.deb", "containerd.io_1.6.33-1_amd64.deb")
    engine = {"source": "files", "files": files(*names)}
    brought = Materials(packages=packages_in(tmp_path, *names))
    steps, cargo = treated(one(fitted(), engine), brought)
    words = f"./{names[0]} ./{names[1]} docker.io- containerd- runc-"
    assert steps == [
        "only_one 300",
        "without_sources",
        f"prepare_packages 300 {words}",
        "unhold docker.io containerd runc",
        f"install_packages {words}",
        f"hold {ALL_OF_VENDOR}",
        "service_up 60",
        "keep",
    ]
    assert cargo == {
        "apt.conf": managed.apt_conf(None, scratch=True),
        names[0]: tmp_path / names[0],
        names[1]: tmp_path / names[1],
    }


@pytest.mark.parametrize("version, word", [(None, "''"), ("26.1.5", "26.1.5")])
def test_a_script(tmp_path: File, version: str | None, word: str) -> None:
    found = one(bare(), {**BY_SCRIPT, "version": version})
    steps, cargo = treated(found, Materials(script=tmp_path / "install.sh"))
    assert steps == [
        "only_one 300",
        "await_lock 300",
        f"run_script install.sh {word}",
        f"hold {ALL_OF_VENDOR}",
        "service_up 60",
        "start_ours dockyard.part",
        "keep",
    ]
    assert cargo["install.sh"] == tmp_path / "install.sh"


def test_a_script_may_move_what_is_held(tmp_path: File) -> None:
    found = one(vendors(OLD, held=frozenset({"docker-ce", "runc"})), {**BY_SCRIPT, "version": "27"})
    steps, _ = treated(found, Materials(script=tmp_path / "install.sh"), {"engine": 30})
    assert steps == [
        "only_one 300",
        "await_lock 300",
        "stop_containers 30 engine",
        "unhold docker-ce",
        "run_script install.sh 27",
        f"hold {ALL_OF_VENDOR}",
        "service_up 60",
        "keep",
    ]


@pytest.mark.parametrize(
    "removals, leave",
    [({}, ""), ({"moby-engine": "24.0.5"}, " --allowerasing")],
    ids=["nothing-goes", "another-goes"],
)
def test_rpm_packages(removals: dict[str, str], leave: str) -> None:
    pins = {"docker-ce": RPM_VERSION, "docker-ce-cli": "1:26.1.5-1.el9"}
    coming = Transaction(pins=pins, removals=removals)
    observed = fitted(**ROCKY, packages={"moby-engine": "24.0.5", "runc": "1"}, held=frozenset())
    words = f"docker-ce-{RPM_VERSION} docker-ce-cli-1:26.1.5-1.el9 containerd.io{leave}"
    found = one(observed, BY_VENDOR, rehearsed=coming)
    steps, cargo = treated(found, Materials(key=b"key"))
    assert steps == [
        "only_one 300",
        f"put key.asc /etc/pki/rpm-gpg/docker-{KEY}.asc 644",
        "put docker-ce.repo /etc/yum.repos.d/docker-ce.repo 644",
        f"prepare_packages 300 {words}",
        f"install_packages {words}",
        f"hold {ALL_OF_VENDOR}",
        "service_up 60",
        "keep",
    ]
    assert set(cargo) == {"dnf.conf", "key.asc", "docker-ce.repo"}


def test_a_hold_alone_touches_no_service() -> None:
    assert treated(one(fitted(held=frozenset())))[0] == [
        "only_one 300",
        f"hold {ALL_OF_DEBIAN}",
        "keep",
    ]


@pytest.mark.parametrize(
    "observed, config, how",
    [
        (fitted(), {"debug": True}, "reload"),
        (fitted(daemon_json='{"debug": false}'), {"debug": True}, "reload"),
        (fitted(), {"data-root": "/data"}, "restart"),
        (fitted(daemon_json='{"debug": true}'), {"debug": None}, "restart"),
    ],
    ids=["reload", "reload-of-a-file", "restart", "taken-out"],
)
def test_a_configuration(observed: Observed, config: dict[str, Any], how: str) -> None:
    steps, cargo = treated(one(observed, {"config": config}), containers={"engine": 30})
    assert steps == [
        "only_one 300",
        "stop_containers 30 engine",
        f"configure daemon.json {how} 60",
        "service_up 60",
        "keep",
    ]
    assert set(cargo) == {"apt.conf", "daemon.json"}


def test_a_new_engine_is_configured_before_it_is_proven() -> None:
    found = one(
        bare(),
        {"config": {"debug": True}, "hold": False},
        rehearsed=Transaction(pins={"docker.io": OWN}),
    )
    steps, cargo = treated(found)
    assert steps[2:] == [
        f"install_packages docker.io={OWN}",
        "configure daemon.json restart 60",
        "service_up 60",
        "start_ours dockyard.part",
        "keep",
    ]
    assert cargo["daemon.json"] == b'{\n    "debug": true\n}\n'


PROXY = {"http": "http://proxy.example:3128"}
PUT_PROXY = "put proxy.conf /etc/systemd/system/docker.service.d/dockyard-proxy.conf 600"


@pytest.mark.parametrize(
    "service, steps",
    [
        (Service(True, True), [PUT_PROXY, "reread_units", "service_again 60", "service_up 60"]),
        (
            Service(True, False),
            [PUT_PROXY, "reread_units", "service_up 60", "start_ours dockyard.part"],
        ),
    ],
    ids=["runs", "stopped"],
)
def test_a_proxy(service: Service, steps: list[str]) -> None:
    found, cargo = treated(one(fitted(docker_service=service), {"proxy": PROXY}))
    assert found == ["only_one 300", *steps, "keep"]
    assert set(cargo) == {"apt.conf", "proxy.conf"}
    assert b'Acquire::http::Proxy "http://proxy.example:3128";' in bytes(cargo["apt.conf"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "service, again",
    [
        (Service(True, True), ["service_again 60", "service_up 60"]),
        (Service(True, False), ["service_up 60", "start_ours dockyard.part"]),
    ],
    ids=["runs", "stopped"],
)
def test_a_proxy_that_is_not_wanted_any_more(service: Service, again: list[str]) -> None:
    observed = fitted(docker_service=service, sums={managed.PROXY_UNIT: SUM})
    assert treated(one(observed))[0] == [
        "only_one 300",
        f"take_away {managed.PROXY_UNIT}",
        "reread_units",
        *again,
        "keep",
    ]


def test_another_repository_restarts_nothing_where_there_is_a_proxy() -> None:
    spec = one(fitted(), {"proxy": PROXY}).wanted.docker_engine
    assert spec.proxy
    unit = sha256(managed.proxy_unit(spec.proxy).content).hexdigest()
    sums = {managed.PROXY_UNIT: unit, managed.REPOSITORIES["deb"]: SUM}
    found = one(vendors(paths=THE_KEY, sums=sums), {**BY_VENDOR, "proxy": PROXY})
    assert [change.interrupts for change in changes(found)] == [False]
    steps, cargo = treated(found, Materials(key=b"key"))
    assert steps == [
        "only_one 300",
        "put docker.list /etc/apt/sources.list.d/docker.list 644",
        "service_up 60",
        "keep",
    ]
    assert set(cargo) == {"apt.conf", "docker.list"}


def test_a_key_that_is_gone_is_placed_again() -> None:
    spec = one(vendors(), BY_VENDOR).wanted.docker_engine
    source = managed.repository(spec, vendors())
    observed = vendors(sums={source.path: sha256(source.content).hexdigest()})
    steps, cargo = treated(one(observed, BY_VENDOR), Materials(key=b"key"))
    assert steps == [
        "only_one 300",
        f"put key.asc /etc/apt/keyrings/docker-{KEY}.asc 644",
        "service_up 60",
        "keep",
    ]
    assert cargo["key.asc"] == b"key"


def test_a_script_is_told_of_the_proxy(tmp_path: File) -> None:
    brought = Materials(script=tmp_path / "install.sh")
    _, cargo = treated(one(bare(), {**BY_SCRIPT, "proxy": PROXY}), brought)
    assert "proxy.env" in cargo


def test_a_service_alone() -> None:
    assert treated(one(fitted(docker_service=Service())))[0] == [
        "only_one 300",
        "service_up 60",
        "start_ours dockyard.part",
        "keep",
    ]


@pytest.mark.parametrize(
    "found, brought, steps",
    [
        (one(bare()), Materials(), ["look_into_sources ''", "rehearse '' docker.io --"]),
        (
            one(bare(os_version="13"), {"version": "26.1.5"}),
            Materials(),
            ["look_into_sources ''", "rehearse 26.1.5 docker.io docker-cli --"],
        ),
        (
            one(fitted(), {**BY_VENDOR, "version": "26.1.5"}),
            Materials(key=b"key"),
            [
                "look_into_sources docker.list",
                "rehearse 26.1.5 docker-ce docker-ce-cli -- containerd.io "
                "docker.io- containerd- runc-",
            ],
        ),
        (
            one(bare(**ROCKY), BY_VENDOR),
            Materials(key=b"key"),
            ["look_into_sources docker-ce.repo", "rehearse '' docker-ce docker-ce-cli -- contai"],
        ),
        (
            one(fitted(), {"config": {"debug": True}}),
            Materials(),
            ["check_config daemon.json"],
        ),
        (one(vendors(), BY_VENDOR), Materials(key=b"key"), ["look_into_sources docker.list"]),
        (
            one(vendors(), {**BY_VENDOR, "config": {"debug": True}}),
            Materials(key=b"key"),
            ["look_into_sources docker.list", "check_config daemon.json"],
        ),
        (
            one(
                vendors(docker_service=Service(True, False)),
                {**BY_VENDOR, "config": {"debug": True}},
            ),
            Materials(key=b"key"),
            ["look_into_sources docker.list"],
        ),
    ],
    ids=[
        "distro",
        "distro-13",
        "vendor",
        "rpm",
        "config",
        "source",
        "source-and-config",
        "source-and-config-of-a-stopped-engine",
    ],
)
def test_a_rehearsal(found: Member, brought: Materials, steps: list[str]) -> None:
    said, cargo = rehearsal(found, brought)
    assert [s[: len(e)] for s, e in zip(told(said), steps, strict=True)] == steps
    if brought.key:
        assert cargo["key.asc"] == b"key"
    settings = managed.apt_conf(None, scratch=True)
    assert cargo.get("apt.conf", settings) == settings


def test_a_rehearsal_with_files(tmp_path: File) -> None:
    name = "docker-ce_26.1.5-1_amd64.deb"
    engine = {"source": "files", "files": files(name)}
    brought = Materials(packages=packages_in(tmp_path, name))
    steps, cargo = rehearsal(one(fitted(), engine), brought)
    assert told(steps) == [f"rehearse_files ./{name} docker.io- containerd- runc-"]
    assert cargo[name] == tmp_path / name


def test_a_rehearsal_changes_nothing(tmp_path: File) -> None:
    changing = {"put", "hold", "unhold", "configure", "install_packages", "service_up", "keep"}
    for found in (one(bare()), one(fitted(), BY_VENDOR), one(fitted(), {"config": {"a": 1}})):
        steps, _ = rehearsal(found, Materials())
        assert not changing & {step[0] for step in steps}


def test_the_script_has_the_hosts_package_manager() -> None:
    steps = [["hold", "a b", "$(touch made)", "'"]]
    names = " ".join(sorted(ALL))
    deb = script(one(bare(), {"start_timeout_s": 20}), steps).decode()
    assert "apt_get()" in deb
    assert "dnf_run()" not in deb
    assert deb.startswith(
        f"start_timeout_s=20\nservice_timeout_s=50\nengine_names='{names}'\n# Fun"
    )
    assert deb.endswith("\nhold 'a b' '$(touch made)' ''\"'\"''\n")
    rpm = script(one(bare(**ROCKY)), steps).decode()
    assert "dnf_run()" in rpm
    assert "apt_get()" not in rpm
    alone = script(one(bare()), [["service_up", "60"], ["keep"]]).decode()
    assert "apt_get()" not in alone
    for text in (deb, rpm, alone, script(one(bare(os_id="alpine")), steps).decode()):
        assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 600_000], ids=str)
def test_the_archive_can_be_unpacked(tmp_path: File, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    file = tmp_path / "docker-ce_26.1.5-1_amd64.deb"
    file.write_bytes(content[:size])
    long = f"{'x' * 120}.deb"
    cargo: Cargo = {"apt.conf": content[:size], file.name: file, long: b"long", "\u00fc": b"u"}
    found = one(bare())
    packed = b"".join(archive(found, [["keep"]], cargo))
    assert len(packed) % tarfile.BLOCKSIZE == 0
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        held = {m.name: (m.mode, (tar.extractfile(m) or io.BytesIO()).read()) for m in tar}
    assert held == {
        "apt.conf": (0o600, content[:size]),
        file.name: (0o600, content[:size]),
        long: (0o600, b"long"),
        "\u00fc": (0o600, b"u"),
        "run.sh": (0o600, script(found, [["keep"]])),
    }


@pytest.mark.parametrize("line, code", [("cat file; pwd", 0), ("echo why >&2; exit 7", 7)])
def test_a_host_unpacks_it_runs_it_and_keeps_nothing(line: str, code: int) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in (("run.sh", f'cd "$(dirname "$0")"; {line}\n'), ("file", "cargo\n")):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    done = subprocess.run(
        ["sh", "-c", UNPACK_AND_RUN], input=packed.getvalue(), capture_output=True, check=False
    )
    assert done.returncode == code
    assert done.stderr == (b"why\n" if code else b"")
    if not code:
        said, folder = done.stdout.decode().split()
        assert said == "cargo"
        assert not File(folder).exists()


def test_what_is_no_archive_is_not_run() -> None:
    done = subprocess.run(
        ["sh", "-c", UNPACK_AND_RUN], input=b"cut off", capture_output=True, check=False
    )
    assert done.returncode != 0
