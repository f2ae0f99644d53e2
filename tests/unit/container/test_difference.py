"""Every field: wished otherwise, changed by hand, both, taken away; as two Dockers tell it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from roles.container.difference import Difference, differences
from roles.container.options import Health
from roles.container.spec import TO_BE_BUILT, ContainerSpec
from roles.observed import Container
from tests.unit.container.samples import (
    FULL,
    PLAIN,
    RELEASES,
    container,
    edited,
    without_record,
)

BY_HAND = " (changed by hand)"
BOTH = " (changed by hand, and in the data)"
SECOND = 10**9
MIB = 1024 * 1024
ENV = [f"{name}={value}" for name, value in FULL.environment.items()]
HEALTH = FULL.health
assert HEALTH


def lines(**changes: str | None) -> list[str]:
    values = {**FULL.environment, **changes}
    return [f"{name}={value}" for name, value in values.items() if value is not None]


def variables(**changes: str | None) -> dict[str, str]:
    values = {**FULL.environment, **changes}
    return {name: value for name, value in values.items() if value is not None}


def labels(**changes: str | None) -> dict[str, Any]:
    found = dict(container(RELEASES[0], FULL).labels)
    return {n: v for n, v in {**found, **changes}.items() if v is not None}


# Field of the spec; another wish, and its reason; what somebody did, as Docker tells it, and its
# reason with the wish as it was, and with the other wish.
CASES: dict[str, tuple[dict[str, Any], str, dict[str, Any], str, str]] = {
    "image": (
        {"image": "engine:2"},
        "image: engine:1 -> engine:2",
        {"Config.Image": "other:1", "Image": "sha256:0"},
        "image: other:1 -> engine:1",
        "image: other:1 -> engine:2",
    ),
    "entrypoint": (
        {"entrypoint": "/bin/sh"},
        "entrypoint: /bin/env -> /bin/sh",
        {"Config.Entrypoint": ["/bin/bash", "-x"]},
        "entrypoint: /bin/bash -x -> /bin/env",
        "entrypoint: /bin/bash -x -> /bin/sh",
    ),
    "command": (
        {"command": ("sleep", "9")},
        "command: 'WORD=a b' sleep infinity -> sleep 9",
        {"Config.Cmd": ["true"]},
        "command: true -> 'WORD=a b' sleep infinity",
        "command: true -> sleep 9",
    ),
    "a variable that Dockyard tells": (
        {"environment": variables(EXPORT_IP="198.18.0.9")},
        "env EXPORT_IP: 127.0.0.1 -> 198.18.0.9",
        {"Config.Env": lines(EXPORT_IP="172.17.0.2")},
        "env EXPORT_IP: 172.17.0.2 -> 127.0.0.1",
        "env EXPORT_IP: 172.17.0.2 -> 198.18.0.9",
    ),
    "a variable": (
        {"environment": variables(TOKEN="hush-2")},
        "env TOKEN: changed",
        {"Config.Env": lines(TOKEN="hush-3")},
        "env TOKEN: changed",
        "env TOKEN: changed",
    ),
    "a variable taken away": (
        {"environment": variables(OLD=None)},
        "env OLD: removed",
        {"Config.Env": lines(OLD=None)},
        "env OLD: added",
        "",
    ),
    "a variable added": (
        {"environment": variables(NEW="1")},
        "env NEW: added",
        {"Config.Env": lines(NEW="2")},
        "env NEW: removed",
        "env NEW: changed",
    ),
    "a variable of the image's said otherwise": (
        {"environment": variables(GREETING=None)},
        "env GREETING: removed",
        {"Config.Env": lines(GREETING="hello")},
        "env GREETING: added",
        "",
    ),
    "labels": (
        {"labels": {"team": "dev", "vendor": "else"}},
        "label team: ops -> dev",
        {"Config.Labels": labels(team="x")},
        "label team: x -> ops",
        "label team: x -> dev",
    ),
    "a label more": (
        {"labels": {**FULL.labels, "more": "1"}},
        "label more: none -> 1",
        {"Config.Labels": labels(more="2")},
        "label more: 2 -> none",
        "label more: 2 -> 1",
    ),
    "network": (
        {"network": "bridge"},
        "networks: backend -> bridge",
        {"NetworkSettings.Networks": {"backend": {}, "side": {}}},
        "networks: backend,side -> backend",
        "networks: backend,side -> bridge",
    ),
    "publish": (
        {"publish": ()},
        "publish: 127.0.0.1:1080:1080,127.0.0.1:1081:2080 -> none",
        {"HostConfig.PortBindings": {"53/udp": [{"HostIp": "::1", "HostPort": "53"}]}},
        "publish: [::1]:53:53/udp -> 127.0.0.1:1080:1080,127.0.0.1:1081:2080",
        "publish: [::1]:53:53/udp -> none",
    ),
    "volumes": (
        {"volumes": ("kept:/kept",)},
        "volumes: /apps/logs/x:/usr/local/engine/logs,/etc/ssl:/ssl:ro,kept:/kept -> kept:/kept",
        {"HostConfig.Binds": ["/etc/ssl:/ssl:rw,z"]},
        "volumes: /etc/ssl:/ssl:z -> "
        "/apps/logs/x:/usr/local/engine/logs,/etc/ssl:/ssl:ro,kept:/kept",
        "volumes: /etc/ssl:/ssl:z -> kept:/kept",
    ),
    "tmpfs": (
        {"tmpfs": {**FULL.tmpfs, "/scratch": "size=8m"}},
        "tmpfs /scratch: size=16m,mode=1777 -> size=8m",
        {"HostConfig.Tmpfs": {"/scratch": "", "/run": ""}},
        "tmpfs /scratch: '' -> size=16m,mode=1777",
        "tmpfs /scratch: '' -> size=8m",
    ),
    "read_only": (
        {"read_only": False},
        "read_only: yes -> no",
        {"HostConfig.ReadonlyRootfs": False},
        "read_only: no -> yes",
        "",
    ),
    "user": (
        {"user": "1:1"},
        "user: 10081:10081 -> 1:1",
        {"Config.User": "0"},
        "user: 0 -> 10081:10081",
        "user: 0 -> 1:1",
    ),
    "cap_drop": (
        {"cap_drop": ("ALL",)},
        "cap_drop: MKNOD,NET_RAW -> ALL",
        {"HostConfig.CapDrop": None},
        "cap_drop: none -> MKNOD,NET_RAW",
        "cap_drop: none -> ALL",
    ),
    "cap_add": (
        {"cap_add": ("CHOWN", "NET_ADMIN")},
        "cap_add: NET_ADMIN -> CHOWN,NET_ADMIN",
        {"HostConfig.CapAdd": ["CAP_SYS_ADMIN"]},
        "cap_add: SYS_ADMIN -> NET_ADMIN",
        "cap_add: SYS_ADMIN -> CHOWN,NET_ADMIN",
    ),
    "no_new_privileges": (
        {"no_new_privileges": False},
        "no_new_privileges: yes -> no",
        {"HostConfig.SecurityOpt": None},
        "no_new_privileges: no -> yes",
        "",
    ),
    "restart": (
        {"restart": "always"},
        "restart: on-failure:3 -> always",
        {"HostConfig.RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 0}},
        "restart: on-failure -> on-failure:3",
        "restart: on-failure -> always",
    ),
    "cpus": (
        {"cpus": 2},
        "cpus: 0.5 -> 2",
        {"HostConfig.NanoCpus": 1_250_000_000},
        "cpus: 1.25 -> 0.5",
        "cpus: 1.25 -> 2",
    ),
    "pids": (
        {"pids": 128},
        "pids: 64 -> 128",
        {"HostConfig.PidsLimit": 0},
        "pids: none -> 64",
        "pids: none -> 128",
    ),
    "ulimits": (
        {"ulimits": {"nofile": "1024:4096", "core": "0:0"}},
        "ulimit nofile: 1024:2048 -> 1024:4096",
        {"HostConfig.Ulimits": [{"Name": "core", "Hard": 0, "Soft": 0}]},
        "ulimit nofile: none -> 1024:2048",
        "ulimit nofile: none -> 1024:4096",
    ),
    "health": (
        {"health": Health(command="none")},
        "health: command test -e /etc, interval_s 20, timeout_s 30, retries 2, start_period_s 1 "
        "-> none",
        {"Config.Healthcheck": {"Test": ["CMD", "true"], "Retries": 3}},
        "health: command true, interval_s 0, timeout_s 0, retries 3, start_period_s 0 -> "
        "command test -e /etc, interval_s 20, timeout_s 30, retries 2, start_period_s 1",
        "health: command true, interval_s 0, timeout_s 0, retries 3, start_period_s 0 -> none",
    ),
    "log_driver": (
        {"log_driver": "local"},
        "log_driver: json-file -> local",
        {"HostConfig.LogConfig": {"Type": "journald", "Config": FULL.log_options}},
        "log_driver: journald -> json-file",
        "log_driver: journald -> local",
    ),
    "log_options": (
        {"log_options": {"max-size": "20m", "max-file": "3"}},
        "log option max-size: 10m -> 20m",
        {"HostConfig.LogConfig": {"Type": "json-file", "Config": {"max-file": "3"}}},
        "log option max-size: none -> 10m",
        "log option max-size: none -> 20m",
    ),
    "stop_timeout_s": (
        {"stop_timeout_s": 40},
        "stop_timeout_s: 7 -> 40",
        {"Config.StopTimeout": 1},
        "stop_timeout_s: 1 -> 7",
        "stop_timeout_s: 1 -> 40",
    ),
}
ELSEWHERE = {"memory_mb", "image_id", "environment"}
"""Fields with tests of their own below, or with several lines above."""


def told(spec: ContainerSpec, found: Container) -> list[str]:
    return [str(difference) for difference in differences(spec, found)]


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    given: str = request.param
    return given


@pytest.fixture
def full(release: str) -> Container:
    return container(release, FULL)


def test_a_container_is_what_it_was_made_from(release: str) -> None:
    for spec in (PLAIN, FULL):
        assert differences(spec, container(release, spec)) == []


def test_no_field_is_left_out() -> None:
    about = {"part", "name", "told"}
    fields = set(ContainerSpec.__dataclass_fields__) - about
    assert fields <= {*CASES, *ELSEWHERE}


@pytest.mark.parametrize("field", CASES)
def test_another_wish(full: Container, field: str) -> None:
    wish, reason, _, _, _ = CASES[field]
    assert told(replace(FULL, **wish), full) == [reason]


@pytest.mark.parametrize("field", CASES)
def test_another_wish_after_which_nothing_differs(release: str, field: str) -> None:
    """What is found once a wish is met would, else, be an endless change."""
    wish = replace(FULL, **CASES[field][0])
    assert told(wish, edited(container(release, FULL), _as_docker_tells(wish))) == []


@pytest.mark.parametrize(
    ("done", "reasons"),
    [
        ({"HostConfig.PidMode": "host"}, ["option pid: host -> none"]),
        ({"HostConfig.IpcMode": "host"}, ["option ipc: host -> none"]),
        (
            {
                "HostConfig.PidMode": "host",
                "HostConfig.SecurityOpt": ["no-new-privileges", "label=disable"],
            },
            ["option pid: host -> none"],
        ),
        ({"HostConfig.CpusetCpus": "0"}, ["option cpuset-cpus: 0 -> none"]),
        ({"HostConfig.CpuShares": 512}, ["option cpu-shares: 512 -> none"]),
        (
            {"HostConfig.Dns": ["198.18.0.9", "198.18.0.8"]},
            ["option dns: 198.18.0.8,198.18.0.9 -> none"],
        ),
        ({"HostConfig.Init": True}, ["option init: yes -> none"]),
        (
            {"HostConfig.SecurityOpt": ["no-new-privileges", "seccomp=unconfined"]},
            ["option security-opt: seccomp=unconfined -> none"],
        ),
        (
            {"HostConfig.MaskedPaths": [], "HostConfig.ReadonlyPaths": []},
            ["option security-opt: systempaths=unconfined -> none"],
        ),
        (
            {"HostConfig.Devices": [{"PathOnHost": "/dev/mem"}]},
            ['option device: [{"PathOnHost": "/dev/mem"}] -> none'],
        ),
        (
            {"HostConfig.Mounts": [{"Type": "tmpfs", "Target": "/x"}]},
            ["tmpfs /x: '' -> none"],
        ),
        ({"Config.Hostname": "mine"}, ["option hostname: mine -> none"]),
        ({"Config.WorkingDir": "/tmp"}, ["option workdir: /tmp -> none"]),
        ({"Config.StopSignal": "SIGKILL"}, ["option stop-signal: SIGKILL -> none"]),
        (
            {"Config.Tty": True, "Config.OpenStdin": True},
            ["option interactive: yes -> none", "option tty: yes -> none"],
        ),
    ],
)
def test_an_option_that_no_wish_names(
    full: Container, done: dict[str, Any], reasons: list[str]
) -> None:
    assert told(FULL, edited(full, done)) == [reason + BY_HAND for reason in reasons]


@pytest.mark.parametrize(
    "told_so",
    [
        {"HostConfig.IpcMode": "shareable"},
        {"HostConfig.MemorySwappiness": -1},
        {"HostConfig.CgroupnsMode": "private"},
        {"HostConfig.ShmSize": 1, "HostConfig.Runtime": "crun"},
        {"HostConfig.Init": False},
        {"HostConfig.Sysctls": {}},
        {"HostConfig.MaskedPaths": None, "HostConfig.ReadonlyPaths": None},
        {
            "HostConfig.NetworkMode": "host",
            "Config.Hostname": "app-1",
            "Config.Domainname": "example",
        },
    ],
)
def test_what_the_engine_decides_is_no_option(full: Container, told_so: dict[str, Any]) -> None:
    assert told(FULL, edited(full, told_so)) == []


@pytest.mark.parametrize("said", ["/srv/app", "//srv/app", "/srv/./app/", "srv/app"])
def test_a_working_directory_that_the_image_says_in_another_way(full: Container, said: str) -> None:
    of_image = {**(full.image_config or {}), "WorkingDir": said}
    found = edited(replace(full, image_config=of_image), {"Config.WorkingDir": "/srv/app"})
    assert told(FULL, found) == []


def test_a_profile_is_told_by_a_sign_of_it(full: Container) -> None:
    options = ["no-new-privileges", 'seccomp={"defaultAction": "SCMP_ACT_ALLOW"}']
    (only,) = told(FULL, edited(full, {"HostConfig.SecurityOpt": options}))
    assert re.fullmatch(r"option security-opt: seccomp=[0-9a-f]{12} -> none \(.*\)", only)


def test_an_option_is_seen_though_the_image_is_not_known(full: Container) -> None:
    unknown = replace(edited(full, {"HostConfig.PidMode": "host"}), image_config=None)
    assert told(FULL, unknown) == ["option pid: host -> none" + BY_HAND]


@pytest.mark.parametrize("field", CASES)
def test_by_hand(full: Container, field: str) -> None:
    _, _, done, reason, _ = CASES[field]
    assert told(FULL, edited(full, done)) == [reason + BY_HAND]


@pytest.mark.parametrize("field", CASES)
def test_by_hand_and_another_wish(full: Container, field: str) -> None:
    wish, _, done, _, reason = CASES[field]
    expected = [reason + BOTH] if reason else []
    assert told(replace(FULL, **wish), edited(full, done)) == expected


@pytest.mark.parametrize(
    "spec, other, reason",
    [
        (FULL, {"entrypoint": None}, "entrypoint: /bin/env -> the image's own"),
        (FULL, {"command": None}, "command: 'WORD=a b' sleep infinity -> the image's own"),
        (FULL, {"labels": {"vendor": "else"}}, "label team: ops -> none"),
        (FULL, {"tmpfs": {"/run": ""}}, "tmpfs /scratch: size=16m,mode=1777 -> none"),
        (FULL, {"user": None}, "user: 10081:10081 -> none"),
        (FULL, {"cap_add": ()}, "cap_add: NET_ADMIN -> none"),
        (FULL, {"cap_drop": ()}, "cap_drop: MKNOD,NET_RAW -> none"),
        (FULL, {"memory_mb": None}, "memory_mb: 64 -> none; memory_swap_mb: 128 -> none"),
        (FULL, {"cpus": None}, "cpus: 0.5 -> none"),
        (FULL, {"pids": None}, "pids: 64 -> none"),
        (FULL, {"ulimits": {"core": "0:0"}}, "ulimit nofile: 1024:2048 -> none"),
        (
            FULL,
            {"health": None},
            "health: command test -e /etc, interval_s 20, timeout_s 30, retries 2, "
            "start_period_s 1 -> the image's own",
        ),
        (FULL, {"log_options": {"max-size": "10m"}}, "log option max-file: 3 -> none"),
        (FULL, {"environment": variables(EXPORT_IP=None)}, "env EXPORT_IP: 127.0.0.1 -> none"),
    ],
)
def test_taken_away(full: Container, spec: ContainerSpec, other: Any, reason: str) -> None:
    assert "; ".join(told(replace(spec, **other), full)) == reason


@pytest.mark.parametrize(
    "memory_mb, done, reasons",
    [
        (128, {}, ["memory_mb: 64 -> 128", "memory_swap_mb: 128 -> 256"]),
        (64, {"Memory": 80 * MIB}, [f"memory_mb: 80 -> 64{BY_HAND}"]),
        (64, {"MemorySwap": 100 * MIB}, [f"memory_swap_mb: 100 -> 128{BY_HAND}"]),
        (64, {"Memory": MIB // 2 + MIB}, [f"memory_mb: 1.5 -> 64{BY_HAND}"]),
        (64, {"MemorySwap": -1}, []),  # so where the kernel does not count swap
        (64, {"Memory": 0, "MemorySwap": 0}, [f"memory_mb: none -> 64{BY_HAND}", "..."]),
    ],
)
def test_memory(full: Container, memory_mb: int, done: dict[str, int], reasons: list[str]) -> None:
    found = edited(full, {f"HostConfig.{key}": value for key, value in done.items()})
    texts = told(replace(FULL, memory_mb=memory_mb), found)
    assert len(texts) == len(reasons)
    assert [text for text, reason in zip(texts, reasons, strict=True) if reason == text] == [
        reason for reason in reasons if reason != "..."
    ]


def test_of_an_image_the_id_counts(full: Container) -> None:
    same = str((full.inspect or {})["Image"])
    other = "sha256:" + "0123456789abcdef" * 4
    assert told(replace(FULL, image_id=same), full) == []
    assert told(replace(FULL, image="engine:2", image_id=same), full) == []
    assert told(replace(FULL, image_id=other), full) == [f"image ID: {same[7:19]} -> 0123456789ab"]
    assert told(replace(FULL, image="engine:2", image_id=other), full) == [
        "image: engine:1 -> engine:2"
    ]
    assert told(replace(FULL, image_id=TO_BE_BUILT), full) == ["image: to be built"]
    assert told(replace(FULL, image="engine:2", image_id=TO_BE_BUILT), full) == [
        "image: engine:1 -> engine:2"
    ]


def test_an_image_put_under_the_same_tag_by_hand(full: Container) -> None:
    wanted = replace(FULL, image_id="sha256:" + "a" * 64)
    label = {**full.labels, "dockyard.spec": wanted.label}
    found = edited(full, {"Config.Labels": label, "Image": "sha256:" + "b" * 64})
    assert told(wanted, found) == [f"image ID: bbbbbbbbbbbb -> aaaaaaaaaaaa{BY_HAND}"]


def test_what_the_image_says_itself_makes_no_difference(release: str) -> None:
    plain = container(release, PLAIN)
    config = plain.image_config or {}
    check = config["Healthcheck"]
    said = replace(
        PLAIN,
        entrypoint=config["Entrypoint"][0],
        command=tuple(config["Cmd"]),
        user=config["User"],
        labels=config["Labels"],
        environment=dict(line.split("=", 1) for line in config["Env"]),
    )
    assert told(said, plain) == []
    assert check["Test"] == ["CMD", "true"]


def test_a_command_of_the_image_s_is_one_where_the_entrypoint_is_another(release: str) -> None:
    plain = container(release, PLAIN)
    command = (plain.image_config or {})["Cmd"]
    spec = replace(PLAIN, entrypoint="/bin/x", command=tuple(command))
    label = {**plain.labels, "dockyard.spec": spec.label}
    made = edited(
        plain,
        {"Config.Labels": label, "Config.Entrypoint": ["/bin/x"], "Config.Cmd": command},
    )
    assert told(spec, made) == []
    assert told(spec, edited(made, {"Config.Cmd": None})) == [
        f"command: the image's own -> {' '.join(command)}{BY_HAND}"
    ]


def test_the_image_s_entrypoint_said_takes_its_command_away(release: str) -> None:
    plain = container(release, PLAIN)
    (entrypoint,) = (plain.image_config or {})["Entrypoint"]
    said = replace(PLAIN, entrypoint=entrypoint)
    label = {**plain.labels, "dockyard.spec": said.label}
    made = edited(plain, {"Config.Labels": label, "Config.Cmd": None})
    assert told(said, made) == []
    assert told(PLAIN, made) == [f"entrypoint: {entrypoint} -> the image's own"]


def test_variables_that_docker_s_client_adds_are_its_own(full: Container) -> None:
    proxies = ["HTTP_PROXY=http://198.18.0.1:3128", "no_proxy=localhost"]
    assert told(FULL, edited(full, {"Config.Env": [*ENV, *proxies]})) == []
    wanted = replace(FULL, environment=variables(no_proxy="x"))
    assert told(wanted, edited(full, {"Config.Env": [*ENV, *proxies]})) == [
        f"env no_proxy: changed{BOTH}"
    ]


def test_defaults_that_the_engine_adds_are_its_own(full: Container) -> None:
    more = [{"Name": "nproc", "Hard": 9, "Soft": 9}]
    host = (full.inspect or {})["HostConfig"]
    added = {
        "HostConfig.Ulimits": [*host["Ulimits"], *more],
        "HostConfig.LogConfig": {
            "Type": "json-file",
            "Config": {**FULL.log_options, "compress": "true"},
        },
    }
    assert told(FULL, edited(full, added)) == []


@pytest.mark.parametrize("flag", ["no-new-privileges", "no-new-privileges:true"])
def test_how_a_security_option_may_be_written(full: Container, flag: str) -> None:
    assert told(FULL, edited(full, {"HostConfig.SecurityOpt": [flag]})) == []


@pytest.mark.parametrize("none", [None, 0, -1])
def test_no_limit_on_processes(release: str, none: int | None) -> None:
    assert told(PLAIN, edited(container(release, PLAIN), {"HostConfig.PidsLimit": none})) == []


def test_privileges_that_nobody_wished_for(full: Container) -> None:
    found = edited(full, {"HostConfig.Privileged": True})
    assert told(FULL, found) == [f"privileged: yes -> no{BY_HAND}"]


@pytest.mark.parametrize(
    "done, volumes",
    [
        ({"HostConfig.Mounts": [{"Type": "bind", "Source": "/a", "Target": "/b"}]}, "/a:/b"),
        ({"Config.Volumes": {"/nameless": {}}}, "/nameless"),
    ],
)
def test_volumes_that_were_added_by_hand(release: str, done: Any, volumes: str) -> None:
    found = edited(container(release, PLAIN), done)
    assert told(PLAIN, found) == [f"volumes: {volumes} -> none{BY_HAND}"]


def test_no_value_of_a_user_s_variable_is_in_any_text_or_record(full: Container) -> None:
    wanted = replace(FULL, environment=variables(TOKEN="hush-2", NEW="hush-3"))
    found = edited(full, {"Config.Env": lines(TOKEN="hush-4", OTHER="hush-5")})
    seen = repr(differences(wanted, found)) + "; ".join(told(wanted, found)) + wanted.label
    assert "hush" not in seen
    assert told(wanted, found) == [
        "env NEW: added",
        f"env OTHER: removed{BY_HAND}",
        f"env TOKEN: changed{BOTH}",
    ]


def test_a_field_that_the_label_does_not_know_was_changed_by_nobody(full: Container) -> None:
    older = without_record(full, "pids")
    assert told(FULL, older) == []
    assert told(FULL, edited(older, {"HostConfig.PidsLimit": 9})) == ["pids: 9 -> 64"]


def test_a_label_of_the_first_form(full: Container) -> None:
    """It had fewer fields, and of variables the names alone."""
    label = json.dumps(
        {
            "image": "engine:1",
            "environment": sorted(FULL.environment),
            "network": "backend",
            "volumes": list(reversed(FULL.volumes)),
            "memory_mb": 64,
        }
    )
    older = edited(full, {"Config.Labels": labels(**{"dockyard.spec": label})})
    assert told(FULL, older) == []
    assert told(replace(FULL, environment=variables(TOKEN="hush-2")), older) == [
        "env TOKEN: changed"
    ]


@pytest.mark.parametrize("label", ["{", "[]x", "3", None])
def test_a_record_that_can_not_be_read_is_made_anew(full: Container, label: str | None) -> None:
    found = edited(full, {"Config.Labels": labels(**{"dockyard.spec": label})})
    assert told(FULL, found) == [f"label dockyard.spec: unreadable -> a record{BY_HAND}"]


@pytest.mark.parametrize("value", [5, [None], {"a": {}}, "x", None])
def test_a_spoilt_record_breaks_nothing(full: Container, value: Any) -> None:
    fields = {key: value for key in FULL.applied if key not in ("image", "image_id")}
    found = edited(full, {"Config.Labels": labels(**{"dockyard.spec": json.dumps(fields)})})
    assert told(FULL, found) == []


OLDER_THAN_1_13 = (
    *("HostConfig.NanoCpus", "HostConfig.Tmpfs", "HostConfig.PidsLimit"),
    *("Config.StopTimeout", "Config.Healthcheck", "NetworkSettings.Networks"),
)


def test_what_an_old_docker_does_not_tell_is_compared_with_the_record(full: Container) -> None:
    inspect = json.loads(json.dumps(full.inspect))
    for path in OLDER_THAN_1_13:
        part, key = path.split(".")
        del inspect[part][key]
    old = replace(full, inspect=inspect)
    assert told(FULL, old) == []
    wish = replace(FULL, pids=9, stop_timeout_s=8, health=None, network="bridge", cpus=1)
    assert [text.partition(":")[0] for text in told(wish, old)] == [
        *("networks", "cpus", "pids", "health", "stop_timeout_s")
    ]


def test_without_its_image_only_what_is_named_is_compared(full: Container) -> None:
    lost = replace(full, image_config=None)
    assert told(FULL, lost) == []
    assert told(replace(FULL, user="1:1"), lost) == ["user: 10081:10081 -> 1:1"]
    assert told(FULL, edited(lost, {"Config.Env": lines(OLD=None)})) == [f"env OLD: added{BY_HAND}"]


UPDATED = {
    "HostConfig.Memory": 128 * MIB,
    "HostConfig.MemorySwap": 256 * MIB,
    "HostConfig.PidsLimit": 99,
}
RAISED = replace(FULL, memory_mb=128, pids=99)


def test_after_an_update_in_place(full: Container) -> None:
    """The label stays as it was; the record of the update stands beside it."""
    updated = replace(edited(full, UPDATED), updated=RAISED.applied)
    assert told(RAISED, updated) == []
    assert told(replace(RAISED, pids=100), updated) == ["pids: 99 -> 100"]
    assert told(FULL, updated) == [
        "memory_mb: 128 -> 64",
        "memory_swap_mb: 256 -> 128",
        "pids: 99 -> 64",
    ]
    by_hand = edited(updated, {"HostConfig.PidsLimit": 7})
    assert told(RAISED, by_hand) == [f"pids: 7 -> 99{BY_HAND}"]
    mended = edited(by_hand, {"HostConfig.PidsLimit": 99})
    assert told(RAISED, mended) == []


@pytest.mark.parametrize(
    "field, found, wanted, expected",
    [
        ("restart", "no", "always", True),
        ("memory_mb", 64, 128, True),
        ("memory_mb", None, 128, True),
        ("memory_mb", 128, 64, False),
        ("memory_mb", 64, None, False),
        ("memory_swap_mb", 256, 128, True),
        ("cpus", 1, 0.5, True),
        ("cpus", 1, None, False),
        ("pids", 64, 32, True),
        ("pids", 64, None, True),
        ("user", None, "1:1", False),
        ("networks", ["a"], ["b"], False),
    ],
)
def test_what_is_mended_in_place(field: str, found: Any, wanted: Any, expected: bool) -> None:
    assert Difference(field, found, wanted, by_hand=True).is_in_place is expected


def _as_docker_tells(spec: ContainerSpec) -> dict[str, Any]:
    """What `docker run` makes of a spec, in the words of `docker inspect`."""
    ports: dict[str, Any] = {}
    for port in spec.publish:
        address, outside, inside = port.rsplit(":", 2)
        ports[f"{inside}/tcp"] = [{"HostIp": address, "HostPort": outside}]
    policy, _, most = spec.restart.partition(":")
    image = container(RELEASES[0], spec).image_config or {}
    missing = [line for line in image["Env"] if line.split("=")[0] not in spec.environment]
    health = spec.health
    assert health
    check = {
        "Test": ["CMD-SHELL", health.command],
        "Interval": health.interval_s * SECOND,
        "Timeout": health.timeout_s * SECOND,
        "Retries": health.retries,
        "StartPeriod": health.start_period_s * SECOND,
    }
    return {
        "Config.Image": spec.image,
        "Config.Entrypoint": [spec.entrypoint],
        "Config.Cmd": list(spec.command or ()),
        "Config.Env": [*(f"{n}={v}" for n, v in spec.environment.items()), *missing],
        "Config.Labels": {**spec.labels, "dockyard.part": "x", "dockyard.spec": spec.label},
        "Config.User": spec.user,
        "Config.StopTimeout": spec.stop_timeout_s,
        "Config.Healthcheck": {"Test": ["NONE"]} if health.command == "none" else check,
        "HostConfig.Binds": list(spec.volumes),
        "HostConfig.PortBindings": ports,
        "HostConfig.RestartPolicy": {"Name": policy, "MaximumRetryCount": int(most or 0)},
        "HostConfig.ReadonlyRootfs": spec.read_only,
        "HostConfig.CapAdd": list(spec.cap_add),
        "HostConfig.CapDrop": list(spec.cap_drop),
        "HostConfig.SecurityOpt": ["no-new-privileges"] if spec.no_new_privileges else None,
        "HostConfig.NanoCpus": int((spec.cpus or 0) * SECOND),
        "HostConfig.PidsLimit": spec.pids,
        "HostConfig.Tmpfs": dict(spec.tmpfs),
        "HostConfig.Ulimits": [
            {"Name": n, "Soft": int(v.split(":")[0]), "Hard": int(v.split(":")[1])}
            for n, v in spec.ulimits.items()
        ],
        "HostConfig.LogConfig": {"Type": spec.log_driver, "Config": dict(spec.log_options)},
        "NetworkSettings.Networks": {spec.network: {}},
    }
