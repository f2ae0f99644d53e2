"""Membership and its reading, through what registries do to their clients."""

import json
import logging
import time
from collections.abc import Callable

import pytest
from osp_common import registry as module
from osp_common.registry import Membership, MemberWatch, describe_instance

from tests.reference.fake_registry import FakeRegistry

HOSTS = "zk-1:2181"
PATH = "/osp/services/sayhello/engines/198.18.0.11:1080"
FOLDER = "/osp/services/sayhello/engines"
SESSION_TIMEOUT_S = 0.1
TIMEOUT_S = 3.0


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


def never(condition: Callable[[], object], for_s: float = 0.3) -> None:
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        assert not condition()
        time.sleep(0.005)


@pytest.fixture
def instance() -> dict[str, object]:
    return describe_instance("1.0.0")


@pytest.fixture
def membership(registry: FakeRegistry, instance: dict[str, object]):
    membership = Membership(HOSTS, PATH, instance, SESSION_TIMEOUT_S)
    yield membership
    registry.is_up = True
    membership.leave(TIMEOUT_S)


@pytest.fixture
def without_rereading(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first connection on, only what the registry tells can wake anybody."""
    connect = registry.connect

    def connect_last(**options: object) -> object:
        monkeypatch.setattr(module, "VERIFY_INTERVAL_S", 30.0)
        return connect(**options)

    monkeypatch.setattr(module, "KazooClient", connect_last)


def node_of(own: dict[str, object], **other: object) -> bytes:
    return json.dumps(own | other).encode()


def test_a_member_registers_under_its_name_and_says_who_it_is(registry, membership, instance):
    membership.join()
    eventually(lambda: membership.is_registered)
    assert json.loads(registry.nodes[PATH].data) == instance
    assert registry.nodes[PATH].owner_session_id is not None


def test_nobody_registers_unasked(registry, membership):
    never(lambda: registry.nodes)


def test_leaving_removes_the_node_for_good(registry, membership):
    membership.join()
    eventually(lambda: membership.is_registered)
    assert membership.leave(TIMEOUT_S)
    assert PATH not in registry.nodes
    assert membership.state == "absent"
    never(lambda: PATH in registry.nodes)


def test_joining_again_after_leaving(registry, membership):
    membership.join()
    eventually(lambda: membership.is_registered)
    membership.leave(TIMEOUT_S)
    membership.join()
    eventually(lambda: PATH in registry.nodes and membership.is_registered)


def test_joining_again_does_not_wait(registry, membership, without_rereading, monkeypatch):
    """A drain may be shorter than the pause between two attempts to reach the registry."""
    monkeypatch.setattr(module, "REOPEN_INTERVAL_S", 30.0)
    for _ in range(3):
        membership.join()
        eventually(lambda: membership.is_registered)
        membership.leave(TIMEOUT_S)


def test_a_node_that_somebody_deletes_comes_back_at_once(registry, membership, without_rereading):
    membership.join()
    eventually(lambda: membership.is_registered)
    registry.remove(PATH)
    eventually(lambda: PATH in registry.nodes)


def test_a_former_sessions_node_is_replaced_and_its_expiry_removes_nothing(
    registry, membership, instance
):
    registry.put(FOLDER, b"")
    former = node_of(instance, instance="former", since="2000-01-01T00:00:00.000000Z")
    registry.put(PATH, former, owner=999)
    membership.join()
    eventually(lambda: membership.is_registered)
    registry.expire(999)
    assert json.loads(registry.nodes[PATH].data) == instance


def test_its_own_node_of_a_session_that_was_lost_is_replaced(registry, membership, instance):
    registry.put(PATH, node_of(instance), owner=999)
    membership.join()
    eventually(lambda: membership.is_registered)
    assert registry.nodes[PATH].owner_session_id != 999


def test_a_node_that_changes_hands_while_it_is_replaced_is_not_taken_for_ours(
    registry, membership, instance, caplog
):
    def successor_comes_first() -> None:
        successor = node_of(instance, instance="successor", since="9999-01-01T00:00:00.000000Z")
        registry.put(PATH, successor, owner=999)
        registry.nodes[PATH].version = 7

    caplog.set_level(logging.INFO)
    registry.before_commit = successor_comes_first
    registry.put(PATH, node_of(instance), owner=998)
    membership.join()
    eventually(lambda: membership.state == "superseded")
    assert f"{PATH}: registered" not in caplog.messages


def test_a_node_with_unreadable_data_is_replaced(registry, membership, instance):
    registry.put(PATH, b"\xff not json", owner=999)
    membership.join()
    eventually(lambda: membership.is_registered)
    assert json.loads(registry.nodes[PATH].data) == instance


def test_a_successors_node_is_left_alone_until_it_goes(registry, membership, instance):
    membership.join()
    eventually(lambda: membership.is_registered)
    successor = node_of(instance, instance="successor", since="9999-01-01T00:00:00.000000Z")
    registry.put(PATH, successor, owner=999)
    eventually(lambda: membership.state == "superseded")
    never(lambda: registry.nodes[PATH].owner_session_id != 999)
    registry.expire(999)
    eventually(lambda: membership.is_registered)


def test_leaving_does_not_touch_a_successors_node(registry, membership, instance):
    membership.join()
    eventually(lambda: membership.is_registered)
    successor = node_of(instance, instance="successor", since="9999-01-01T00:00:00.000000Z")
    registry.put(PATH, successor, owner=999)
    assert membership.leave(TIMEOUT_S)
    assert registry.nodes[PATH].owner_session_id == 999


def test_it_registers_when_the_registry_comes_up_later(registry, membership):
    registry.is_up = False
    membership.join()
    never(lambda: membership.is_registered, for_s=0.2)
    registry.is_up = True
    eventually(lambda: membership.is_registered)


def test_while_the_registry_is_away_it_says_that_it_is_not_registered(registry, membership):
    membership.join()
    eventually(lambda: membership.is_registered)
    registry.is_up = False
    eventually(lambda: membership.state == "absent")
    registry.is_up = True
    eventually(lambda: membership.is_registered)


def test_a_registry_that_does_not_answer_in_time_is_asked_again(registry, membership):
    registry.is_silent = True
    membership.join()
    never(lambda: membership.is_registered, for_s=0.2)
    registry.is_silent = False
    eventually(lambda: membership.is_registered)


def test_it_registers_with_a_registry_that_was_founded_anew(registry, membership):
    membership.join()
    eventually(lambda: membership.is_registered)
    registry.refuse_old_clients()
    eventually(lambda: PATH in registry.nodes)


@pytest.fixture
def readings(registry: FakeRegistry):
    readings: list[frozenset[str] | None] = []

    def read(members) -> None:
        readings.append(None if members is None else members[FOLDER])

    watch = MemberWatch(HOSTS, [FOLDER], SESSION_TIMEOUT_S, read)
    yield readings
    watch.close()


def test_a_watch_tells_of_every_change_at_once(registry, without_rereading, readings):
    registry.put(FOLDER, b"")
    registry.put(PATH, b"")
    eventually(lambda: readings[-1] == {"198.18.0.11:1080"})
    registry.remove(PATH)
    eventually(lambda: readings[-1] == frozenset())


def test_a_folder_that_is_not_there_yet_is_empty(registry, readings):
    eventually(lambda: readings and readings[-1] == frozenset())
    registry.put(FOLDER, b"")
    registry.put(PATH, b"")
    eventually(lambda: readings[-1] == {"198.18.0.11:1080"})


def test_a_registry_that_is_away_is_not_an_empty_one(registry, readings):
    registry.put(FOLDER, b"")
    registry.put(PATH, b"")
    eventually(lambda: readings and readings[-1])
    registry.is_up = False
    eventually(lambda: readings[-1] is None)
    registry.is_up = True
    eventually(lambda: readings[-1] == {"198.18.0.11:1080"})


def test_a_registry_that_does_not_answer_is_not_an_empty_one(registry, readings):
    registry.is_silent = True
    eventually(lambda: readings and readings[-1] is None)


def test_a_watch_survives_what_its_reader_raises(registry):
    calls: list[object] = []

    def broken(names: object) -> None:
        calls.append(names)
        raise RuntimeError

    watch = MemberWatch(HOSTS, [FOLDER], SESSION_TIMEOUT_S, broken)
    eventually(lambda: len(calls) > 3)
    watch.close()
