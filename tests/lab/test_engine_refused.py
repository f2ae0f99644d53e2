"""Engines that can't be had: told before any host is changed, or put right by the next run."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.lab import LabHost, packages
from tests.lab.packages import package_files
from tests.lab.reading import containers, disk, of_each
from tests.lab.repository import Repository
from tests.lab.running import Run
from tests.lab.test_engine import DISTRO, NEW, OLD, Hosts, by_file, held, hosts, version

__all__ = ["hosts"]

NAMES = ("bookworm", "rpm")
REFUSED_S = 120


@pytest.fixture
def found(hosts: Hosts, repo: Repository) -> Iterator[Hosts]:
    """A Debian and an RPM host, both bare; the repository healed."""
    with_engine = [n for n in NAMES if hosts[n].run("command -v docker", check=False).stdout]
    if with_engine:
        hosts.lab.reset(*with_engine)
        hosts["rpm"].run("rpm -qa")
    yield hosts


def refused(found: Hosts, data: dict[str, Any], *names: str) -> list[str]:
    """Run on bare hosts, which have to stay so; return the problems, by host in order."""
    listed = [found[name] for name in names or NAMES]
    before = of_each(listed, disk)
    run = found.run({host.name: data for host in listed})
    assert run.exit_code == 1, run.output
    assert run.done == []
    assert "Traceback" not in run.output
    assert of_each(listed, disk) == before
    assert len(run.problems) == len(listed), run.output
    return run.problems


def vendor(found: Hosts, **changes: Any) -> dict[str, Any]:
    return {"source": "vendor", "vendor": {**found.vendor, **changes}}


def test_a_key_with_another_fingerprint(found: Hosts) -> None:
    wrong = packages.key("wrong").fingerprint
    problems = refused(found, vendor(found, fingerprint=wrong))
    for name, path, problem in zip(NAMES, ("debian", "rhel"), problems, strict=True):
        assert problem.startswith(
            f"{name}: docker_engine.vendor.fingerprint: {found.repo.url}/{path}/gpg"
        )
        assert f"expected the key {wrong}, found {found.repo.fingerprint}" in problem


def test_a_key_that_signed_nothing_there(found: Hosts) -> None:
    """Its fingerprint is the one in the data: the packages are another's."""
    wrong = packages.key("wrong")
    data = vendor(found, key=str(found.repo.wrong_key), fingerprint=wrong.fingerprint)
    [problem] = refused(found, data, "bookworm")
    assert problem.startswith("bookworm: docker_engine.vendor: its repository can not be used:")


def test_a_file_with_another_hash(found: Hosts) -> None:
    data = by_file("bookworm", NEW)
    data["files"][0]["sha256"] = "0" * 64
    [problem] = refused(found, data, "bookworm")
    assert problem.startswith("bookworm: docker_engine.files: ")
    assert (
        f"expected sha256 {'0' * 64}, found {packages.sha256(package_files('bookworm', NEW)[0])}"
        in problem
    )


def test_a_script_with_another_hash(found: Hosts) -> None:
    script = {"url": f"{found.repo.url}/debian/gpg", "sha256": "1" * 64}
    [problem] = refused(found, {"source": "script", "script": script}, "bookworm")
    assert "docker_engine.script: " in problem
    assert f"expected sha256 {'1' * 64}" in problem


def test_an_unsigned_repository(found: Hosts) -> None:
    found.repo.unsigned("/debian/dists")
    [problem] = refused(found, vendor(found), "bookworm")
    assert problem.startswith("bookworm: docker_engine.vendor: its repository can not be used:")


def test_unsigned_rpms_are_not_installed(found: Hosts) -> None:
    """Whether a package is signed shows when it has been fetched; the host is put back."""
    found.repo.unsigned("/rhel")
    before = disk(found["rpm"])
    run = found.run({"rpm": vendor(found)})
    assert run.exit_code == 1, run.output
    assert "is not signed" in run.output
    after = disk(found["rpm"])
    left = {path for path in after.keys() ^ before.keys() if not path.startswith(CACHES)}
    assert not [path for path in left if "docker" in path or "containerd" in path]


CACHES = ("/var/cache/dnf", "/var/lib/dnf", "/var/lib/rpm", "/var/log")


def test_a_repository_that_is_not_there(found: Hosts) -> None:
    found.repo.missing("/debian/dists")
    found.repo.missing("/rhel/9")
    for name, problem in zip(NAMES, refused(found, vendor(found)), strict=True):
        assert problem.startswith(f"{name}: docker_engine.vendor: its repository can not be used:")


@pytest.mark.full
def test_a_repository_that_hangs(found: Hosts) -> None:
    found.repo.hang("/debian/dists")
    found.repo.hang("/rhel/9")
    began = time.monotonic()
    for name, problem in zip(NAMES, refused(found, vendor(found)), strict=True):
        assert problem.startswith(f"{name}: docker_engine.vendor: its repository can not be used:")
    assert time.monotonic() - began < REFUSED_S


@pytest.mark.parametrize("wanted", ["27.0.1", "5:27.0.1-1~debian.12~bookworm"])
def test_a_version_that_does_not_exist(found: Hosts, wanted: str) -> None:
    problems = refused(found, {**vendor(found), "version": wanted})
    for name, there, problem in zip(
        NAMES,
        (
            "5:26.1.5-1~debian.12~bookworm 5:20.10.24-1~debian.12~bookworm",
            "3:26.1.5-1.el9 3:20.10.24-1.el9",
        ),
        problems,
        strict=True,
    ):
        expected = (
            f"{name}: docker_engine.version: docker-ce {wanted} is not there; there are: {there}"
        )
        assert problem.strip() == expected


def test_a_package_set_that_would_remove_something(found: Hosts) -> None:
    """podman-docker has /usr/bin/docker; accepted, it still is not removed unasked."""
    for name, release in (("bookworm", "bookworm"), ("rpm", "el9")):
        package = packages.podman_docker(release)
        install = "dpkg -i" if name == "bookworm" else "rpm -i --nosignature"
        found[name].feed(
            package.read_bytes(), f"cat > /root/{package.name}; {install} /root/{package.name}"
        )
    problems = refused(found, vendor(found))
    for problem in problems:
        assert "host_check.conflicting-packages: podman-docker" in problem
    accepted = {"host_check": {"accept": ["conflicting-packages"]}}
    before = of_each([found[name] for name in NAMES], disk)
    run = found.run(dict.fromkeys(NAMES, vendor(found)), "-y", **accepted)
    assert run.exit_code == 1, run.output
    assert len(run.problems) == 2
    for problem in run.problems:
        assert (
            "the package manager would remove podman-docker, and nothing is removed unasked"
            in problem
        )
    assert of_each([found[name] for name in NAMES], disk) == before


def test_a_distribution_that_is_not_known(found: Hosts) -> None:
    host = found["bookworm"]
    alpine = "printf 'ID=alpine\\nVERSION_ID=3.20\\n' > /usr/lib/os-release"
    host.run(f"cp /usr/lib/os-release /root/os-release; {alpine}")
    try:
        [problem] = refused(found, DISTRO, "bookworm")
    finally:
        host.run("cp /root/os-release /usr/lib/os-release")
    assert problem.startswith("bookworm: docker_engine.source: 'distro' knows debian, ubuntu, rhel")
    assert "found alpine 3.20" in problem


def test_a_distribution_without_an_engine_of_its_own(found: Hosts) -> None:
    [problem] = refused(found, DISTRO, "rpm")
    assert "rocky 9.5 brings none that is known; take 'vendor' or 'files'" in problem


def test_a_configuration_that_is_no_json(found: Hosts) -> None:
    host = found["bookworm"]
    host.run("mkdir -p /etc/docker && echo '{\"debug\": tru}' > /etc/docker/daemon.json")
    [problem] = refused(found, DISTRO, "bookworm")
    host.run("rm -r /etc/docker")
    assert problem.startswith(
        "bookworm: docker_engine.config: /etc/docker/daemon.json there is no JSON"
    )
    assert "line 1 column 11" in problem


@pytest.mark.parametrize(
    "name, data",
    [
        ("bookworm", DISTRO),
        pytest.param("trixie", {"source": "distro"}, marks=pytest.mark.full),
    ],
)
def test_a_key_that_the_engine_does_not_know(hosts: Hosts, name: str, data: dict[str, Any]) -> None:
    """Of 20.10, which can't check its configuration, and of 26.1, which can."""
    if name == "trixie":
        hosts.lab.reset(name)
    hosts.done({name: data})
    before = containers(hosts[name]), disk(hosts[name])
    run = hosts.run({name: {**data, "config": {"live-restor": True}}})
    [problem] = run.problems
    assert problem.startswith(f"{name}: docker_engine.config: the engine refuses it:")
    assert "live-restor" in problem
    assert (containers(hosts[name]), disk(hosts[name])) == before


def test_a_value_that_the_engine_does_not_take_leaves_the_old_file(hosts: Hosts) -> None:
    """An option of the log driver is looked at only when the engine starts."""
    host = hosts["bookworm"]
    hosts.done({"bookworm": DISTRO})
    before = host.run("cat /etc/docker/daemon.json").stdout
    run = hosts.run({"bookworm": {**DISTRO, "config": {"log-opts": {"max-sise": "1m"}}}})
    assert run.exit_code == 1
    assert "the engine does not start with it, so the old is back" in run.output
    assert "unknown log opt 'max-sise'" in run.output
    assert host.run("cat /etc/docker/daemon.json").stdout == before
    assert json.loads(before)["log-opts"]["max-size"] == "10m"
    assert version(host) == OLD


@contextmanager
def a_full_disk(host: LabHost) -> Iterator[None]:
    """Have no more than 40 MB to write to /usr/bin."""
    host.run("mkdir /full && mount -t tmpfs -o size=40m tmpfs /full && mkdir /full/u /full/w")
    host.run(
        "mount -t overlay overlay -o lowerdir=/usr/bin,upperdir=/full/u,workdir=/full/w /usr/bin"
    )
    try:
        yield
    finally:
        host.run("umount --lazy /usr/bin && umount --lazy /full && rmdir /full")


@pytest.mark.full
def test_a_disk_that_fills_up_half_way_is_no_obstacle_to_the_next_run(found: Hosts) -> None:
    host = found["bookworm"]
    with a_full_disk(host):
        run = found.run({"bookworm": DISTRO})
    assert run.exit_code == 1
    assert "No space left on device" in run.output
    assert run.done == []
    found.done({"bookworm": DISTRO})
    assert version(host) == OLD
    assert held(host) == {"docker.io", "containerd", "runc"}
    found.silent({"bookworm": DISTRO})


def test_a_link_that_is_cut_half_way_is_no_obstacle_to_the_next_run(found: Hosts) -> None:
    host = found["bookworm"]
    running = found.start({"bookworm": DISTRO})
    running.wait_for(r"^ +\[bookworm\] install docker.io")
    host.run("until pgrep -x dpkg; do sleep 0.02; done", timeout_s=60)
    others = "[ $p = $PPID ] || [ $p = $(cat /run/sshd.pid) ]"
    host.run(f"for p in $(pgrep -x sshd); do {others} || kill -9 $p; done")
    run: Run = running.wait(120)
    assert run.exit_code == 1
    assert "the connection broke" in run.output
    found.done({"bookworm": DISTRO})
    assert version(host) == OLD
    found.silent({"bookworm": DISTRO})


@pytest.mark.full
def test_another_package_manager_at_work_is_waited_for_and_named(found: Hosts) -> None:
    host = found["bookworm"]
    busy = "apt-get -y -o DPkg::Pre-Invoke::='sleep 45' install less >/dev/null 2>&1 </dev/null &"
    host.run(f"apt-get update >/dev/null; {busy} sleep 3")
    short = found.run({"bookworm": {**DISTRO, "lock_timeout_s": 2}})
    assert short.exit_code == 1
    assert "(apt-get) has held apt's lock for 2 s" in short.output
    assert short.done == []
    waited = found.done({"bookworm": {**DISTRO, "lock_timeout_s": 60}})
    assert "(apt-get), which has apt's lock" in waited.output
    assert version(host) == OLD


def test_a_hold_that_somebody_let_go_is_taken_again(hosts: Hosts) -> None:
    host = hosts["bookworm"]
    hosts.done({"bookworm": DISTRO})
    host.run("apt-mark unhold containerd")
    run = hosts.done({"bookworm": DISTRO})
    assert [line.split(": ")[2] for line in run.done] == ["hold docker.io, containerd, runc"]
    assert held(host) == {"docker.io", "containerd", "runc"}
