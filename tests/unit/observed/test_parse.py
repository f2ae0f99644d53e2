from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path as File

import pytest

from roles.observed import Address, Path, Route, Service
from roles.observed.parse import ProbeError, parse

DATA = File(__file__).parent / "data"
REAL = sorted(path.stem for path in DATA.glob("*.txt"))

MINIMAL = {
    "host": "user_id=0\nkernel=6.1.0\narchitecture=x86_64\nuserland_bits=64\n"
    "init=systemd\noverlay=yes",
    "os_release": 'ID=debian\nVERSION_ID="12"',
    "cgroup": "2 cpuset cpu io memory pids",
    "addresses": "1: lo    inet 127.0.0.1/8 scope host lo",
    "routes": "",
    "packages": "",
    "excluded": "",
    "service": "enabled=\nactive=",
    "daemon_json": "",
    "asked": "",
}
ENGINE = {"docker": "version=26.1.5\ndriver=overlay2"}


def real(name: str) -> bytes:
    return (DATA / f"{name}.txt").read_bytes()


def probed(**sections: str) -> bytes:
    """What the probe prints, with these sections' text."""
    given = {**MINIMAL, **sections}
    text = "".join(f"\n@@{name}\n{body}\n" for name, body in given.items())
    return f"{text}\n@@end\n".encode()


def test_a_serving_host_of_debian_12() -> None:
    observed = parse(real("serving-bookworm"))
    assert observed.user_id == 0
    assert observed.kernel == "6.1.0-40-amd64"
    assert (observed.architecture, observed.userland_bits) == ("x86_64", 64)
    assert (observed.os_id, observed.os_version, observed.os_like) == ("debian", "12", ())
    assert observed.os_codename == "bookworm"
    assert observed.init == "systemd"
    assert observed.cgroup_version == 1
    assert observed.cgroup_controllers >= {"cpu", "cpuset", "memory", "pids"}
    assert observed.has_overlay
    assert observed.addresses == (
        Address("lo", IPv4Address("127.0.0.1"), 8),
        Address("host0", IPv4Address("198.18.0.11"), 24),
        Address("docker0", IPv4Address("172.17.0.1"), 16),
        Address("lo", IPv6Address("::1"), 128),
        Address("host0", IPv6Address("2001:db8:18::11"), 64),
        Address("host0", IPv6Address("fe80::e851:ccff:feca:b4b4"), 64),
        Address("docker0", IPv6Address("fe80::42:89ff:fe12:b760"), 64),
        Address("veth5b1f608", IPv6Address("fe80::30e5:70ff:fed7:7525"), 64),
    )
    assert observed.routes == (
        Route(IPv4Network("0.0.0.0/0"), "host0", None, 0, IPv4Address("198.18.0.1")),
        Route(IPv4Network("172.17.0.0/16"), "docker0", IPv4Address("172.17.0.1"), 0),
        Route(IPv4Network("198.18.0.0/24"), "host0", IPv4Address("198.18.0.11"), 0),
        Route(IPv6Network("2001:db8:18::/64"), "host0", None, 256),
        Route(IPv6Network("fe80::/64"), "host0", None, 256),
        Route(IPv6Network("fe80::/64"), "docker0", None, 256),
        Route(IPv6Network("fe80::/64"), "veth5b1f608", None, 256),
    )
    assert observed.packages == {
        "containerd": "1.6.20~ds1-1+deb12u3",
        "docker.io": "20.10.24+dfsg1-1+deb12u1+b6",
        "runc": "1.1.5+ds1-1+deb12u1",
    }
    assert observed.unfinished == frozenset()
    assert observed.held == set(observed.packages)
    assert observed.daemon_json is not None
    assert observed.daemon_json.startswith('{\n    "log-driver": "json-file",\n')
    assert observed.docker_service == Service(enabled=True, active=True)
    assert observed.docker_version == "20.10.24+dfsg1"
    assert observed.docker_error is None
    assert not observed.docker_hangs
    assert observed.storage_driver == "overlay2"
    ports = {listener.port for listener in observed.fitness.listeners}
    assert ports == {22, 1080, 2080, 2081, 45425}
    assert observed.paths == {"/apps/logs": Path("directory", "0:0", "755")}
    assert observed.first_lines == {"/etc/hostname": "app-1"}
    assert observed.resolved == {"localhost": IPv4Address("127.0.0.1")}
    assert observed.releases.current_name == "2026-11-27T21:26:35Z"
    assert set(observed.releases.kept[observed.releases.current_name].parts) == {
        "soa_engine",
        "proxy",
    }
    assert (observed.lease.token, observed.lease.owner) == ("", "root@control")


def test_its_images_and_containers() -> None:
    observed = parse(real("serving-bookworm"))
    base = observed.image("debian:bookworm-slim")
    engine = observed.image("sayhello-service-engine:5fbc1421fe58")
    assert base
    assert engine
    assert len(observed.images) == 5
    assert engine.id.startswith("sha256:4b1456b71253")
    assert len(base.layers) == 1
    assert engine.layers[0] == base.layers[0]
    assert observed.image("nobody:knows") is None
    assert [c.name for c in observed.containers] == ["osp-proxy", "sayhello-service-engine"]
    container = observed.container("sayhello-service-engine")
    assert container
    assert container.running
    assert container.image == "sayhello-service-engine:5fbc1421fe58"
    assert container.labels["dockyard.part"] == "soa_engine"
    assert "EXPORT_IP=198.18.0.11" in (container.inspect or {})["Config"]["Env"]
    assert observed.container("nobody") is None


def test_a_serving_host_of_debian_13() -> None:
    observed = parse(real("serving-trixie"))
    assert observed.os_version == "13"
    assert observed.docker_version == "26.1.5+dfsg1"
    assert set(observed.packages) == {"containerd", "docker-cli", "docker.io", "runc"}
    assert {c.name: c.labels["dockyard.part"] for c in observed.containers} == {
        "osp-proxy": "proxy",
        "sayhello-service-engine": "soa_engine",
    }


def test_a_host_without_an_engine() -> None:
    observed = parse(real("bare-bookworm"))
    assert observed.docker_service == Service(enabled=False, active=False)
    assert (observed.docker_version, observed.docker_error) == (None, None)
    assert not observed.docker_hangs
    assert (observed.packages, observed.paths) == ({}, {})
    assert (observed.images, observed.containers) == ((), ())


def test_an_engine_that_is_stopped() -> None:
    observed = parse(real("stopped-docker"))
    assert observed.docker_service == Service(enabled=True, active=False)
    assert observed.docker_version is None
    assert observed.docker_error == (
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. "
        "Is the docker daemon running?"
    )
    assert not observed.docker_hangs


def test_a_service_that_somebody_has_masked() -> None:
    told = probed(service="enabled=masked\nactive=inactive")
    assert parse(told).docker_service == Service(masked=True)


def test_an_engine_that_hangs() -> None:
    observed = parse(real("hung-docker"))
    assert observed.docker_hangs
    assert observed.docker_version is None
    assert observed.docker_service == Service(enabled=True, active=True)


@pytest.mark.parametrize("code, hangs", [("124", True), ("137", True), ("1", False), ("12", False)])
def test_only_the_exit_codes_of_timeout_mean_a_hung_engine(code: str, hangs: bool) -> None:
    assert parse(probed(docker=f"exit={code}\nno answer")).docker_hangs is hangs


@pytest.mark.parametrize("name", REAL)
def test_output_that_was_cut_off_is_refused_wherever_it_was_cut(name: str) -> None:
    output = real(name)
    parse(output)
    for length in range(0, len(output.rstrip(b"\n")), max(1, len(output) // 200)):
        with pytest.raises(ProbeError, match=f"ended early, after {length} bytes"):
            parse(output[:length])


@pytest.mark.parametrize(
    "before",
    [
        b"Welcome to app-1!\nAuthorized users only.\n",
        b"no line end",
        b"\xff\xfe\xe9t\xe9\n",
        b"user_id=99\nkernel=0.1\n",
        b"\n\n\n",
        "\u256d\u2500 ready \u2500\u256e\n".encode(),
    ],
    ids=["banner", "no-line-end", "no-utf-8", "looks-like-ours", "empty-lines", "boxes"],
)
def test_what_comes_before_is_ignored(before: bytes) -> None:
    assert parse(before + real("serving-bookworm")) == parse(real("serving-bookworm"))


def test_what_comes_after_is_ignored() -> None:
    output = real("bare-bookworm")
    assert parse(output + b"logout\nkernel=9\n") == parse(output)


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"\x00\x01\x02\xff" * 100,
        b"sh: 1: Syntax error\n",
        b"@@end\n",
        b"@@host\n@@end\n",
        probed(addresses="2: eth0    inet 198.18.0.999/24"),
        probed(addresses="2: eth0"),
        probed(addresses="2: eth0    inet6 2001:db8::g/64 scope global"),
        probed(routes="default via 10.0.0.999 dev eth0"),
        probed(routes="default dev eth0 metric high"),
        probed(cgroup="two cpu"),
        probed(host="user_id=root"),
        probed(listeners="nowhere"),
        probed(**ENGINE, containers="not json"),
        probed(**ENGINE, containers="[]"),
        probed(**ENGINE, images='{"id":"sha256:1"}'),
        probed(**ENGINE, containers="", inspect='{"Id":"no name"}'),
    ],
    ids=lambda output: ascii(output[-60:]),
)
def test_garbage_is_refused_as_such(output: bytes) -> None:
    with pytest.raises(ProbeError, match="the probe's output"):
        parse(output)


DEFAULT, DEFAULT6 = IPv4Network("0.0.0.0/0"), IPv6Network("::/0")
ROUTES = {
    "dhcp": (
        "default via 10.0.0.1 dev eth0 proto dhcp src 10.0.0.5 metric 100",
        [Route(DEFAULT, "eth0", IPv4Address("10.0.0.5"), 100, IPv4Address("10.0.0.1"))],
    ),
    "via": (
        "10.1.0.0/16 via 10.0.0.2 dev eth1",
        [Route(IPv4Network("10.1.0.0/16"), "eth1", None, 0, IPv4Address("10.0.0.2"))],
    ),
    "host": (
        "10.8.0.2 dev tun0 scope link",
        [Route(IPv4Network("10.8.0.2/32"), "tun0", None, 0)],
    ),
    "bridge": (
        "172.18.0.0/16 dev br-0a1b2c3d4e5f proto kernel src 172.18.0.1 linkdown",
        [Route(IPv4Network("172.18.0.0/16"), "br-0a1b2c3d4e5f", IPv4Address("172.18.0.1"), 0)],
    ),
    "onlink": (
        "default via 10.0.0.1 dev ppp0 metric 4294967295 onlink",
        [Route(DEFAULT, "ppp0", None, 4294967295, IPv4Address("10.0.0.1"))],
    ),
    "via the other family": (
        "default via inet6 fe80::1 dev eth0",
        [Route(DEFAULT, "eth0", None, 0, IPv6Address("fe80::1"))],
    ),
    "two hops": (
        "default proto static src 10.0.0.5 metric 9 \\ nexthop via 10.0.0.1 dev eth0 weight 1 "
        "\\ nexthop via 10.1.0.1 dev eth1 weight 1",
        [
            Route(DEFAULT, "eth0", IPv4Address("10.0.0.5"), 9, IPv4Address("10.0.0.1")),
            Route(DEFAULT, "eth1", IPv4Address("10.0.0.5"), 9, IPv4Address("10.1.0.1")),
        ],
    ),
    "a dead hop": (
        "default \\ nexthop via 10.0.0.1 dev eth0 weight 1 dead linkdown "
        "\\ nexthop via 10.1.0.1 dev eth1 weight 1",
        [Route(DEFAULT, "eth1", None, 0, IPv4Address("10.1.0.1"))],
    ),
    "IPv6 by advertisement": (
        "::/0 via fe80::1 dev eth0 proto ra metric 1024 expires 1700sec hoplimit 64 pref medium",
        [Route(DEFAULT6, "eth0", None, 1024, IPv6Address("fe80::1"))],
    ),
    "IPv6 on the link": (
        "2001:db8:18::/64 dev eth0 proto kernel metric 256 pref medium",
        [Route(IPv6Network("2001:db8:18::/64"), "eth0", None, 256)],
    ),
    "IPv6 host": (
        "2001:db8:19::5 via 2001:db8:18::9 dev eth0 src 2001:db8:18::5 metric 1024",
        [
            Route(
                IPv6Network("2001:db8:19::5/128"),
                "eth0",
                IPv6Address("2001:db8:18::5"),
                1024,
                IPv6Address("2001:db8:18::9"),
            )
        ],
    ),
    "blackhole": ("blackhole 10.9.0.0/16", []),
    "multicast": ("multicast 224.0.0.0/4 dev eth0", []),
    "unreachable": ("unreachable 10.9.0.0/16 metric 5", []),
    "IPv6 unreachable": ("unreachable default dev lo metric 4294967295 error -101", []),
}


@pytest.mark.parametrize("line, routes", ROUTES.values(), ids=ROUTES)
def test_a_route(line: str, routes: list[Route]) -> None:
    assert parse(probed(routes=line)).routes == tuple(routes)


FOREVER = "\\       valid_lft forever preferred_lft forever"
ADDRESSES = {
    "secondary": (
        "2: eth0    inet 10.0.0.5/24 brd 10.0.0.255 scope global secondary dynamic eth0",
        Address("eth0", IPv4Address("10.0.0.5"), 24),
    ),
    "peer": (
        "5: tun0    inet 10.8.0.1 peer 10.8.0.2/32 scope global tun0",
        Address("tun0", IPv4Address("10.8.0.1"), 32),
    ),
    "vlan": (
        "3: bond0.12    inet 192.0.2.9/31 scope global bond0.12",
        Address("bond0.12", IPv4Address("192.0.2.9"), 31),
    ),
    "IPv6": (
        f"4: eth0    inet6 2001:db8::2/64 scope global nodad {FOREVER}",
        Address("eth0", IPv6Address("2001:db8::2"), 64),
    ),
    "IPv6 peer": (
        f"5: tun0    inet6 2001:db8::2 peer 2001:db8::3/128 scope global {FOREVER}",
        Address("tun0", IPv6Address("2001:db8::2"), 128),
    ),
    "temporary": (
        "2: eth0    inet6 2001:db8::77/64 scope global temporary deprecated dynamic "
        "\\       valid_lft 86000sec preferred_lft 0sec",
        Address("eth0", IPv6Address("2001:db8::77"), 64, frozenset({"temporary", "deprecated"})),
    ),
    "another has it": (
        f"2: eth0    inet6 2001:db8::2/64 scope global dadfailed tentative {FOREVER}",
        Address("eth0", IPv6Address("2001:db8::2"), 64, frozenset({"dadfailed"})),
    ),
}


@pytest.mark.parametrize("line, address", ADDRESSES.values(), ids=ADDRESSES)
def test_an_address(line: str, address: Address) -> None:
    assert parse(probed(addresses=line)).addresses == (address,)


@pytest.mark.parametrize(
    "line, port",
    [
        ("0.0.0.0:22", 22),
        ("[::]:22", 22),
        ("*:2181", 2181),
        ("198.18.0.11%host0:68", 68),
        ("[::ffff:127.0.0.1]:2080", 2080),
    ],
)
def test_a_listening_port(line: str, port: int) -> None:
    [listener] = parse(probed(fitness="", listeners=f"LISTEN 0 128 {line} *:*")).fitness.listeners
    assert listener.port == port


@pytest.mark.parametrize(
    "text, version, controllers",
    [
        ("2 cpuset cpu io", 2, {"cpuset", "cpu", "io"}),
        ("1 cpu memory ", 1, {"cpu", "memory"}),
        ("2 ", 2, set()),
        ("", None, set()),
    ],
    ids=["v2", "v1", "none-delegated", "not-mounted"],
)
def test_cgroups(text: str, version: int | None, controllers: set[str]) -> None:
    observed = parse(probed(cgroup=text))
    assert observed.cgroup_version == version
    assert set(observed.cgroup_controllers) == controllers


@pytest.mark.parametrize(
    "text, expected",
    [
        (
            'ID="rocky"\nVERSION_ID="9.4"\nID_LIKE="rhel centos fedora"',
            ("rocky", "9.4", ("rhel", "centos", "fedora"), ""),
        ),
        ("ID='alpine'\nVERSION_ID=3.20", ("alpine", "3.20", (), "")),
        (
            'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble',
            ("ubuntu", "24.04", ("debian",), "noble"),
        ),
        ("", ("", "", (), "")),
    ],
    ids=["double-quotes", "single-quotes", "code-name", "absent"],
)
def test_os_release(text: str, expected: tuple[str, str, tuple[str, ...], str]) -> None:
    o = parse(probed(os_release=text))
    assert (o.os_id, o.os_version, o.os_like, o.os_codename) == expected


PACKAGES = """
ii |containerd|1.6.20~ds1-1
hi |docker.io|20.10.24+dfsg1-1
rc |docker-ce|5:26.1.5-1
un |docker-ee|
iF |runc|1.1.5
hU |docker-cli|26.1.5
iHR|docker-buildx|0.13
iiR|docker-doc|20.10.24
ri |docker-compose|1.29
ii|moby-engine|24.0.5-1.fc39
"""


def test_packages() -> None:
    observed = parse(probed(packages=PACKAGES))
    assert observed.packages == {
        "containerd": "1.6.20~ds1-1",
        "docker.io": "20.10.24+dfsg1-1",
        "runc": "1.1.5",
        "docker-cli": "26.1.5",
        "docker-buildx": "0.13",
        "docker-doc": "20.10.24",
        "docker-compose": "1.29",
        "moby-engine": "24.0.5-1.fc39",
    }
    assert observed.unfinished == {"runc", "docker-cli", "docker-buildx", "docker-doc"}
    assert observed.held == {"docker.io", "docker-cli"}


def test_what_dnf_excludes_is_held() -> None:
    observed = parse(probed(packages="ii|runc|4:1.1.12", excluded="docker-ce  kernel*\nrunc\n"))
    assert observed.held == {"docker-ce", "kernel*", "runc"}
    assert observed.unfinished == frozenset()


@pytest.mark.parametrize(
    "section, text",
    [
        ("", None),
        ("present", ""),
        ('present\n|{\n|\n|  "debug": true\n|}', '{\n\n  "debug": true\n}'),
        ("present\n|@@end\n||a|b", "@@end\n|a|b"),
    ],
    ids=["absent", "empty", "with-an-empty-line", "like-ours"],
)
def test_the_engines_configuration(section: str, text: str | None) -> None:
    assert parse(probed(daemon_json=section)).daemon_json == text


def test_a_host_that_does_not_tell_its_userland() -> None:
    untold = MINIMAL["host"].replace("userland_bits=64", "userland_bits=")
    assert parse(probed(host=untold)).userland_bits == 0


@pytest.mark.parametrize(
    "lines, service",
    [
        ("enabled=enabled\nactive=active", Service(True, True)),
        ("enabled=disabled\nactive=failed", Service(False, False)),
        ("enabled=enabled\nactive=activating", Service(True, False)),
        ("", Service(False, False)),
    ],
    ids=["up", "failed", "starting", "no-systemd"],
)
def test_the_service(lines: str, service: Service) -> None:
    assert parse(probed(service=lines)).docker_service == service


def test_what_was_asked() -> None:
    observed = parse(
        probed(
            asked="path|/apps|directory|10080:10080|750\n"
            "path|/apps/x y|regular empty file|0:0|600\n"
            "file|/apps/myid|3\n"
            "file|/apps/odd|a|b||c\n"
            "sum|/etc/a.list|0a1b\n"
            "name|zk-1|198.18.0.31\n"
            "name|2001:db8::31|2001:db8::31\n"
            "name|nobody|"
        )
    )
    assert observed.paths == {
        "/apps": Path("directory", "10080:10080", "750"),
        "/apps/x y": Path("regular empty file", "0:0", "600"),
    }
    assert observed.first_lines == {"/apps/myid": "3", "/apps/odd": "a|b||c"}
    assert observed.sums == {"/etc/a.list": "0a1b"}
    assert observed.resolved == {
        "zk-1": IPv4Address("198.18.0.31"),
        "2001:db8::31": IPv6Address("2001:db8::31"),
    }


@pytest.mark.parametrize(
    "state, runs",
    [
        ("running", True),
        ("paused", True),
        ("exited", False),
        ("created", False),
        ("restarting", False),
        ("dead", False),
    ],
)
def test_which_containers_run(state: str, runs: bool) -> None:
    line = json.dumps({"name": "engine", "image": "engine:1", "state": state})
    assert parse(probed(**ENGINE, containers=line)).containers[0].running is runs


def test_of_containers_that_are_not_ours_only_name_image_and_state_are_known() -> None:
    line = json.dumps({"name": "db", "image": "postgres:15", "state": "running"})
    container = parse(probed(**ENGINE, containers=line)).containers[0]
    assert (container.name, container.image, container.running) == ("db", "postgres:15", True)
    assert container.inspect is None
    assert container.labels == {}


OURS = {
    "containers": json.dumps({"name": "engine", "image": "engine:1", "state": "running"}),
    "inspect": json.dumps({"Name": "/engine", "Id": "0a1b", "Image": "sha256:2", "Config": {}}),
}


def test_what_the_image_of_a_container_of_ours_says() -> None:
    configs = [
        {"id": f"sha256:{number}", "config": {"Cmd": [f"run-{number}"]}} for number in (1, 2)
    ]
    lines = "\n".join(map(json.dumps, configs))
    (container,) = parse(probed(**ENGINE, **OURS, image_configs=lines)).containers
    assert container.image_config == {"Cmd": ["run-2"]}


def test_an_image_that_is_gone_says_nothing() -> None:
    for lines in ("", json.dumps({"id": "sha256:1", "config": {}})):
        (container,) = parse(probed(**ENGINE, **OURS, image_configs=lines)).containers
        assert container.image_config is None


@pytest.mark.parametrize(
    "lines, updated",
    [
        ("", {}),
        ('0a1b {"pids": 9}', {"pids": 9}),
        ('0c2d {"pids": 8}\n0a1b {"pids": 9}', {"pids": 9}),
        ('0c2d {"pids": 8}', {}),
        ("0a1b {", {}),
        ("0a1b", {}),
        ("0a1b 5", {}),
    ],
    ids=["none", "ours", "one-of-two", "another's", "spoilt", "empty", "no-fields"],
)
def test_what_was_updated_in_place(lines: str, updated: dict[str, int]) -> None:
    (container,) = parse(probed(**ENGINE, **OURS, updated=lines)).containers
    assert container.updated == updated


def test_the_engine_s_networks() -> None:
    assert parse(probed(**ENGINE, networks="bridge\nmy net")).networks == {"bridge", "my net"}
    assert parse(probed(**ENGINE)).networks == frozenset()


@pytest.mark.parametrize(
    "value",
    ["a\x85b", "a\u2028b", "a\x0bb\x0cc", "\x1c\x1d\x1e", "\n@@end\n", "a\rb", "\ufffd", "=|'\""],
    ids=["nel", "line-separator", "tabs", "separators", "end-mark", "cr", "replaced", "quotes"],
)
def test_a_hostile_value_in_a_container_breaks_nothing(value: str) -> None:
    listed = json.dumps({"name": "engine", "image": "engine:1", "state": "running"})
    inspect = {"Name": "/engine", "Config": {"Env": [f"NAME={value}"], "Labels": None}}
    # Docker escapes as Go does: control characters, but not U+0085.
    line = json.dumps(inspect, ensure_ascii=False)
    container = parse(probed(**ENGINE, containers=listed, inspect=line)).containers[0]
    assert (container.inspect or {})["Config"]["Env"] == [f"NAME={value}"]
    assert container.labels == {}


@pytest.mark.parametrize("tags", [None, [], ["a:1", "b:1"]], ids=["null", "none", "two"])
def test_tags_of_an_image(tags: list[str] | None) -> None:
    line = json.dumps({"id": "sha256:1", "tags": tags, "layers": None})
    image = parse(probed(**ENGINE, images=line)).images[0]
    assert (image.tags, image.layers) == (tuple(tags or ()), ())


@pytest.mark.parametrize(
    "record, reason",
    [
        ('{"by": "ann@a", "since": 10, "until": 90, "reason": "@@end"}', "@@end"),
        ('{"by": "ann@a", "since": 10, "until": 50, "reason": "over"}', None),
        ('{"by": "ann@a", "since": 10}', None),
        ("{", None),
        ("", None),
        ('{"by": "ann@a", "since": 10, "until": 99999999999999999, "reason": "for ever"}', None),
        ('{"by": "ann@a", "since": 10, "until": Infinity, "reason": "for ever"}', None),
    ],
    ids=["stands", "over", "cut off", "spoilt", "none", "no calendar's", "infinite"],
)
def test_a_drain_is_over_at_its_time_by_the_hosts_clock(record: str, reason: str | None) -> None:
    told = f"|{record}" if record else ""
    found = parse(probed(drained=told, fitness="time=60.5")).drained
    assert (found.reason if found else None) == reason
