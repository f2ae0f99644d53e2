"""What the parts accept from their environment, and what they say about the rest."""

import socket
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
        ({"EXPORT_IP": "2001:DB8:0::1"}, "[2001:db8::1]:1080"),
        ({"EXPORT_IP": "198.18.0.11", "EXPORT_NETWORK": "bridge"}, "198.18.0.11:1080"),
        ({"EXPORT_IP": "127.0.0.1", "EXPORT_NETWORK": "host"}, "127.0.0.1:1080"),
        ({"EXPORT_IP": "::1", "EXPORT_NETWORK": "host"}, "[::1]:1080"),
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
        ({"EXPORT_IP": "::"}, "EXPORT_IP is '::'"),
        ({"EXPORT_IP": "ff02::1"}, "EXPORT_IP is 'ff02::1'"),
        ({"EXPORT_IP": "fe80::1%eth0"}, "EXPORT_IP is 'fe80::1%eth0'"),
        ({"EXPORT_IP": "::ffff:10.0.0.1"}, "EXPORT_IP is '::ffff:10.0.0.1'"),
        ({"EXPORT_IP": "[::1]"}, "EXPORT_IP is '[::1]'"),
        ({"EXPORT_IP": "198.18.0.11", "EXPORT_NETWORK": "host"}, "EXPORT_IP is '198.18.0.11'"),
        ({"EXPORT_IP": "2001:db8::9", "EXPORT_NETWORK": "host"}, "EXPORT_IP is '2001:db8::9'"),
        ({"EXPORT_IP": "10.0.0.1", "EXPORT_NETWORK": "none"}, "EXPORT_NETWORK is 'none'"),
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
        ("[::1]:1080", True),
        ("[fe80::1%eth0]:1080", False),
        ("[10.0.0.1]:1080", False),
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
    assert listen_endpoints(Endpoint("::1", 1085), 1080) == [Endpoint("::1", 1085)]
    assert listen_endpoints(Endpoint("2001:db8::1", 1085), 1080) == [Endpoint("::", 1080)]


@pytest.fixture
def own_address() -> str:
    """An address of this machine that is not a loopback's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.18.0.1", 1))
        except OSError:
            pytest.skip("this machine has no route")
        return str(probe.getsockname()[0])


def test_on_the_hosts_network_the_loopback_serves_local_checks(own_address: str) -> None:
    environ = {"EXPORT_IP": own_address, "EXPORT_NETWORK": "host"}
    export = export_endpoint(environ, 1085)
    assert listen_endpoints(export, 1080) == [export, Endpoint("127.0.0.1", 1085)]


@pytest.mark.parametrize("services", ["a,,b", "A", "a b", "a,a", "-a", "a/b", "a=", "a=/x/{port}"])
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


def proxy_settings(**variables: str) -> Settings:
    return Settings.read(
        {
            "EXPORT_IP": "127.0.0.1",
            "VIP_CFGCENTER_ZK_CONNECTION": "[2001:db8::2]:2181",
            "OSP_LOGS_DIR": "logs",
            "OSP_DATA_DIR": "data",
            **variables,
        }
    )


def test_services_by_their_layouts() -> None:
    found = proxy_settings(OSP_SERVICES="orders, hello=/services/hello/{address}_{port}").services
    assert {name: layout.folder for name, layout in found.items()} == {
        "orders": "/osp/services/orders/engines",
        "hello": "/services/hello",
    }


@pytest.mark.parametrize("path", ["/healthz", "/a/b?c=d&e=f", "tcp"])
def test_health_check(path: str) -> None:
    assert proxy_settings(OSP_HEALTH_CHECK=path).health_check == path


@pytest.mark.parametrize("path", ["healthz", "/a b", "/%[src]", '/"', "http"])
def test_an_unusable_health_check_is_named(path: str) -> None:
    with pytest.raises(SettingError, match="OSP_HEALTH_CHECK"):
        proxy_settings(OSP_HEALTH_CHECK=path)
