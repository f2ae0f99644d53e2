from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from roles.observed import Address, Observed, Route
from roles.run.address import NoAddress, export_address, is_private
from tests.unit.build import bare


def addresses(*given: str) -> tuple[Address, ...]:
    """`eth0 10.0.0.5/24` ..."""
    found = []
    for line in given:
        interface, address = line.split()
        ip, _, prefix = address.partition("/")
        found.append(Address(interface, IPv4Address(ip), int(prefix)))
    return tuple(found)


def routes(*given: str) -> tuple[Route, ...]:
    """`10.0.0.0/24 eth0`, with `src ADDRESS` and `metric N` where they matter."""
    found = []
    for line in given:
        to, interface, *rest = line.split()
        named = dict(zip(rest[::2], rest[1::2], strict=True))
        found.append(
            Route(
                IPv4Network("0.0.0.0/0" if to == "default" else to),
                interface,
                IPv4Address(named["src"]) if "src" in named else None,
                int(named.get("metric", 0)),
            )
        )
    return tuple(found)


def host(on: tuple[Address, ...], by: tuple[Route, ...]) -> Observed:
    return bare(addresses=on, routes=by)


def exported(observed: Observed, *towards: str, wanted: str = "auto") -> str:
    return str(export_address(observed, wanted, [IPv4Address(target) for target in towards]))


TWO_NETWORKS = host(
    addresses("lo 127.0.0.1/8", "eth0 203.0.113.5/24", "eth1 10.0.0.5/24"),
    routes("default eth0", "203.0.113.0/24 eth0 src 203.0.113.5", "10.0.0.0/16 eth1"),
)
DOCKER = host(
    addresses(
        "docker0 172.17.0.1/16",
        "br-0a1b2c3d4e5f 172.18.0.1/16",
        "veth1 172.19.0.1/16",
        "eth0 10.0.0.5/24",
    ),
    routes(
        "172.17.0.0/16 docker0 src 172.17.0.1",
        "172.18.0.0/16 br-0a1b2c3d4e5f src 172.18.0.1",
        "172.19.0.0/16 veth1",
        "default eth0",
    ),
)


@pytest.mark.parametrize(
    "observed, towards, address",
    [
        (TWO_NETWORKS, ["10.0.3.1"], "10.0.0.5"),
        (TWO_NETWORKS, ["203.0.113.9"], "203.0.113.5"),
        (TWO_NETWORKS, ["192.0.2.1"], "203.0.113.5"),
        (TWO_NETWORKS, [], "203.0.113.5"),
        (TWO_NETWORKS, ["10.0.3.1", "203.0.113.9"], "10.0.0.5"),
        (TWO_NETWORKS, ["203.0.113.9", "10.0.3.1"], "203.0.113.5"),
        (TWO_NETWORKS, ["10.0.0.5"], "10.0.0.5"),
        (DOCKER, ["172.17.0.9"], "10.0.0.5"),
        (DOCKER, ["172.18.0.9"], "10.0.0.5"),
        (DOCKER, ["172.19.0.9"], "10.0.0.5"),
        (DOCKER, ["172.17.0.1"], "10.0.0.5"),
    ],
    ids=[
        "towards-the-inner-network",
        "towards-the-outer-network",
        "towards-elsewhere",
        "towards-nothing",
        "the-first-decides",
        "the-first-decides-again",
        "the-host-itself",
        "docker0-never",
        "a-bridge-never",
        "a-veth-never",
        "docker0-is-not-the-host-itself",
    ],
)
def test_towards(observed: Observed, towards: list[str], address: str) -> None:
    assert exported(observed, *towards) == address


@pytest.mark.parametrize(
    "lines, address",
    [
        (["default eth0", "10.1.0.0/16 eth1", "10.1.2.0/24 eth2"], "10.0.2.1"),
        (["10.1.2.0/24 eth2 metric 900", "10.1.0.0/16 eth1 metric 1"], "10.0.2.1"),
        (["10.1.0.0/16 eth1 metric 100", "10.1.0.0/16 eth2 metric 50"], "10.0.2.1"),
        (["10.1.0.0/16 eth1 metric 50", "10.1.0.0/16 eth2 metric 100"], "10.0.1.1"),
        (["default eth1 metric 100", "default eth2"], "10.0.2.1"),
        (["10.1.0.0/16 eth1 src 10.0.1.2"], "10.0.1.2"),
        (["10.1.0.0/16 eth1"], "10.0.1.1"),
        (["10.1.0.0/16 eth9", "default eth2"], "10.0.2.1"),
        (["10.1.2.3/32 docker0 src 172.17.0.1", "default eth2"], "10.0.2.1"),
    ],
    ids=[
        "longest-prefix",
        "prefix-before-metric",
        "lowest-metric",
        "lowest-metric-again",
        "default-by-metric",
        "src",
        "first-of-the-interface",
        "interface-without-address",
        "docker0-has-the-longest-prefix",
    ],
)
def test_the_route_is_the_kernels(lines: list[str], address: str) -> None:
    on = addresses(
        "lo 127.0.0.1/8",
        "eth1 10.0.1.1/24",
        "eth1 10.0.1.2/24",
        "eth2 10.0.2.1/24",
        "docker0 172.17.0.1/16",
    )
    assert exported(host(on, routes(*lines)), "10.1.2.3") == address


def test_a_server_of_the_registry_has_the_address_that_others_look_towards() -> None:
    on = addresses("eth0 10.0.0.4/24", "eth0 10.0.0.5/24")
    assert exported(host(on, routes("default eth0")), "10.0.0.5") == "10.0.0.5"


@pytest.mark.parametrize("wanted", ["203.0.113.5", "10.0.0.5"])
def test_an_address_of_the_host_may_be_set(wanted: str) -> None:
    assert exported(TWO_NETWORKS, "192.0.2.1", wanted=wanted) == wanted


def test_an_address_that_is_on_no_interface_is_refused() -> None:
    with pytest.raises(NoAddress) as caught:
        exported(TWO_NETWORKS, wanted="10.0.0.9")
    assert str(caught.value) == (
        "10.0.0.9 is on no interface of this host (eth0 203.0.113.5, eth1 10.0.0.5); "
        "name one of them, or 'auto'"
    )


@pytest.mark.parametrize(
    "observed, listed",
    [
        (host(addresses("lo 127.0.0.1/8"), ()), "it has none"),
        (
            host(addresses("lo 127.0.0.1/8", "docker0 172.17.0.1/16", "eth0 10.0.0.5/24"), ()),
            "eth0 10.0.0.5",
        ),
        (
            host(addresses("docker0 172.17.0.1/16"), routes("default docker0 src 172.17.0.1")),
            "it has none",
        ),
    ],
    ids=["loopback", "no-route", "only-docker0"],
)
def test_a_host_whose_address_cannot_be_told(observed: Observed, listed: str) -> None:
    with pytest.raises(NoAddress) as caught:
        exported(observed, "10.1.2.3")
    assert str(caught.value) == (
        f"no route tells this host's address ({listed}); set it to one of them"
    )


@pytest.mark.parametrize(
    "interface, private",
    [
        ("lo", True),
        ("docker0", True),
        ("docker_gwbridge", True),
        ("br-0a1b2c3d4e5f", True),
        ("br-lan", False),
        ("veth12", True),
        ("virbr0", True),
        ("cni0", True),
        ("eth0", False),
        ("enp0s3", False),
        ("bond0.12", False),
        ("br0", False),
        ("host0", False),
        ("wg0", False),
        ("tun0", False),
    ],
)
def test_interfaces_that_no_other_host_reaches(interface: str, private: bool) -> None:
    assert is_private(interface) is private


def test_an_address_of_a_bridge_is_not_taken_at_its_word() -> None:
    found = bare(addresses=addresses("docker0 172.17.0.1/16", "eth0 10.0.0.5/24"))
    with pytest.raises(NoAddress, match=r"172\.17\.0\.1 is on docker0, which no other"):
        export_address(found, "172.17.0.1", ())
