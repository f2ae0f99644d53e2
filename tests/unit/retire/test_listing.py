"""Who has left is taken out of the list, and its keys are forgotten: what stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyinfra.api import Config, Inventory, State
from pyinfra.connectors.sshuserclient.client import get_host_keys, get_ssh_config

from inventories import host_list, list_edit
from roles.access import bastions, known_hosts
from roles.retire.listing import strike
from roles.run import options
from tests.unit.access.server import as_host_key, new_host_key

LIST = "# ours\nhosts:\n  app-1: {groups: [sdk]}  # the first\n  app-2: {groups: [sdk]}\n"


class Files:
    """An inventory's files; each host of its list is pinned."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inventory, self.list = folder / "fleet.py", folder / "fleet.yaml"
        self.known_hosts = folder / "known_hosts"
        monkeypatch.setattr(options, "_options", options.Options(inventory=str(self.inventory)))

    def write(self, text: str) -> None:
        self.list.write_bytes(text.encode())
        pins = ""
        for name, entry in host_list.parsed(text).items():
            place = known_hosts.name_of(*entry.place(name))
            pins = known_hosts.added(pins, place, [as_host_key(new_host_key())])
        self.known_hosts.write_text(pins)

    def strike(self, *names: str, given: Path | None = None) -> bool:
        hosts = host_list.read(str(self.list), str(self.known_hosts))["sdk"]
        data = {"ssh_known_hosts_file": str(self.known_hosts)}
        state = State(Inventory((hosts, data)), Config())
        return strike(state, next(iter(state.inventory)), names, str(given) if given else None)

    @property
    def text(self) -> str:
        return self.list.read_bytes().decode()

    def is_pinned(self, place: str) -> bool:
        return bool(known_hosts.pinned(self.known_hosts.read_text(), place))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    get_host_keys.cache.clear()
    get_ssh_config.cache.clear()
    yield Files(tmp_path, monkeypatch)
    bastions.remove_written()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_who_has_left_is_listed_and_known_no_more(files: Files, end: str) -> None:
    files.write(LIST.replace("\n", end))
    assert files.strike("app-2")
    assert files.text == LIST.replace("  app-2: {groups: [sdk]}\n", "").replace("\n", end)
    assert not files.is_pinned("app-2")
    assert files.is_pinned("app-1")


def test_a_list_that_somebody_changes_meanwhile_is_left_as_it_is(
    files: Files, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def removed(text: str, name: str) -> str:
        files.list.write_text(text + "  app-3: {groups: [sdk]}\n")
        return remove(text, name)

    remove = list_edit.removed
    monkeypatch.setattr(list_edit, "removed", removed)
    files.write(LIST)
    assert not files.strike("app-2")
    assert files.text == LIST + "  app-3: {groups: [sdk]}\n"
    assert files.is_pinned("app-2")
    assert "was changed meanwhile; run again, or take app-2 out by hand" in caplog.text


BEHIND = """\
hosts:
  app-1: {groups: [sdk], address: 10.0.0.1, port: 2222}
  app-2: {groups: [sdk], via: ['ops@10.0.0.1:2222']}
  app-3: {groups: [sdk], via: ['ops@10.0.0.1']}
"""


def test_a_bastion_stays_known_while_others_are_behind_it(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    files.write(BEHIND)
    assert files.strike("app-1")
    assert "app-1" not in files.text
    assert files.is_pinned("[10.0.0.1]:2222")
    assert f"app-1: its keys stay in {files.known_hosts}: it is the bastion of app-2" in caplog.text


def test_a_bastion_is_forgotten_with_the_last_who_is_behind_it(files: Files) -> None:
    files.write(BEHIND)
    assert files.strike("app-1", "app-2")
    assert not files.is_pinned("[10.0.0.1]:2222")


def test_the_list_that_is_given(files: Files) -> None:
    files.write(LIST)
    other = files.list.with_name("other.yaml")
    other.write_text("hosts:\n  app-2: {groups: [sdk]}\n  app-9: {groups: [sdk]}\n")
    assert files.strike("app-2", given=other)
    assert other.read_text() == "hosts:\n  app-9: {groups: [sdk]}\n"
    assert files.text == LIST
    assert not files.is_pinned("app-2")


def test_who_is_in_another_list_is_told_and_stays_pinned(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    files.write(LIST)
    other = files.list.with_name("other.yaml")
    other.write_text("hosts:\n  app-2: {groups: [sdk]}\n")
    assert not files.strike("app-1", "app-2", given=other)
    assert other.read_text() == "hosts: {}\n"
    assert not files.is_pinned("app-2")
    assert files.is_pinned("app-1")
    assert f"{other} does not list app-1. Run `dockyard retire HOST --list FILE`" in caplog.text
    assert "`dockyard hostkeys forget HOST` before that" in caplog.text


def test_a_given_list_that_is_not_there(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    files.write(LIST)
    assert not files.strike("app-1", given=files.list.with_name("none.yaml"))
    assert "none.yaml: [Errno 2] No such file" in caplog.text
    assert files.is_pinned("app-1")


def test_an_inventory_without_a_list_is_edited_by_hand(
    files: Files, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    files.write(LIST)
    monkeypatch.setattr(options, "_options", options.Options(inventory="elsewhere.py"))
    assert files.strike("app-1")
    assert "Take app-1 out of elsewhere.py, too: a deploy would return" in caplog.text
