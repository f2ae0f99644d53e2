"""What the proxy's agent decides, without HAProxy."""

from dataclasses import replace
from pathlib import Path

import pytest
from osp_common import last_known
from osp_common.settings import Endpoint
from osp_proxy import haproxy_config, reconcile
from osp_proxy.engine_list import EngineList
from osp_proxy.runtime_api import Server, parse_servers
from osp_proxy.settings import Settings

A, B = "198.18.0.11:1080", "198.18.0.12:1080"


def server(name: str, status: str = "UP", in_flight: int = 0) -> Server:
    return Server(name=name, status=status, in_flight=in_flight, served=0)


def added(name: str) -> list[str]:
    return [
        f"add server sayhello/{name} {name} {haproxy_config.SERVER_OPTIONS}",
        f"enable health sayhello/{name}",
        f"enable server sayhello/{name}",
    ]


@pytest.mark.parametrize(
    ("wanted", "servers", "commands"),
    [
        pytest.param([], [], [], id="nothing"),
        pytest.param([A], [server(A)], [], id="as wanted"),
        pytest.param([A], [server(A, "DOWN")], [], id="down is a health check's business"),
        pytest.param([A], [server(A, "UP 1/2")], [], id="going down, likewise"),
        pytest.param([A], [], added(A), id="new"),
        pytest.param([B, A], [], added(A) + added(B), id="several, sorted"),
        pytest.param([A], [server(A), server(B)], [f"disable server sayhello/{B}"], id="gone"),
        pytest.param(
            [A], [server(A), server(B, "DOWN")], [f"disable server sayhello/{B}"], id="gone, down"
        ),
        pytest.param([A], [server(A), server(B, "MAINT", in_flight=1)], [], id="gone, in flight"),
        pytest.param(
            [A], [server(A), server(B, "MAINT")], [f"del server sayhello/{B}"], id="gone, idle"
        ),
        pytest.param(
            [A], [server(A, "MAINT", in_flight=1)], [f"enable server sayhello/{A}"], id="back"
        ),
    ],
)
def test_plan(wanted: list[str], servers: list[Server], commands: list[str]) -> None:
    assert reconcile.plan("sayhello", frozenset(wanted), servers) == commands


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("UP", "up"),
        ("UP 1/2", "up"),
        ("DOWN", "down"),
        ("DOWN 1/2", "down"),
        ("MAINT", "draining"),
    ],
)
def test_state(status: str, state: str) -> None:
    assert server(A, status).state == state


@pytest.mark.parametrize(
    ("check", "state"),
    [("L7OK", "up"), ("* L7OK", "up"), ("INI", "down"), ("* INI", "down"), ("L7STS", "down")],
)
def test_an_engine_is_up_only_when_its_last_check_has_passed(check: str, state: str) -> None:
    assert replace(server(A), check=check).state == state


def test_parse_servers() -> None:
    """The columns that matter, among others, as HAProxy 2.6 prints them."""
    stat = (
        "# pxname,svname,qcur,scur,stot,status,check_status,\n"
        f"sayhello,{A},0,2,40,UP 1/2,* L4TOUT,\n"
        f"sayhello,{B},0,0,7,MAINT,INI,\n"
    )
    assert parse_servers(stat) == [
        Server(name=A, status="UP 1/2", in_flight=2, served=40, check="* L4TOUT"),
        Server(name=B, status="MAINT", in_flight=0, served=7, check="INI"),
    ]
    assert parse_servers("") == []


KNOWN = EngineList(kept=frozenset({A, B}), listed=frozenset({A, B}), is_connected=True)


@pytest.mark.parametrize(
    ("reading", "kept", "listed", "is_stale"),
    [
        pytest.param({A, B}, {A, B}, {A, B}, False, id="the same"),
        pytest.param({A}, {A}, {A}, False, id="one has left"),
        pytest.param(set(), {A, B}, set(), True, id="an empty list wipes nobody"),
        pytest.param(None, {A, B}, {A, B}, True, id="nor does a registry that is away"),
        pytest.param({A, "web-1:1080", "junk"}, {A}, {A}, False, id="other names are passed over"),
        pytest.param({"junk"}, {A, B}, set(), True, id="junk alone is an empty list"),
    ],
)
def test_engine_list(
    reading: set[str] | None, kept: set[str], listed: set[str], is_stale: bool
) -> None:
    after = KNOWN.after(None if reading is None else frozenset(reading))
    assert (after.kept, after.listed, after.is_stale) == (kept, listed, is_stale)


def test_a_list_from_a_file_is_stale_until_the_registry_confirms_it() -> None:
    loaded = EngineList(kept=frozenset({A}))
    assert loaded.is_stale
    assert not loaded.after(frozenset({A})).is_stale


def test_a_known_list_outlives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "engines.json"
    last_known.save(path, {"sayhello": frozenset({A, B})})
    assert last_known.load(path) == {"sayhello": {A, B}}
    assert [file.name for file in tmp_path.iterdir()] == ["engines.json"]


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"sayhello": 1}'])
def test_a_known_list_that_cannot_be_read_is_none(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "engines.json"
    if content is not None:
        path.write_text(content)
    assert last_known.load(path) == {}


def settings(retries: int = 2, services: tuple[str, ...] = ("sayhello",)) -> Settings:
    return Settings(
        export=Endpoint("198.18.0.11", 2080),
        listen=[Endpoint("198.18.0.11", 2080), Endpoint("127.0.0.1", 2080)],
        status_listen=[Endpoint("198.18.0.11", 2081)],
        services=list(services),
        retries=retries,
        registry_hosts="zk-1:2181",
        session_timeout_s=6,
        stop_grace_s=8,
        logs=Path("logs"),
        data=Path("data"),
    )


def config_lines(settings: Settings, **engines: set[str]) -> list[str]:
    known = {name: frozenset(engines.get(name, ())) for name in settings.services}
    text = haproxy_config.render(settings, Path("data/haproxy.sock"), known)
    return [line.strip() for line in text.splitlines()]


def test_it_listens_where_it_is_told() -> None:
    lines = config_lines(settings())
    assert [line for line in lines if line.startswith("bind")] == [
        "bind 198.18.0.11:2080",
        "bind 127.0.0.1:2080",
    ]


@pytest.mark.parametrize(
    ("retries", "expected"),
    [
        (0, ["retries 3", "retry-on conn-failure"]),
        (1, ["retries 1", "retry-on conn-failure empty-response junk-response response-timeout"]),
        (2, ["retries 2", "retry-on conn-failure empty-response junk-response response-timeout"]),
    ],
)
def test_retries(retries: int, expected: list[str]) -> None:
    lines = config_lines(settings(retries))
    assert [line for line in lines if line.startswith("retr")] == expected
    assert "http-request disable-l7-retry unless METH_GET" in lines


def test_known_engines_are_there_from_the_start() -> None:
    lines = config_lines(settings(), sayhello={B, A})
    assert [line for line in lines if line.startswith("server ")] == [
        f"server {A} {A} {haproxy_config.SERVER_OPTIONS}",
        f"server {B} {B} {haproxy_config.SERVER_OPTIONS}",
    ]


def test_every_service_has_its_path_and_its_backend() -> None:
    lines = config_lines(settings(services=("sayhello", "orders")))
    assert "use_backend orders if { path,field(2,/) -m str orders }" in lines
    assert [line for line in lines if line.startswith("backend")] == [
        "backend sayhello",
        "backend orders",
    ]
