from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from roles.observed import Address, Observed, Route
from roles.run.address import (
    NoAddress,
    by_family,
    endpoint,
    export_address,
    is_private,
    own_address,
    split_endpoint,
    split_endpoints,
)
from tests.unit.build import bare


def addresses(*given: str) -> tuple[Address, ...]:
    """`eth0 10.0.0.5/24`, with flags where they matter."""
    found = []
    for line in given:
        interface, address, *flags = line.split()
        ip, _, prefix = address.partition("/")
        found.append(Address(interface, ip_address(ip), int(prefix), frozenset(flags)))
    return tuple(found)


def routes(*given: str) -> tuple[Route, ...]:
    """`10.0.0.0/24 eth0`, with `src ADDRESS`, `via ADDRESS`, `metric N` where they matter."""
    found = []
    for line in given:
        to, interface, *rest = line.split()
        named = dict(zip(rest[::2], rest[1::2], strict=True))
        found.append(
            Route(
                ip_network("0.0.0.0/0" if to == "default" else to),
                interface,
                ip_address(named["src"]) if "src" in named else None,
                int(named.get("metric", 0)),
                ip_address(named["via"]) if "via" in named else None,
            )
        )
    return tuple(found)


def host(on: tuple[Address, ...], by: tuple[Route, ...]) -> Observed:
    return bare(addresses=on, routes=by)


def exported(observed: Observed, *towards: str, wanted: str = "auto", nat: bool = False) -> str:
    targets = [ip_address(target) for target in towards]
    return str(export_address(observed, wanted, targets, nat=nat))


def refusal(observed: Observed, *towards: str, wanted: str = "auto", nat: bool = False) -> str:
    with pytest.raises(NoAddress) as caught:
        exported(observed, *towards, wanted=wanted, nat=nat)
    return str(caught.value)


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
        (["default eth3 via 10.0.4.254"], "10.0.4.1"),
        (["10.1.0.0/16 eth1 metric 5", "10.1.0.0/16 eth1 metric 5"], "10.0.1.1"),
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
        "in-the-next-hops-network",
        "equal-from-one-address",
    ],
)
def test_the_route_is_the_kernels(lines: list[str], address: str) -> None:
    on = addresses(
        "lo 127.0.0.1/8",
        "eth1 10.0.1.1/24",
        "eth1 10.0.1.2/24",
        "eth2 10.0.2.1/24",
        "eth3 10.0.3.1/24",
        "eth3 10.0.4.1/24",
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
    assert refusal(TWO_NETWORKS, wanted="10.0.0.9") == (
        "10.0.0.9 is on no interface of this host (eth0 203.0.113.5, eth1 10.0.0.5); name one of "
        "them, or 'auto', or set export_ip_nat: true where a router translates it"
    )


@pytest.mark.parametrize("wanted", ["198.51.100.9", "2001:db8::9", "10.0.0.5"])
def test_an_address_that_a_router_translates(wanted: str) -> None:
    assert exported(TWO_NETWORKS, wanted=wanted, nat=True) == wanted


def test_an_address_of_docker_is_never_a_routers() -> None:
    text = refusal(DOCKER, wanted="172.17.0.1", nat=True)
    assert text.startswith("172.17.0.1 is on docker0, which no other host can reach; name another")


def own(observed: Observed, address: str, *towards: str) -> str:
    targets = [ip_address(target) for target in towards]
    return str(own_address(observed, ip_address(address), targets))


@pytest.mark.parametrize(
    "address, towards, inner",
    [
        ("203.0.113.5", ["10.0.3.1"], "203.0.113.5"),
        ("198.51.100.9", ["10.0.3.1"], "10.0.0.5"),
        ("198.51.100.9", ["2001:db8::1", "10.0.3.1"], "10.0.0.5"),
        ("198.51.100.9", ["2001:db8::1"], "203.0.113.5"),
        ("198.51.100.9", [], "203.0.113.5"),
    ],
    ids=["is-its-own", "towards-the-registry", "of-its-family", "none-of-its-family", "default"],
)
def test_what_is_behind_a_router(address: str, towards: list[str], inner: str) -> None:
    assert own(TWO_NETWORKS, address, *towards) == inner


def test_behind_a_router_the_only_address_of_that_family_needs_no_route() -> None:
    found = host(addresses("eth0 10.0.0.5/24", "eth0 fd00::5/64"), routes("default eth0"))
    assert own(found, "2001:db8::9", "10.0.3.1") == "fd00::5"


@pytest.mark.parametrize(
    "on, listed",
    [
        (["eth0 10.0.0.5/24"], "it has none of that family"),
        (["eth0 fd00::5/64", "eth1 fd00:1::5/64"], "eth0 fd00::5, eth1 fd00:1::5"),
    ],
    ids=["none", "several"],
)
def test_behind_a_router_where_nothing_tells(on: list[str], listed: str) -> None:
    with pytest.raises(NoAddress) as caught:
        own(host(addresses(*on), ()), "2001:db8::9", "10.0.3.1")
    assert str(caught.value) == (
        f"to which address of this host a router translates 2001:db8::9 can't be told ({listed}); "
        "have a route towards the registry, or a default route, tell it"
    )


BOTH = host(
    addresses(
        "lo ::1/128",
        "eth0 203.0.113.5/24",
        "eth0 2001:db8::5/64",
        "eth0 2001:db8::77/64 temporary",
        "eth0 2001:db8::88/64 deprecated temporary",
        "eth0 fe80::5/64",
        "eth1 10.0.0.5/24",
        "eth1 10.0.0.6/24",
        "eth1 fe80::6/64",
        "eth2 10.2.0.5/16",
        "eth2 fd00:2::5/64",
        "eth2 fd00:2::6/64",
        "eth3 fd00:3::5/64",
        "eth4 fe80::7/64",
        "docker0 172.17.0.1/16",
        "docker0 fd00:17::1/64",
    ),
    routes(
        "default eth0 via 203.0.113.1",
        "::/0 eth0 via fe80::1 metric 1024",
        "fd00:3::/64 eth3 metric 256",
        "fe80::/64 eth0 metric 256",
    ),
)
LISTED = (
    "(eth0 203.0.113.5, eth0 2001:db8::5, eth1 10.0.0.5, eth1 10.0.0.6, eth2 10.2.0.5, "
    "eth2 fd00:2::5, eth2 fd00:2::6, eth3 fd00:3::5)"
)


@pytest.mark.parametrize(
    "wanted, towards, address",
    [
        ("auto", [], "203.0.113.5"),
        ("auto", ["2001:db8:9::1"], "2001:db8::5"),
        ("auto", ["fd00:3::1"], "fd00:3::5"),
        ("auto", ["2001:db8::5"], "2001:db8::5"),
        ("auto", ["192.0.2.1", "2001:db8:9::1"], "203.0.113.5"),
        ("eth0", [], "203.0.113.5"),
        ("eth0", ["192.0.2.1"], "203.0.113.5"),
        ("eth0", ["2001:db8:9::1"], "2001:db8::5"),
        ("eth0", ["2001:db8:9::1", "192.0.2.1"], "203.0.113.5"),
        ("eth2", [], "10.2.0.5"),
        ("eth3", ["192.0.2.1"], "fd00:3::5"),
        ("10.2.0.0/16", [], "10.2.0.5"),
        ("10.0.0.6/32", [], "10.0.0.6"),
        ("0.0.0.0/1", ["2001:db8:9::1"], None),
        ("2001:db8::/32", [], "2001:db8::5"),
        ("fd00:3::/48", ["192.0.2.1"], "fd00:3::5"),
        ("2001:db8::5", [], "2001:db8::5"),
        ("2001:0DB8:0::5", [], "2001:db8::5"),
    ],
)
def test_of_both_families(wanted: str, towards: list[str], address: str | None) -> None:
    if address is None:
        assert "several addresses" in refusal(BOTH, *towards, wanted=wanted)
    else:
        assert exported(BOTH, *towards, wanted=wanted) == address


@pytest.mark.parametrize(
    "wanted, towards, text",
    [
        (
            "eth1",
            [],
            "this host has several addresses on eth1 (eth1 10.0.0.5, eth1 10.0.0.6); "
            "set export_ip to one",
        ),
        (
            "eth2",
            ["fd00::1"],
            "this host has several addresses on eth2 (eth2 fd00:2::5, eth2 fd00:2::6); "
            "set export_ip to one",
        ),
        (
            "10.0.0.0/8",
            [],
            "this host has several addresses in 10.0.0.0/8 "
            "(eth1 10.0.0.5, eth1 10.0.0.6, eth2 10.2.0.5); set export_ip to one",
        ),
        (
            "172.17.0.0/16",
            [],
            f"no address of this host is in 172.17.0.0/16 {LISTED}; name another network, or "
            "'auto'",
        ),
        (
            "eth9",
            [],
            f"eth9 is no interface with an address on this host {LISTED}; name another, or 'auto'",
        ),
        (
            "eth4",
            [],
            f"eth4 has no address that can be exported on this host {LISTED}; name another, or "
            "'auto'",
        ),
        (
            "docker0",
            [],
            f"docker0 is an interface that no other host can reach; name another {LISTED}, or "
            "'auto'",
        ),
        (
            "2001:db8::77",
            [],
            "2001:db8::77 is on eth0, but temporary: this host may give it up; "
            f"name another {LISTED}, or 'auto'",
        ),
        (
            "2001:db8::88",
            [],
            "2001:db8::88 is on eth0, but deprecated and temporary: this host may give it up; "
            f"name another {LISTED}, or 'auto'",
        ),
    ],
)
def test_what_does_not_tell_one_address(wanted: str, towards: list[str], text: str) -> None:
    assert refusal(BOTH, *towards, wanted=wanted) == text


TWO = addresses("eth0 10.0.0.5/24", "eth1 10.1.0.5/24")


@pytest.mark.parametrize(
    "towards, to", [(["192.0.2.1"], "to 192.0.2.1"), ([], "elsewhere")], ids=["registry", "default"]
)
def test_two_equal_routes(towards: list[str], to: str) -> None:
    found = host(TWO, routes("default eth0 via 10.0.0.1", "default eth1 via 10.1.0.1"))
    assert refusal(found, *towards) == (
        f"this host may send {to} from several addresses (10.0.0.5, 10.1.0.5); set export_ip to one"
    )


SEVERAL = addresses(
    "eth0 2001:db8:1::5/64", "eth0 2001:db8:2::5/64", "eth0 fd00::5/64", "eth0 fd00::6/64"
)


@pytest.mark.parametrize(
    "target, address",
    [("2001:db8:1::9", "2001:db8:1::5"), ("2001:db8:2:9::1", "2001:db8:2::5")],
    ids=["in-its-network", "most-bits"],
)
def test_of_several_of_ipv6_the_most_like_the_target(target: str, address: str) -> None:
    assert exported(host(SEVERAL, routes("::/0 eth0 via fe80::1")), target) == address


@pytest.mark.parametrize(
    "target, listed",
    [
        ("fd00:9::1", "fd00::5, fd00::6"),
        ("fd00::4", "fd00::5, fd00::6"),
        (None, "2001:db8:1::5, 2001:db8:2::5, fd00::5, fd00::6"),
    ],
    ids=["elsewhere", "in-their-network", "anywhere"],
)
def test_several_of_ipv6_that_are_as_good(target: str | None, listed: str) -> None:
    found = host(SEVERAL, routes("::/0 eth0 via fe80::1"))
    assert f"from several addresses ({listed}); set" in refusal(
        found, *([target] if target else [])
    )


@pytest.mark.parametrize(
    "host, port, text",
    [
        ("198.18.1.2", 1080, "198.18.1.2:1080"),
        ("2001:db8::1", 1080, "[2001:db8::1]:1080"),
        ("zk-1.example", 2181, "zk-1.example:2181"),
    ],
)
def test_an_endpoint_and_back(host: str, port: int, text: str) -> None:
    assert endpoint(host, port) == text
    assert split_endpoint(text) == (host, port)


def test_an_endpoint_of_an_address() -> None:
    assert endpoint(ip_address("2001:db8::1"), "1080") == "[2001:db8::1]:1080"


def test_several_endpoints() -> None:
    assert split_endpoints("[2001:db8::1]:2181,zk-2:2182") == [
        ("2001:db8::1", 2181),
        ("zk-2", 2182),
    ]
    assert split_endpoints(None) == []


def test_addresses_are_sorted_by_family_and_number() -> None:
    given = [ip_address(a) for a in ("::1", "198.18.0.110", "2001:db8::2", "198.18.0.32")]
    assert [str(a) for a in sorted(given, key=by_family)] == [
        "198.18.0.32",
        "198.18.0.110",
        "::1",
        "2001:db8::2",
    ]


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
    assert refusal(observed, "10.1.2.3") == (
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
