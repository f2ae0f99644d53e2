"""What the parts accept from their environment, and what they say about the rest."""

from collections.abc import Mapping

import pytest
from osp_common.settings import (
    Endpoint,
    SettingError,
    export_endpoint,
    listen_endpoints,
    registry_hosts,
)
from osp_proxy.settings import Settings


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"EXPORT_IP": "198.18.0.11"}, "198.18.0.11:1080"),
        ({"EXPORT_IP": "198.18.0.11", "EXPORT_PORT": "1085"}, "198.18.0.11:1085"),
        ({"EXPORT_IP": "198.18.0.11", "EXPORT_PROT": "1086"}, "198.18.0.11:1086"),
        (
            {"EXPORT_IP": "198.18.0.11", "EXPORT_PORT": "1085", "EXPORT_PROT": "1086"},
            "198.18.0.11:1085",
        ),
        (
            {"EXPORT_IP": "198.18.0.11", "EXPORT_PORT": "", "EXPORT_PROT": "1086"},
            "198.18.0.11:1086",
        ),
    ],
)
def test_export_endpoint(environ: Mapping[str, str], expected: str) -> None:
    assert str(export_endpoint(environ, 1080)) == expected


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({}, "EXPORT_IP is not set"),
        ({"EXPORT_IP": ""}, "EXPORT_IP is not set"),
        ({"EXPORT_IP": "web-1"}, "EXPORT_IP is 'web-1'"),
        ({"EXPORT_IP": "0.0.0.0"}, "EXPORT_IP is '0.0.0.0'"),
        ({"EXPORT_IP": "10.0.0.1", "EXPORT_PORT": "0"}, "EXPORT_PORT is '0'"),
        ({"EXPORT_IP": "10.0.0.1", "EXPORT_PORT": "1e3"}, "EXPORT_PORT is '1e3'"),
        ({"EXPORT_IP": "10.0.0.1", "EXPORT_PROT": "70000"}, "EXPORT_PROT is '70000'"),
    ],
)
def test_an_unusable_export_is_named(environ: Mapping[str, str], named: str) -> None:
    with pytest.raises(SettingError) as caught:
        export_endpoint(environ, 1080)
    assert str(caught.value).startswith(f"{named}; expected ")


@pytest.mark.parametrize(
    "hosts",
    ["zk-1:2181", "10.0.0.1:2181,10.0.0.2:2181", "[2001:db8::1]:2181", "zk-1:2181,zk-2:2181/soa"],
)
def test_registry_hosts(hosts: str) -> None:
    assert registry_hosts({"VIP_CFGCENTER_ZK_CONNECTION": hosts}) == hosts


@pytest.mark.parametrize(
    "hosts", [None, "", "zk-1", "zk-1:2181,", "zk-1:2181 zk-2:2181", "a:99999"]
)
def test_unusable_registry_hosts_are_named(hosts: str | None) -> None:
    environ = {} if hosts is None else {"VIP_CFGCENTER_ZK_CONNECTION": hosts}
    with pytest.raises(SettingError, match="VIP_CFGCENTER_ZK_CONNECTION"):
        registry_hosts(environ)


@pytest.mark.parametrize(
    ("text", "is_endpoint"),
    [
        ("10.0.0.1:1080", True),
        ("10.0.0.1", False),
        ("web-1:1080", False),
        ("10.0.0.1:0", False),
        ("10.0.0.1:+80", False),
        ("::1:1080", False),
    ],
)
def test_endpoint(text: str, is_endpoint: bool) -> None:
    if is_endpoint:
        assert str(Endpoint.parse(text)) == text
    else:
        with pytest.raises(ValueError):
            Endpoint.parse(text)


def test_it_listens_at_its_own_address_or_behind_a_published_port() -> None:
    own = Endpoint("127.0.0.1", 1085)
    of_the_host = Endpoint("198.51.100.1", 1085)
    assert listen_endpoints(own, 1080) == [own]
    assert listen_endpoints(of_the_host, 1080) == [Endpoint("0.0.0.0", 1080)]


@pytest.mark.parametrize("services", ["a,,b", "A", "a b", "a,a", "-a", "a/b"])
def test_unusable_services_are_named(services: str) -> None:
    environ = {
        "EXPORT_IP": "127.0.0.1",
        "VIP_CFGCENTER_ZK_CONNECTION": "zk-1:2181",
        "OSP_SERVICES": services,
        "OSP_LOGS_DIR": "logs",
        "OSP_DATA_DIR": "data",
    }
    with pytest.raises(SettingError, match="OSP_SERVICES"):
        Settings.read(environ)
