"""What the proxy's agent decides, without HAProxy."""

from dataclasses import replace
from pathlib import Path

import pytest
from osp_common import last_known, logs
from osp_common.registry import Layout
from osp_common.settings import Endpoint
from osp_proxy import haproxy_config, names, reconcile, runtime_api
from osp_proxy.engine_list import EngineList
from osp_proxy.runtime_api import Server, parse_servers
from osp_proxy.settings import Settings

A, B, C, D = (f"198.18.0.{number}:1080" for number in (11, 12, 13, 14))
V6 = "[2001:db8::1]:1080"


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
            [A, C], [server(A), server(B)], [f"disable server sayhello/{B}", *added(C)], id="swap"
        ),
        pytest.param(
            [C], [server(B)], [*added(C), f"disable server sayhello/{B}"], id="never nobody"
        ),
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


def engines(*names: str, **more: object) -> EngineList:
    everyone = frozenset(names)
    return EngineList(kept=everyone, listed=everyone, is_connected=True, was_read=True, **more)


@pytest.mark.parametrize(
    ("before", "reading", "kept", "listed", "is_stale", "is_alarmed"),
    [
        pytest.param({A, B}, {A, B}, {A, B}, {A, B}, False, False, id="the same"),
        pytest.param({A, B}, {A}, {A}, {A}, False, False, id="one has left"),
        pytest.param({A, B, C, D}, {A, B}, {A, B}, {A, B}, False, False, id="half have left"),
        pytest.param({A, B, C}, {A}, {A, B, C}, {A}, True, True, id="most have left at once"),
        pytest.param({A, B}, set(), {A, B}, set(), True, True, id="all, likewise"),
        pytest.param({A, B}, {C}, {A, B, C}, {C}, True, True, id="all, for another"),
        pytest.param({A}, set(), {A}, set(), True, False, id="a single one is kept, no more"),
        pytest.param({A}, {B}, {B}, {B}, False, False, id="a single one, for another"),
        pytest.param({A, B}, None, {A, B}, {A, B}, True, False, id="the registry is away"),
    ],
)
def test_engine_list(before, reading, kept, listed, is_stale, is_alarmed) -> None:
    after = engines(*before).after(None if reading is None else frozenset(reading))
    assert (after.kept, after.listed, after.is_stale) == (kept, listed, is_stale)
    assert (after.alarm is not None) == is_alarmed


def test_the_alarm_says_how_many_of_how_many() -> None:
    after = engines(A, B, C, D).after(frozenset({A}))
    assert after.alarm == (
        "3 of 4 engines left the registry at once; kept while their health checks pass"
    )
    assert after.held == {B, C, D}


@pytest.mark.parametrize(("pause_s", "kept"), [(0.01, {A, B, C, D}), (1.5, {D})])
def test_the_registry_ends_sessions_one_by_one(pause_s: float, kept: set[str]) -> None:
    after = engines(A, B, C, D)
    for number, left in enumerate(({B, C, D}, {C, D}, {D})):
        after = after.after(frozenset(left), now=100 + number * pause_s)
    assert after.kept == kept


def test_an_alarm_ends_when_all_are_registered_again_or_marked() -> None:
    held = engines(A, B, C).after(frozenset())
    partly = held.after(frozenset({A, B}))
    assert (partly.kept, partly.held, partly.alarm) == ({A, B, C}, {C}, held.alarm)
    for over in (partly.after(frozenset({A, B, C})), partly.after(frozenset({A, B}), {C})):
        assert (over.held, over.alarm) == (frozenset(), None)


def failing(engine_list: EngineList, failed: set[str], up: set[str]) -> frozenset[str]:
    return engine_list.after_checks(frozenset(up), frozenset(failed)).kept


def test_who_leaves_while_most_are_held_is_held_with_them() -> None:
    one_by_one = engines(A, B, C)
    for number, left in enumerate(({B, C}, {C}, set())):
        one_by_one = one_by_one.after(frozenset(left), now=number / 10)
    assert one_by_one.kept == {A, B, C}
    assert one_by_one.alarm


def test_who_is_held_goes_by_the_health_checks_alone() -> None:
    held = engines(A, B, C).after(frozenset({A}))
    assert failing(held, set(), {A, B, C}) == {A, B, C}
    assert failing(held, {B}, {A, C}) == {A, C}
    assert failing(held, {B, C}, {A}) == {A}
    assert failing(held, {A, B, C}, set()) == {A, B, C}, "nobody else is up"
    assert failing(held.after(None), {B}, {A, C}) == {A, B, C}, "the registry can't be read"
    assert failing(engines(A, B), {B}, {A}) == {A, B}, "who is listed stays"
    assert held.after_checks(frozenset({A}), frozenset({B, C})).alarm is None


@pytest.mark.parametrize(
    ("listed", "marked", "kept", "in_traffic"),
    [
        pytest.param({A, B}, {B}, {A, B}, {A}, id="it knows nothing of marks"),
        pytest.param({A}, {B}, {A}, {A}, id="it has left"),
        pytest.param({A}, {B, C}, {A}, {A}, id="most have left, with marks"),
        pytest.param({A, B, C}, {A, B, C}, {A, B, C}, {A, B, C}, id="all marked: passed over"),
        pytest.param({A, B, C}, {D}, {A, B, C}, {A, B, C}, id="a mark for nobody"),
    ],
)
def test_marks(listed, marked, kept, in_traffic) -> None:
    after = engines(A, B, C).after(frozenset(listed), frozenset(marked))
    assert after.in_traffic == in_traffic
    assert after.kept >= kept and after.alarm is None


def test_the_last_engine_serves_though_it_is_marked_and_has_left() -> None:
    after = engines(A).after(frozenset(), frozenset({A}))
    assert (after.in_traffic, after.alarm) == ({A}, None)


def test_all_that_left_with_marks_raise_no_alarm_when_the_marks_go_first() -> None:
    marked = engines(A, B).after(frozenset(), frozenset({A, B}))
    after = marked.after(frozenset(), frozenset())
    assert (after.in_traffic, after.alarm) == ({A, B}, None)


def test_marks_stay_while_the_registry_is_away() -> None:
    after = engines(A, B).after(frozenset({A, B}), frozenset({B})).after(None)
    assert after.in_traffic == {A}


@pytest.mark.parametrize(
    ("pattern", "node", "engine"),
    [
        ("/x/{address}:{port}", "198.18.0.11:1080", "198.18.0.11:1080"),
        ("/x/{address}:{port}", "[2001:DB8::0:1]:1080", "[2001:db8::1]:1080"),
        ("/x/{address}:{port}", "junk", None),
        ("/x/{address}:{port}", "web-1:1080", None),
        ("/x/{address}:{port}", "198.18.0.11:0", None),
        ("/x/{address}:{port}", "198.18.0.11:70000", None),
        ("/x/{address}_{port}", "198.18.0.11_1080", "198.18.0.11:1080"),
        ("/x/{address}_{port}", "2001:db8::1_1080", "[2001:db8::1]:1080"),
        ("/x/{address}_{port}", "198.18.0.11:1080", None),
        ("/x/{port}@{address}.up", "1080@198.18.0.11.up", "198.18.0.11:1080"),
        ("/x/{port}@{address}.up", "1080@198.18.0.11xup", None),
    ],
)
def test_layout(pattern: str, node: str, engine: str | None) -> None:
    found = Layout.parse(pattern).engines(frozenset({node}))
    assert found == ({engine} if engine else set())


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "/x",
        "/x/{address}",
        "x/{address}:{port}",
        "/{address}:{port}",
        "/{address}/{port}",
        "/x/{address}{port}{port}",
        "/x//{address}:{port}",
        "/../{address}:{port}",
    ],
)
def test_an_unusable_layout(pattern: str) -> None:
    with pytest.raises(ValueError):
        Layout.parse(pattern)


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


def settings(
    retries: int = 2,
    services: tuple[str, ...] = ("sayhello",),
    health_check: str = "/healthz",
) -> Settings:
    return Settings(
        export=Endpoint("198.18.0.11", 2080),
        listen=[Endpoint("198.18.0.11", 2080), Endpoint("127.0.0.1", 2080)],
        status_listen=[Endpoint("198.18.0.11", 2081)],
        services={name: Layout.of(name) for name in services},
        health_check=health_check,
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


@pytest.mark.parametrize(("engine", "server"), [(A, A), (V6, "2001:db8::1:1080")])
def test_an_engines_name_in_haproxy(engine: str, server: str) -> None:
    assert names.server_name(engine) == server
    assert names.engine_name(server) == engine


@pytest.mark.parametrize(
    ("health_check", "asked"),
    [
        ("/healthz", "/healthz?engine="),
        ("/health?deep=1", "/health?deep=1&engine="),
        ("tcp", None),
    ],
)
def test_the_health_check_asks_who_is_there(health_check: str, asked: str | None) -> None:
    lines = config_lines(settings(health_check=health_check))
    sent = [line for line in lines if line.startswith("http-check send")]
    assert ("option httpchk" in lines) == (asked is not None)
    assert [f'uri-lf "{asked}%[srv_name' in line for line in sent] == ([True] if asked else [])


def test_many_commands_go_in_lines_that_haproxy_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(runtime_api, "execute", lambda _path, line: lines.append(line) or "")
    commands = [f"enable server sayhello/198.18.0.11:{port}" for port in range(1000, 2000)]
    runtime_api.execute_all(Path("socket"), commands)
    assert ";".join(lines).split(";") == commands
    assert max(map(len, lines)) <= 8000 and len(lines) < 10


def test_a_log_of_blocks_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_FILE_BYTES", 100)
    log = logs.BlockLog(tmp_path / "access.log")
    for number in range(20):
        log.write(b"%039d\n" % number)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["access.log", *(f"access.log.{n}" for n in "1234")]
    assert all(file.stat().st_size == 80 for file in files)


def test_a_log_that_cannot_be_written_costs_only_the_log(tmp_path: Path) -> None:
    logs.BlockLog(tmp_path / "absent/access.log").write(b"x\n")
