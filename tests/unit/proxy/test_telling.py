from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from roles.observed.model import Address
from roles.proxy.plan import container
from roles.proxy.status import telling_proxies
from roles.run.fleet import Fleet
from tests.unit.build import fleet, look_again, running, serving


def addresses_of(found: Fleet) -> dict[str, str]:
    return {proxy.name: proxy.address for proxy in telling_proxies(found)}


def test_a_proxy_is_asked_where_it_listens_now() -> None:
    """Not where it is wanted to, as long as that is an address of its host."""
    found = serving(fleet("app-1", "app-2", "registry-1"))
    spec = container(found, found["app-1"])
    moving = running(replace(spec, environment={**spec.environment, "EXPORT_IP": "198.18.7.7"}))
    gone = look_again(found, "app-1", containers=(moving,))
    assert addresses_of(gone)["app-1"] == "198.18.0.11"
    addresses = (*found["app-1"].observed.addresses, Address("eth1", ip_address("198.18.7.7"), 24))
    there = look_again(gone, "app-1", addresses=addresses)
    assert addresses_of(there)["app-1"] == "198.18.7.7"
    assert addresses_of(there)["app-2"] == "198.18.0.12"
