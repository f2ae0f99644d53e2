from __future__ import annotations

from typing import Any

import pytest
from pyinfra.api import Host, Inventory

from roles.run.wanted import validated
from tests.unit.build import data

GROUPS = ("registry", "engine", "proxy", "sdk")
NO_WISH = (
    "expected 'auto', an address, the name of an interface, or a network such as '10.1.0.0/16'"
)
UNREACHABLE = "expected an address that other hosts reach"
KNOWN = (
    "expected one of: access, action, docker_engine, drain, drift, export_ip, export_ip_nat, "
    "host_check, host_list, host_setup, images, logs, proxy, purge, registry, release, rollout, "
    "sdk, soa_engine, unpin, verify_report"
)


def host(given: dict[str, Any], *groups: str) -> Host:
    inventory = Inventory((["app-1"], given), **{group: (["app-1"], {}) for group in groups})
    return inventory.get_host("app-1")


def problems(given: dict[str, Any], *groups: str) -> list[str]:
    found, wrong = validated(host(given, *groups))
    assert (found is None) == bool(wrong)
    return [str(problem) for problem in wrong]


def with_value(path: str, value: Any) -> dict[str, Any]:
    """Valid data, with one value at `a.b.c` changed."""
    given = data()
    place: dict[str, Any] = given
    *above, key = path.split(".")
    for step in above:
        place = place.setdefault(step, {})
    place[key] = value
    return given


def without(path: str) -> dict[str, Any]:
    given = data()
    place: dict[str, Any] = given
    *above, key = path.split(".")
    for step in above:
        place = place[step]
    del place[key]
    return given


def test_valid_data() -> None:
    found, wrong = validated(host(data(), "engine", "proxy", "registry", "sdk"))
    assert wrong == []
    assert found
    assert found.soa_engine
    assert (found.soa_engine.container, found.soa_engine.port) == ("engine", 1080)
    assert found.part("registry") is found.registry.server
    assert found.part("soa_engine") is found.soa_engine
    assert found.part("proxy") is found.proxy
    assert found.part("sdk") is found.sdk


def test_nothing_need_be_said() -> None:
    found, wrong = validated(host({}))
    assert wrong == []
    assert found
    assert found.export_ip == "auto"
    assert found.part("registry") is None
    assert found.part("soa_engine") is None


@pytest.mark.parametrize("address", ["auto", "198.18.0.11"])
def test_an_address_to_export(address: str) -> None:
    found, _ = validated(host({"export_ip": address}))
    assert found
    assert found.export_ip == address


def test_what_pyinfra_itself_reads_is_left_to_it() -> None:
    given = {
        "ssh_hostname": "198.18.0.11",
        "ssh_user": "root",
        "ssh_key": "id",
        "ssh_port": 22,
        "ssh_known_hosts_file": "known_hosts",
        "ssh_strict_host_key_checking": "yes",
        "_sudo": True,
        "_sudo_password": "secret",
    }
    assert problems({**data(), **given}) == []


@pytest.mark.parametrize("key", ["_retries", "_ignore_errors", "_serial"])
def test_what_would_go_on_past_a_failed_step_is_refused(key: str) -> None:
    (problem,) = problems({**data(), key: 1})
    assert problem.startswith(f"app-1: {key}: unknown key")


@pytest.mark.parametrize(
    "path, value, text",
    [
        ("soa_enigne", {}, f"app-1: soa_enigne: unknown key; {KNOWN}"),
        ("max_unreachable", 1, f"app-1: max_unreachable: unknown key; {KNOWN}"),
        (
            "rollout.batches",
            2,
            "app-1: rollout.batches: unknown key; expected one of: batch, canary, lease_s, "
            "limit_s, max_failures, max_unreachable, on_failure, pause_s",
        ),
        (
            "registry.conection",
            "zk:2181",
            "app-1: registry.conection: unknown key; expected one of: connection, server",
        ),
        (
            "soa_engine.logs.hots",
            "/x",
            "app-1: soa_engine.logs.hots: unknown key; expected one of: container, host",
        ),
        (
            "soa_engine.drain",
            {"signal": "SIGUSR1", "timeout": 3},
            "app-1: soa_engine.drain.timeout: unknown key; expected one of: by, signal, "
            "timeout_s, undrain_signal",
        ),
        (
            "drift.ignore",
            [{"path": "*", "reason": "x", "until": "2027-01-31", "hosts": "app-1"}],
            "app-1: drift.ignore.0.hosts: unknown key; expected one of: host, path, reason, role, "
            "until",
        ),
        (
            "proxy.status.portt",
            1,
            "app-1: proxy.status.portt: unknown key; expected one of: path, port",
        ),
        (
            "docker_engine.sorce",
            "distro",
            "app-1: docker_engine.sorce: unknown key; expected one of: allow_downgrade, config, "
            "files, hold, install_timeout_s, lock_timeout_s, proxy, script, source, "
            "start_timeout_s, vendor, version",
        ),
    ],
)
def test_an_unknown_key(path: str, value: Any, text: str) -> None:
    assert problems(with_value(path, value)) == [text]


@pytest.mark.parametrize(
    "path, value, text",
    [
        ("soa_engine.port", "1080", "input should be a valid integer, found '1080'"),
        ("soa_engine.port", True, "input should be a valid integer, found True"),
        ("soa_engine.port", 1080.5, "input should be a valid integer, found 1080.5"),
        ("soa_engine.port", 0, "input should be greater than or equal to 1, found 0"),
        ("soa_engine.port", 65536, "input should be less than or equal to 65535, found 65536"),
        (
            "soa_engine.network",
            "none",
            "expected 'bridge', 'host', or the name of a network of the host, found 'none'",
        ),
        ("soa_engine.stop_timeout_s", 0, "input should be greater than or equal to 1, found 0"),
        ("soa_engine.memory_mb", 8, "input should be greater than or equal to 16, found 8"),
        ("soa_engine.pids", 1, "input should be greater than or equal to 8, found 1"),
        ("soa_engine.user", "app", "expected 'UID:GID' in numbers, found 'app'"),
        ("soa_engine.user", "10080", "expected 'UID:GID' in numbers, found '10080'"),
        ("soa_engine.user", "app:10080", "expected 'UID:GID' in numbers, found 'app:10080'"),
        ("soa_engine.user", "10080:app", "expected 'UID:GID' in numbers, found '10080:app'"),
        ("soa_engine.user", 10080, "input should be a valid string, found 10080"),
        (
            "soa_engine.logs.host",
            "apps/logs",
            "expected an absolute path without '..', ':' or '|', found 'apps/logs'",
        ),
        (
            "soa_engine.logs.host",
            "/apps/../etc",
            "expected an absolute path without '..', ':' or '|', found '/apps/../etc'",
        ),
        (
            "soa_engine.logs.container",
            "/logs:ro",
            "expected an absolute path without '..', ':' or '|', found '/logs:ro'",
        ),
        (
            "soa_engine.container",
            "--privileged",
            "expected one word that does not start with '-', found '--privileged'",
        ),
        (
            "soa_engine.container",
            "an engine",
            "expected one word that does not start with '-', found 'an engine'",
        ),
        ("soa_engine.container", "", "string should have at least 1 character, found ''"),
        (
            "soa_engine.environment",
            {"A": 1},
            "input should be a valid string",
        ),
        (
            "soa_engine.environment",
            {"A-B": "x"},
            "'A-B' is no name of an environment variable",
        ),
        (
            "soa_engine.environment",
            {"A=B": "x"},
            "'A=B' is no name of an environment variable",
        ),
        (
            "soa_engine.environment",
            {"#A": "x"},
            "'#A' is no name of an environment variable",
        ),
        ("export_ip", "10.0.0.999", f"{NO_WISH}, found '10.0.0.999'"),
        ("export_ip", "2001:db8::g", f"{NO_WISH}, found '2001:db8::g'"),
        ("export_ip", "", f"{NO_WISH}, found ''"),
        ("export_ip", "eth 1", f"{NO_WISH}, found 'eth 1'"),
        ("export_ip", "fe80::1", f"{UNREACHABLE}, found 'fe80::1'"),
        ("export_ip", "127.0.0.1", f"{UNREACHABLE}, found '127.0.0.1'"),
        ("export_ip", "0.0.0.0", f"{UNREACHABLE}, found '0.0.0.0'"),
        ("export_ip", "ff02::1", f"{UNREACHABLE}, found 'ff02::1'"),
        ("export_ip", "2001:db8::1%eth0", f"{UNREACHABLE}, found '2001:db8::1%eth0'"),
        (
            "export_ip",
            "::ffff:10.0.0.5",
            f"{UNREACHABLE}, found '::ffff:10.0.0.5'; write 10.0.0.5",
        ),
        (
            "export_ip",
            "10.1.2.3/16",
            "expected the network '10.1.0.0/16' or the address '10.1.2.3', found '10.1.2.3/16'",
        ),
        (
            "export_ip",
            "10.1.0.0/33",
            "expected a network such as '10.1.0.0/16', found '10.1.0.0/33'",
        ),
        (
            "export_ip_nat",
            True,
            "says that a router translates the address of export_ip; expected an address there, "
            "found 'auto'",
        ),
        ("rollout.max_unreachable", -1, "input should be greater than or equal to 0, found -1"),
        ("rollout.max_failures", -1, "input should be greater than or equal to 0, found -1"),
        ("rollout.pause_s", 86401, "input should be less than or equal to 86400, found 86401"),
        ("rollout.limit_s", 0, "input should be greater than or equal to 1, found 0"),
        ("rollout.on_failure", "undo", "input should be 'stop' or 'rollback', found 'undo'"),
        ("rollout.canary", 1, "input should be a valid boolean, found 1"),
        (
            "docker_engine.source",
            "pip",
            "input should be 'files', 'vendor', 'distro', 'script' or 'present', found 'pip'",
        ),
        ("registry.server.heap_mb", 8, "input should be greater than or equal to 64, found 8"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_value(path: str, value: Any, text: str) -> None:
    (problem,) = problems(with_value(path, value))
    key = f"{path}.A" if value == {"A": 1} else path
    assert problem == f"app-1: {key}: {text}"


@pytest.mark.parametrize(
    "character", ["\n", "\r", "\0"], ids=["line-feed", "carriage-return", "null"]
)
def test_a_variable_that_docker_could_not_pass_on(character: str) -> None:
    given = with_value("soa_engine.environment", {"GREETING": f"hello{character}"})
    assert problems(given) == [
        "app-1: soa_engine.environment: the value of 'GREETING' has a line break, "
        "which Docker can't pass on"
    ]


@pytest.mark.parametrize(
    "value", ["", " ", "a=b", "$HOME", "'\"`", "# no comment", "ü\u2028", "a\tb"]
)
def test_a_variable_may_be_anything_else(value: str) -> None:
    assert problems(with_value("soa_engine.environment", {"GREETING": value})) == []


@pytest.mark.parametrize("secret", ["secret\n", 5, ["secret"], None], ids=str)
def test_no_problem_shows_a_variables_value(secret: Any) -> None:
    given = with_value("soa_engine.environment", {"PASSWORD": secret, "ALSO": "secret"})
    (problem,) = problems(given)
    assert "secret" not in problem


@pytest.mark.parametrize("path", ["/a|b", "/a\nb", "/a\x1bb"], ids=["bar", "line", "escape"])
def test_a_path_that_the_probe_could_not_tell(path: str) -> None:
    assert len(problems(with_value("soa_engine.logs.host", path))) == 1


@pytest.mark.parametrize(
    "given, path", [("/apps/logs/", "/apps/logs"), ("/", "/"), ("/a..b/c", "/a..b/c")]
)
def test_a_path(given: str, path: str) -> None:
    found, _ = validated(host(with_value("soa_engine.logs.host", given)))
    assert found
    assert found.soa_engine
    assert found.soa_engine.logs.host == path


@pytest.mark.parametrize(
    "connection",
    [
        "zk-1",
        "zk-1:2181,",
        ",zk-1:2181",
        "zk-1:2181, zk-2:2181",
        "zk-1:2181/chroot",
        "zk-1:a",
        "zk-1:0",
        "zk-1:65536",
        "[zk-1]:2181",
        "[198.18.0.31]:2181",
        "[fe80:1%eth0]:2181",
        "",
    ],
)
def test_a_bad_connection_string(connection: str) -> None:
    (problem,) = problems(with_value("registry.connection", connection))
    assert problem == (
        f"app-1: registry.connection: expected 'host:port,host:port,...', found '{connection}'"
    )


def test_an_address_of_ipv6_needs_brackets() -> None:
    (problem,) = problems(with_value("registry.connection", "2001:db8::1:2181"))
    assert problem == (
        "app-1: registry.connection: expected 'host:port,host:port,...', found '2001:db8::1:2181'; "
        "write an address of IPv6 as '[2001:db8::1]:2181'"
    )


@pytest.mark.parametrize(
    "connection",
    [
        "zk-1:2181",
        "198.18.0.31:2181,zk_2.example:2182",
        "[2001:db8::1]:2181,zk-2:2181,[2001:db8::2]:2182",
        None,
    ],
)
def test_a_good_connection_string(connection: str | None) -> None:
    assert problems(with_value("registry.connection", connection)) == []


@pytest.mark.parametrize(
    "path, text",
    [
        ("soa_engine.port", "field required; set it in group_data or in the inventory"),
        ("soa_engine.logs", "field required; set it in group_data or in the inventory"),
        ("proxy.image.context", "field required; set it in group_data or in the inventory"),
        ("registry.server.data", "field required; set it in group_data or in the inventory"),
    ],
)
def test_a_value_that_is_missing(path: str, text: str) -> None:
    assert problems(without(path), *GROUPS) == [f"app-1: {path}: {text}"]


@pytest.mark.parametrize("path", ["soa_engine.port", "proxy.image.context", "registry.server.data"])
def test_a_part_that_the_host_does_not_run_may_be_said_in_part(path: str) -> None:
    found, wrong = validated(host(without(path)))
    assert wrong == []
    assert found
    assert found.part(path.split(".")[0]) is None


def test_a_part_may_be_said_in_part_where_nothing_is_said_of_the_registry() -> None:
    assert problems({"proxy": {"environment": {"OSP_RETRIES": "0"}}}) == []


def test_what_is_said_of_the_registry_stays_without_its_server() -> None:
    given = without("registry.server.data")
    given["registry"]["connection"] = "zk-1.example:2181"
    found, _ = validated(host(given))
    assert found
    assert found.registry.connection == "zk-1.example:2181"


def test_what_is_said_of_a_part_that_the_host_does_not_run_must_be_right() -> None:
    given = without("soa_engine.port")
    given["soa_engine"]["prot"] = 1080
    assert [problem.split(": ")[1] for problem in problems(given)] == [
        "soa_engine.port",
        "soa_engine.prot",
    ]


@pytest.mark.parametrize(
    "group, role",
    [("registry", "registry"), ("engine", "soa_engine"), ("proxy", "proxy"), ("sdk", "sdk")],
)
def test_a_group_whose_part_nothing_describes(group: str, role: str) -> None:
    assert problems(without(role)) == []
    assert problems(without(role), group) == [
        f"app-1: {role}: the host is in the group '{group}', but nothing says what that part is; "
        f"expected a dict '{role}' in group_data/{group}.py"
    ]


def test_every_problem_is_told_at_once() -> None:
    given = with_value("soa_engine.port", "1080")
    given["proxy"]["portt"] = 1
    del given["sdk"]["logs"]
    keys = [problem.split(": ")[1] for problem in problems(given, *GROUPS)]
    assert sorted(keys) == ["proxy.portt", "sdk.logs", "soa_engine.port"]


def test_checks_are_accepted_by_name() -> None:
    assert problems(with_value("host_check.accept", ["clock-skew", "ports"])) == []
    (unknown,) = problems(with_value("host_check.accept", ["clock-scew"]))
    assert unknown.startswith("app-1: host_check.accept.0: expected one of architecture, userland,")
    assert unknown.endswith(", apparmor, found 'clock-scew'")
    (root,) = problems(with_value("host_check.accept", ["ports", "root"]))
    assert root.startswith("app-1: host_check.accept.1: found 'root', which can't be accepted: ")
