"""The address that a host exports, as real hosts tell theirs: nothing is deployed.

Every run looks at all hosts, so that one tells of several wishes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.lab import Lab, LabHost
from tests.lab.running import Checkout, Listed, Run

ELSEWHERE = "198.19.254.9"
"""On no interface of any host."""


@contextmanager
def second_network(host: LabHost, number: int) -> Iterator[None]:
    """Have a host with a second interface that has two addresses, and one as Docker has it."""
    network = f"198.19.{number}"
    host.run(
        "ip link add eth1 type bridge && ip link set eth1 up"
        f" && ip address add {network}.1/25 dev eth1 && ip address add {network}.9/32 dev eth1"
        " && ip link add docker0 type bridge && ip address add 172.17.0.1/16 dev docker0"
    )
    try:
        yield
    finally:
        host.run("ip link delete eth1; ip link delete docker0")


@pytest.fixture(scope="module")
def two_networks(bare: Lab) -> Iterator[None]:
    """198.19.1.0/24 on app-1 alone, 198.19.2.0/24 on registry-1."""
    with ExitStack() as stack:
        stack.enter_context(second_network(bare["app-1"], 1))
        stack.enter_context(second_network(bare["registry-1"], 2))
        yield


def dry(checkout: Checkout, lab: Lab, wishes: dict[str, str], nat: tuple[str, ...] = ()) -> Run:
    """Look at all hosts; `wishes` is what hosts are to export, `nat` those behind a router."""
    listed = []
    for host in lab.hosts:
        data = {"export_ip": wishes.get(host.name, "auto"), "export_ip_nat": host.name in nat}
        listed.append(Listed(host, data))
    run = checkout.run(checkout.inventory(listed, base_image=lab.base_image()), "--dry")
    assert "Traceback" not in run.output
    return run


def assert_exports(checkout: Checkout, lab: Lab, wish: str, expected: str) -> None:
    """Fail where app-1 exports another address: app-2, which is told this one, has to collide."""
    run = dry(checkout, lab, {"app-1": wish, "app-2": expected}, nat=("app-2",))
    assert run.exit_code == 1, run.output
    assert [problem.partition("; ")[0] for problem in run.problems] == [
        f"app-2: export_ip: app-1 and app-2 have one address, {expected}"
    ]


def listed(host: LabHost) -> str:
    return ", ".join(f"host0 {address}" for address in (host.address, host.address6) if address)


def ipv6_of(host: LabHost) -> str:
    if host.address6 is None:
        pytest.skip("this machine has IPv6 off")
    return host.address6


def test_what_does_not_tell_one_address(bare: Lab, checkout: Checkout, two_networks: None) -> None:
    network = "198.19.2.0/24"
    run = dry(checkout, bare, {"app-1": "eth1", "app-2": ELSEWHERE, "registry-1": network})
    assert run.exit_code == 1, run.output
    assert run.problems == [
        "app-1: export_ip: this host has several addresses on eth1 "
        "(eth1 198.19.1.1, eth1 198.19.1.9); set export_ip to one",
        f"app-2: export_ip: {ELSEWHERE} is on no interface of this host ({listed(bare['app-2'])}); "
        "name one of them, or 'auto', or set export_ip_nat: true where a router translates it",
        f"registry-1: export_ip: this host has several addresses in {network} "
        "(eth1 198.19.2.1, eth1 198.19.2.9); set export_ip to one",
    ]


@pytest.mark.full
def test_an_address_that_a_router_translates(
    bare: Lab, checkout: Checkout, two_networks: None
) -> None:
    run = dry(checkout, bare, {"app-1": ELSEWHERE, "app-2": "host0"}, nat=("app-1",))
    assert run.exit_code == 0, run.output
    assert any(change.startswith("app-1: soa_engine: create container") for change in run.planned)


@pytest.mark.full
def test_an_interface_of_both_families(bare: Lab, checkout: Checkout) -> None:
    assert_exports(checkout, bare, "host0", bare["app-1"].address)


@pytest.mark.full
def test_a_network(bare: Lab, checkout: Checkout, two_networks: None) -> None:
    assert_exports(checkout, bare, "198.19.1.8/29", "198.19.1.9")


def test_a_network_of_ipv6(bare: Lab, checkout: Checkout) -> None:
    assert_exports(checkout, bare, "2001:db8::/32", ipv6_of(bare["app-1"]))


def test_an_address_of_another_host(bare: Lab, checkout: Checkout, two_networks: None) -> None:
    run = dry(checkout, bare, {"app-2": "198.19.1.9"}, nat=("app-2",))
    assert run.exit_code == 1, run.output
    assert run.problems == [
        "app-2: export_ip: 198.19.1.9 is an address of app-1, on eth1; "
        "export one that this host alone has"
    ]
