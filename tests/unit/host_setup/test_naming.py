from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from roles.host_setup.naming import edited
from roles.observed import Setup
from tests.unit.build import fit
from tests.unit.host_setup.build import gaps, host, planned, told

OURS = "# dockyard: begin\n198.18.0.11 app-1\n# dockyard: end\n"
BASE = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n"


@pytest.mark.parametrize(
    "text, kept",
    [
        ("", ""),
        (BASE, BASE),
        (f"{BASE}127.0.1.1 app-1\n", BASE),
        ("127.0.1.1 app-1 # Debian's own\n", "# Debian's own\n"),
        ("127.0.0.1 localhost app-1 # both\n", "127.0.0.1 localhost # both\n"),
        ("::1 app-1\n", ""),
        ("10.0.0.9 app-1 other\n", "10.0.0.9 other\n"),
        ("2001:db8::1 app-1\n", "2001:db8::1 app-1\n"),
        (
            "10.0.0.9 app-10\n# app-1\nfe80::1%eth0 x\n",
            "10.0.0.9 app-10\n# app-1\nfe80::1%eth0 x\n",
        ),
        (f"{OURS.replace('.11', '.99')}{BASE}", BASE),
        (f"{BASE}{OURS}", BASE),
    ],
)
def test_a_name_leads_to_its_address_and_all_else_stays(text: str, kept: str) -> None:
    assert edited(text, "app-1", "198.18.0.11") == kept + OURS
    assert edited(kept + OURS, "app-1", "198.18.0.11") == kept + OURS


def test_a_name_with_a_domain_leads_there_by_both() -> None:
    text = "127.0.1.1 app-1.example.org app-1\n"
    assert edited(text, "app-1.example.org", "198.18.0.11") == (
        "# dockyard: begin\n198.18.0.11 app-1.example.org app-1\n# dockyard: end\n"
    )


def test_an_ipv6_address_leaves_the_others_line() -> None:
    assert edited("10.0.0.9 app-1\n", "app-1", "2001:db8::1") == (
        "10.0.0.9 app-1\n# dockyard: begin\n2001:db8::1 app-1\n# dockyard: end\n"
    )


def test_a_host_that_is_called_otherwise() -> None:
    setup = Setup(static_name="localhost", hosts="127.0.1.1 app-1\n")
    found = host({"name": True}, setup, fitness=fit(name="debian"))
    assert gaps(found) == [
        ("host name", "app-1", "debian"),
        ("/etc/hostname", "app-1", "localhost"),
        ("/etc/hosts app-1", "198.18.0.11", "127.0.1.1"),
    ]
    assert planned(found) == [
        "name the host app-1: 2 of its settings differ",
        "lead app-1 to 198.18.0.11 by /etc/hosts: 127.0.1.1",
    ]


def test_a_host_that_is_called_so_is_left() -> None:
    found = host({"name": True}, Setup(static_name="app-1", hosts=OURS))
    assert planned(found) == []
    assert planned(host({})) == []


@pytest.mark.parametrize("hosts", ["10.0.0.1 caf\N{REPLACEMENT CHARACTER}\n", "#" * 262_144])
def test_a_file_that_could_not_be_read_whole_is_not_overwritten(hosts: str) -> None:
    [problem] = told(host({"name": "x"}, Setup(hosts=hosts)))
    assert problem.startswith("name: /etc/hosts there is longer than 262144 bytes, or not UTF-8")


@pytest.mark.parametrize("more", ["", OURS])
def test_a_file_in_which_the_end_of_our_block_is_lost_is_not_overwritten(more: str) -> None:
    hosts = f"# dockyard: begin\n198.18.0.99 app-1\n{BASE}{more}"
    [problem] = told(host({"name": "x"}, Setup(hosts=hosts)))
    assert problem.startswith("name: /etc/hosts there has a line '# dockyard: begin' and no ")
    assert told(host({"name": "x"}, Setup(hosts=f"# dockyard: end\n{OURS}{BASE}{OURS}"))) == []


def test_behind_a_router_that_translates_it_leads_to_the_hosts_own_address() -> None:
    behind = replace(host({"name": True}), translated_to=IPv4Address("10.0.0.5"))
    assert gaps(behind)[-1] == ("/etc/hosts app-1", "10.0.0.5", "absent")
