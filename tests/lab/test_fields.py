"""Every field of a container, on an engine of Debian 12 and on one of Debian 13.

Each is wished otherwise, then changed by hand: the reason is named beforehand, it is applied as
plain `docker inspect` tells, and the run after that is silent. A small image that does nothing
stands in for the proxy, and declares nothing, so that all fields can change in one run.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.lab import Lab, LabHost
from tests.lab.reading import containers, of_each
from tests.lab.running import Checkout, Listed, Run

NAME = "tiny"
DOCKERFILE = """ARG BASE_IMAGE=debian:bookworm-slim
FROM ${BASE_IMAGE}
ENV GREETING=hello FAREWELL=bye
LABEL maker=somebody
EXPOSE 2080
VOLUME ["/logs", "/kept"]
USER 10080:10080
STOPSIGNAL SIGKILL
HEALTHCHECK --interval=10s --start-period=5s CMD ["true"]
CMD ["sleep", "infinity"]
"""
NOTHING_SAID: dict[str, Any] = {
    **dict.fromkeys(("registration", "status", "data", "user", "memory_mb", "pids")),
    "handover": False,
}
FIRST: dict[str, Any] = {
    **NOTHING_SAID,
    "container": NAME,
    "image": {"name": NAME, "context": "files/tiny"},
    "network": "bridge",
    "port": 2080,
    "logs": {"host": "/apps/logs/tiny", "container": "/logs"},
    "environment": {"TOKEN": "hush-1", "OLD": "x"},
    "read_only": False,
    "restart": "no",
}
SECOND: dict[str, Any] = {
    **FIRST,
    "entrypoint": "/usr/bin/env",
    "command": ["WORD=a b", "sleep", "infinity"],
    "network": "backend",
    "port": 2081,
    "logs": {"host": "/apps/logs/tiny", "container": "/other-logs"},
    "environment": {"TOKEN": "hush-2", "NEW": "-x 'y' $z", "FAREWELL": "bye"},
    "labels": {"team": "ops; $(id)", "maker": "else"},
    "volumes": ["/etc/ssl:/ssl:ro", "tiny-kept:/kept"],
    "user": "10081:10081",
    "cap_drop": ["NET_RAW", "CAP_MKNOD"],
    "cap_add": ["NET_ADMIN"],
    "no_new_privileges": False,
    "read_only": True,
    "tmpfs": {"/scratch": "size=16m,mode=1777", "/run": ""},
    "ulimits": {"nofile": "1024:2048", "core": "0"},
    "health": {"command": "test -e /etc || -x", "interval_s": 20, "retries": 2},
    "log_driver": "local",
    "log_options": {"max-size": "5m"},
    "stop_timeout_s": 7,
}
LIMITED: dict[str, Any] = {
    **SECOND,
    "restart": "on-failure:4",
    "memory_mb": 64,
    "cpus": 0.25,
    "pids": 64,
}
REASONS = [
    "entrypoint: the image's own -> /usr/bin/env",
    "command: the image's own -> 'WORD=a b' sleep infinity",
    "env EXPORT_PORT: 2080 -> 2081",
    "env NEW: added",
    "env OLD: removed",
    "env TOKEN: changed",
    "label maker: none -> else",
    "label team: none -> ops; $(id)",
    "networks: bridge -> backend",
    "publish: {address}:2080:2080 -> {address}:2081:2080",
    "volumes: /apps/logs/tiny:/logs -> "
    "/apps/logs/tiny:/other-logs,/etc/ssl:/ssl:ro,tiny-kept:/kept",
    "tmpfs /run: none -> ''",
    "tmpfs /scratch: none -> size=16m,mode=1777",
    "read_only: no -> yes",
    "user: none -> 10081:10081",
    "cap_drop: none -> MKNOD,NET_RAW",
    "cap_add: none -> NET_ADMIN",
    "ulimit core: none -> 0:0",
    "ulimit nofile: none -> 1024:2048",
    "health: the image's own -> command test -e /etc || -x, interval_s 20, timeout_s 30, "
    "retries 2, start_period_s 1",
    "log_driver: json-file -> local",
    "log option max-file: 3 -> none",
    "log option max-size: 10m -> 5m",
    "stop_timeout_s: 30 -> 7",
]
REASONS_BY_HAND = [
    "networks: bridge,side -> backend" if reason.startswith("networks") else reason
    for reason in REASONS
    # What nobody names any more may be the engine's own default, as daemon.json has it.
    if not reason.startswith("log option max-file")
]
_at = REASONS_BY_HAND.index("cap_add: none -> NET_ADMIN") + 1
REASONS_BY_HAND[_at:_at] = [
    "no_new_privileges: yes -> no",
    "privileged: yes -> no",
]
REGISTRY = "198.18.0.1"
TOLD = {
    "Config.Entrypoint": ["/usr/bin/env"],
    "Config.Cmd": ["WORD=a b", "sleep", "infinity"],
    "Config.User": "10081:10081",
    "Config.StopTimeout": 7,
    "Config.Healthcheck": {
        "Test": ["CMD-SHELL", "test -e /etc || -x"],
        "Interval": 20 * 10**9,
        "Timeout": 30 * 10**9,
        "StartPeriod": 10**9,
        "Retries": 2,
    },
    "HostConfig.NetworkMode": "backend",
    "HostConfig.Binds": [
        "/apps/logs/tiny:/other-logs",
        "/etc/ssl:/ssl:ro",
        "tiny-kept:/kept",
    ],
    "HostConfig.ReadonlyRootfs": True,
    "HostConfig.SecurityOpt": None,
    "HostConfig.Tmpfs": {"/scratch": "size=16m,mode=1777", "/run": ""},
    "HostConfig.LogConfig": {"Type": "local", "Config": {"max-size": "5m"}},
}


@dataclass(frozen=True)
class Site:
    """Two hosts that run the small image, and the product that it is deployed by."""

    lab: Lab
    checkout: Checkout

    @property
    def hosts(self) -> list[LabHost]:
        return self.lab.hosts

    def run(self, wish: Mapping[str, Any], *options: str, connection: str = REGISTRY) -> Run:
        listed = [Listed(host, groups=("proxy",)) for host in self.hosts]
        data = {"proxy": wish, "registry": {"connection": f"{connection}:2181"}}
        base = self.lab.base_image("bookworm")
        inventory = self.checkout.inventory(listed, data, base_image=base)
        run = self.checkout.run(inventory, *options, timeout_s=120)
        assert run.exit_code == 0, run.output
        assert "hush" not in run.output
        return run

    def deploy(self, wish: Mapping[str, Any], **data: str) -> Run:
        """Deploy; the same again must change nothing."""
        first = self.run(wish, "-y", **data)
        before = of_each(self.hosts, containers)
        again = self.run(wish, "-y", **data)
        assert again.planned == again.done == [], again.output
        assert of_each(self.hosts, containers) == before
        return first


@pytest.fixture(scope="module")
def site(
    lab_name: str, checkout: Checkout, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    own = checkout.copy(tmp_path_factory.mktemp("fields") / "product")
    (own.directory / "files/tiny").mkdir()
    (own.directory / "files/tiny/Dockerfile").write_text(DOCKERFILE)
    for old in ('    "user": "10080:10080",\n', '    "memory_mb": 256,\n', '    "pids": 128,\n'):
        own.edit("group_data/proxy.py", old, "")
    own.edit("group_data/proxy.py", '{"OSP_SERVICES": "sayhello", "OSP_RETRIES": "0"}', "{}")
    lab = Lab(f"{lab_name}-fields")
    lab.down()
    lab.up(hosts=2, registry=0, with_docker=True)
    for host in lab.hosts:
        host.run("docker network create backend && docker network create side")
    found = Site(lab, own)
    found.deploy(FIRST)
    yield found
    lab.down()


@pytest.fixture
def kept(site: Site) -> Iterator[None]:
    """What is tested runs on: nothing may replace it."""
    before = of_each(site.hosts, containers)
    yield
    assert of_each(site.hosts, containers) == before


def container(host: LabHost) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(host.run(f"docker inspect {NAME}").stdout)[0]
    return found


def at(found: Mapping[str, Any], path: str) -> Any:
    value: Any = found
    for step in path.split("."):
        value = value[step]
    return value


def told(found: Mapping[str, Any]) -> dict[str, Any]:
    """What Docker says of the fields of TOLD; its command line shuffles the volumes."""
    fields = {path: at(found, path) for path in TOLD}
    return {**fields, "HostConfig.Binds": sorted(fields["HostConfig.Binds"])}


def of(host: LabHost, lines: list[str]) -> str:
    """The line of those planned that is about the host's container."""
    (line,) = [line for line in lines if line.startswith(f"{host.name}:") and " container " in line]
    return line


def by_hand(reasons: list[str]) -> list[str]:
    """The reasons' way back, once somebody has undone what is wished."""
    return [f"{reason} (changed by hand)" for reason in reasons]


def remake(host: LabHost, *options: str) -> None:
    """Put another container in the place of ours, with our labels."""
    labels = at(container(host), "Config.Labels")
    image = at(container(host), "Config.Image")
    ours = [f"--label={n}={labels[n]}" for n in labels if n.startswith("dockyard.")]
    made = ["docker", "run", "--detach", "--name", NAME, *ours, *options, image]
    host.run(f"docker rm --force --volumes {NAME} && {shlex.join(made)}")


def expected(reasons: list[str], host: LabHost) -> str:
    return "; ".join(reason.format(address=host.address) for reason in reasons)


def test_every_wish_that_needs_another_container(site: Site) -> None:
    dry = site.run(SECOND, "--dry")
    before = of_each(site.hosts, container)
    run = site.deploy(SECOND)
    for host in site.hosts:
        line = f"{host.name}: proxy: replace container {NAME}: {expected(REASONS, host)}"
        assert of(host, dry.planned) == of(host, run.done) == f"{line} (interrupts)"
        found = container(host)
        assert found["Id"] != before[host.name]["Id"]
        assert told(found) == TOLD
        assert at(found, "HostConfig.PortBindings") == {
            "2080/tcp": [{"HostIp": host.address, "HostPort": "2081"}]
        }
        assert set(at(found, "HostConfig.CapDrop")) == {"NET_RAW", "MKNOD"}
        assert at(found, "HostConfig.CapAdd") == ["NET_ADMIN"]
        ulimits = {u["Name"]: (u["Soft"], u["Hard"]) for u in at(found, "HostConfig.Ulimits")}
        assert ulimits == {"nofile": (1024, 2048), "core": (0, 0)}
        labels = at(found, "Config.Labels")
        assert (labels["team"], labels["maker"]) == ("ops; $(id)", "else")
        lines = at(found, "Config.Env")
        assert {"TOKEN=hush-2", "NEW=-x 'y' $z", "GREETING=hello"} <= set(lines)
        assert not [line for line in lines if line.startswith("OLD=")]
        assert set(at(found, "NetworkSettings.Networks")) == {"backend"}
        assert "hush" not in labels["dockyard.spec"]


def test_every_wish_that_is_met_in_place(site: Site, kept: None) -> None:
    dry = site.run(LIMITED, "--dry")
    run = site.deploy(LIMITED)
    for host in site.hosts:
        line = (
            f"{host.name}: proxy: update container {NAME}: restart: no -> on-failure:4; "
            "memory_mb: none -> 64; memory_swap_mb: none -> 128; cpus: none -> 0.25; "
            "pids: none -> 64"
        )
        assert of(host, dry.planned) == of(host, run.done) == line
        limits = at(container(host), "HostConfig")
        assert limits["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 4}
        assert (limits["Memory"], limits["MemorySwap"]) == (64 << 20, 128 << 20)
        assert (limits["NanoCpus"], limits["PidsLimit"]) == (250_000_000, 64)


def test_what_is_updated_by_hand(site: Site, kept: None) -> None:
    update = "--restart always --memory 48m --memory-swap 50m --cpus 0.5 --pids-limit 100"
    for host in site.hosts:
        host.run(f"docker update {update} {NAME}")
    run = site.deploy(LIMITED)
    reasons = [
        "restart: always -> on-failure:4",
        "memory_mb: 48 -> 64",
        "memory_swap_mb: 50 -> 128",
        "cpus: 0.5 -> 0.25",
        "pids: 100 -> 64",
    ]
    for host in site.hosts:
        line = f"{host.name}: proxy: update container {NAME}: {'; '.join(by_hand(reasons))}"
        assert of(host, run.done) == line


@pytest.mark.full
def test_a_container_that_is_remade_by_hand(site: Site) -> None:
    for host in site.hosts:
        remake(
            host,
            *("--publish", f"{host.address}:2080:2080", "--volume", "/apps/logs/tiny:/logs"),
            *("--env", "TOKEN=hush-1", "--env", "OLD=x", "--env", f"EXPORT_IP={host.address}"),
            *("--env", "EXPORT_PORT=2080", "--env", "EXPORT_NETWORK=bridge"),
            *("--env", f"VIP_CFGCENTER_ZK_CONNECTION={REGISTRY}:2181"),
            *("--log-opt", "max-size=10m", "--log-opt", "max-file=3", "--privileged"),
            *("--stop-timeout", "30", "--security-opt", "no-new-privileges"),
            *("--restart=on-failure:4", "--memory=64m", "--cpus=0.25", "--pids-limit=64"),
        )
        host.run(f"docker network connect side {NAME}")
    run = site.deploy(LIMITED)
    for host in site.hosts:
        (_, why) = of(host, run.done).split(f"replace container {NAME}: ")
        assert why == f"{expected(by_hand(REASONS_BY_HAND), host)} (interrupts)"
        assert told(container(host)) == TOLD
        assert not at(container(host), "HostConfig.Privileged")
        assert set(at(container(host), "NetworkSettings.Networks")) == {"backend"}


@pytest.mark.full
def test_another_image_and_its_id(site: Site) -> None:
    file = site.checkout.directory / "files/tiny/Dockerfile"
    before = at(container(site.hosts[0]), "Config.Image")
    file.write_text(f"{DOCKERFILE}LABEL round=2\n")
    run = site.deploy(LIMITED)
    for host in site.hosts:
        tag = at(container(host), "Config.Image")
        assert f"replace container {NAME}: image: {before} -> {tag}" in of(host, run.done)

    first, second = site.hosts
    wanted = container(first)["Image"]
    second.run(f"printf 'FROM {tag}\nENV LATER=1' | docker build -qt {tag} -")
    remake(second)
    other = container(second)["Image"]
    assert other != wanted
    run = site.deploy(LIMITED)
    line = of(second, run.done)
    signs = (other.removeprefix("sha256:")[:12], wanted.removeprefix("sha256:")[:12])
    assert "image ID: {} -> {} (changed by hand)".format(*signs) in line
    assert container(second)["Image"] == wanted


def test_everything_is_taken_back(site: Site) -> None:
    told = "198.18.0.2"
    run = site.deploy(FIRST, connection=told)
    for host in site.hosts:
        line = of(host, run.done)
        address = f"env VIP_CFGCENTER_ZK_CONNECTION: {REGISTRY}:2181 -> {told}:2181"
        for reason in (address, "cap_add: NET_ADMIN -> none", "memory_mb: 64 -> none"):
            assert reason in line
        for key in ("CapAdd", "CapDrop", "PidsLimit"):
            assert at(container(host), f"HostConfig.{key}") is None
        assert at(container(host), "HostConfig.Memory") == 0


def test_a_network_that_does_not_exist_forbids_the_run(site: Site) -> None:
    listed = [Listed(site.hosts[0], groups=("proxy",))]
    data = {
        "proxy": {**FIRST, "network": "fronted"},
        "registry": {"connection": f"{REGISTRY}:2181"},
    }
    run = site.checkout.run(site.checkout.inventory(listed, data), "-y", timeout_s=60)
    assert run.exit_code == 1
    assert [p for p in run.problems if "proxy.network: there is no network 'fronted'" in p]
