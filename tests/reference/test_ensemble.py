"""The registry's members change while it serves: real servers, by their own start script."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from pyinfra.api import State

from roles.observed import Newest
from roles.registry import ensemble, membership
from roles.registry.data import AGREED, MEMBERS, MYID
from roles.registry.plan import container, data_gaps, leaving_problems, member_changes
from roles.run.fleet import Fleet, Member
from tests.reference import zookeeper
from tests.reference.zookeeper import Servers, Writer
from tests.unit import build

CHANGE_S = 60


@pytest.fixture(scope="module")
def jars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = zookeeper.jars(tmp_path_factory.mktemp("jars"))
    if found is None:
        pytest.skip("needs java, and ZooKeeper's jars by apt-get download")
    return found


@pytest.fixture
def servers(jars: Path, tmp_path: Path) -> Iterator[Servers]:
    found = Servers(tmp_path, jars)
    yield found
    found.stop(*list(found.processes))


def eventually(condition: Callable[[], object], what: str, timeout_s: float = CHANGE_S) -> None:
    ends = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < ends, what
        time.sleep(0.1)


def found_with(servers: Servers, *numbers: int) -> None:
    for number in numbers:
        servers.prepare(number, f"0 {servers.listed(*numbers)}", founds=True)
    for number in numbers:
        servers.start(number)
    eventually(lambda: servers.serve(*numbers), "it is founded")


def as_read(servers: Servers, number: int) -> Member:
    """A host of the group `registry`, with what is on its disk."""
    data = servers.data(number)
    server = {"data": {"host": str(data)}, "ready_timeout_s": CHANGE_S}
    found = build.member(f"registry-{number}", registry={"server": server})
    found = replace(found, address=IPv4Address(servers.address(number)))
    lines = {
        str(p): p.read_text().split("\n")[0] for p in (data / MYID, data / MEMBERS) if p.exists()
    }
    versions = [p.suffix[1:] for p in data.glob(f"{AGREED}.*[0-9a-f]") if p.suffix != ".next"]
    newest = max(versions, key=lambda version: int(version, 16), default=None)
    agreed = (
        {
            str(data / AGREED): Newest(
                newest, tuple((data / f"{AGREED}.{newest}").read_text().split())
            )
        }
        if newest
        else {}
    )
    observed = replace(found.observed, first_lines=lines, newest=agreed)
    if number in servers.processes:
        spec = container(build.fleet(found), found)
        observed = replace(observed, containers=(build.running(spec),))
    return replace(found, observed=observed)


def fleet_of(servers: Servers, *numbers: int) -> tuple[State, Fleet]:
    found = build.fleet(*(as_read(servers, number) for number in numbers))
    return build.state_of(found), found


def become(servers: Servers, *numbers: int) -> None:
    """Have the hosts of the group be these, as a deploy does."""
    _, fleet = fleet_of(servers, *numbers)
    for number in numbers:
        gaps = data_gaps(fleet, fleet[f"registry-{number}"])
        for gap in gaps:
            Path(gap.path).parent.mkdir(parents=True, exist_ok=True)
            Path(gap.path).write_text(f"{gap.wanted}\n")
        if number not in servers.processes:
            (servers.folder / str(number) / "logs").mkdir(exist_ok=True)
            servers.start(number)
            eventually(lambda number=number: servers.mode(number) == "follower", "it follows")
    state, fleet = fleet_of(servers, *numbers)
    host = state.inventory.get_host(fleet.members[0].name)
    assert membership.change_members(state, host)


def settled(servers: Servers, *numbers: int) -> None:
    """These are the members, by what each of them has on its disk, and nothing is to be changed."""
    eventually(lambda: servers.serve(*numbers), f"{numbers} serve")
    wanted = {number: servers.address(number) for number in numbers}
    for number in numbers:
        eventually(
            lambda number=number: (
                (known := fleet_of(servers, number)[1].members[0].observed.newest)
                and ensemble.read_agreed(next(iter(known.values())).lines) == wanted
            ),
            f"server {number} knows {wanted}",
        )
    assert member_changes(fleet_of(servers, *numbers)[1]) == []


def test_it_grows_and_shrinks_under_a_writer_and_loses_nothing(servers: Servers) -> None:
    found_with(servers, 1)
    with Writer(servers, 1, 2, 3, 4, 5) as writer:
        for members in ((1, 2, 3), (1, 2, 3, 4, 5), (2, 3, 4), (3,)):
            before = len(writer.written)
            become(servers, *members)
            settled(servers, *members)
            gone = [number for number in servers.processes if number not in members]
            servers.stop(*gone)
            eventually(lambda before=before: len(writer.written) > before, "it is written to")
    with servers.client(3) as client:
        assert sorted(client.get_children("/written")) == writer.written
    assert len(writer.written) > 100


def test_who_has_left_does_not_come_back_by_itself(servers: Servers) -> None:
    """Two that have left were once a majority of three: they must not make one again."""
    found_with(servers, 1, 2, 3)
    become(servers, 1)
    settled(servers, 1)
    servers.stop(2, 3)
    for number in (2, 3):
        assert servers.start(number).wait(timeout=20) == 64
        assert "it has left the ensemble" in servers.output(number).read_text()
        servers.stop(number)
    become(servers, 1, 2)
    settled(servers, 1, 2)


def test_a_member_whose_disk_was_wiped_votes_only_when_it_has_the_others_data(
    servers: Servers,
) -> None:
    found_with(servers, 1, 2, 3)
    with servers.client(1, 2, 3) as client:
        client.create("/kept", b"")
    servers.stop(1, 2, 3)
    for file in servers.data(2).rglob("*"):
        if file.is_file():
            file.unlink()
    (servers.data(2) / "version-2").rmdir()
    _, fleet = fleet_of(servers, 1, 2, 3)
    for gap in data_gaps(fleet, fleet["registry-2"]):
        Path(gap.path).write_text(f"{gap.wanted}\n")
    servers.start(2)
    servers.start(1)
    with pytest.raises(AssertionError, match="serves"):
        eventually(lambda: any(servers.modes(1, 2)), "one without data serves", 6)
    servers.start(3)
    settled(servers, 1, 2, 3)
    with servers.client(2) as client:
        assert client.exists("/kept")


def test_a_joining_server_that_is_started_again_goes_on_joining(servers: Servers) -> None:
    """It knows the ensemble's members by then, and is none of them."""
    found_with(servers, 1)
    servers.prepare(2, None)
    _, fleet = fleet_of(servers, 1, 2)
    for gap in data_gaps(fleet, fleet["registry-2"]):
        Path(gap.path).write_text(f"{gap.wanted}\n")
    servers.start(2)
    eventually(lambda: servers.mode(2) == "follower", "it follows")
    servers.stop(2)
    servers.start(2)
    eventually(lambda: servers.mode(2) == "follower", "it follows again")
    become(servers, 1, 2)
    settled(servers, 1, 2)


def test_a_registry_of_one_moves_to_another_address_with_its_data(servers: Servers) -> None:
    found_with(servers, 1)
    with servers.client(1) as client:
        client.create("/kept", b"")
    servers.stop(1)
    _, fleet = fleet_of(servers, 1)
    fleet = build.change(fleet, "registry-1", address=IPv4Address(servers.address(9)))
    spec = container(fleet, fleet["registry-1"])
    fleet = build.look_again(fleet, "registry-1", containers=(build.running(spec),))
    [gap] = data_gaps(fleet, fleet["registry-1"])
    Path(gap.path).write_text(f"{gap.wanted}\n")
    servers.start(1, ZOO_ADDRESS=servers.address(9))
    eventually(lambda: servers.mode(9) == "leader", "it serves at its new address")
    with servers.client(9) as client:
        assert client.exists("/kept")
        assert servers.address(9).encode() in client.get("/zookeeper/config")[0]


def test_a_leader_leaves(servers: Servers) -> None:
    found_with(servers, 1, 2, 3)
    leads = servers.leader(1, 2, 3)
    rest = [number for number in (1, 2, 3) if number != leads]
    _, fleet = fleet_of(servers, 1, 2, 3)
    assert leaving_problems(fleet, {f"registry-{leads}"}) == []
    become(servers, *rest)
    servers.stop(leads)
    settled(servers, *rest)


def test_a_leader_leaves_when_another_has_just_joined(servers: Servers) -> None:
    """Whoever it hands over to, be it the one that is new, the change is proven."""
    found_with(servers, 2, 3, 4)
    leads = servers.leader(2, 3, 4)
    rest = [number for number in (2, 3, 4) if number != leads]
    become(servers, 1, *rest)
    servers.stop(leads)
    settled(servers, 1, *rest)


def test_without_a_quorum_nobody_joins_or_leaves_and_that_is_said(
    servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    found_with(servers, 1, 2)
    servers.stop(2)
    eventually(lambda: servers.mode(1) is None, "it has lost its quorum")
    servers.prepare(3, None)
    for group in ((1, 2, 3), (1,)):
        state, fleet = fleet_of(servers, *group)
        assert member_changes(fleet)
        caplog.clear()
        assert not membership.change_members(state, state.inventory.get_host("registry-1"))
        assert "serves nobody: it has lost its quorum" in caplog.text


def test_servers_of_a_fixed_list_come_over_one_by_one(servers: Servers, tmp_path: Path) -> None:
    """What an ensemble of the image before had: its members in the variable alone, static."""
    static = tmp_path / "static.sh"
    text = zookeeper.SCRIPT.read_text()
    for line in ("standaloneEnabled=false\n", "reconfigEnabled=true\n"):
        assert line in text
        text = text.replace(line, "")
    home = 'home=$(dirname "$(dirname "$(readlink -f "$0")")")'
    assert home in text
    text = text.replace("dynamicConfigFile=$1\n", "$(cat $1)\n").replace(
        home, f"home={zookeeper.SCRIPT.parents[1]}"
    )
    static.write_text(text)
    static.chmod(0o755)
    new, servers.script = servers.script, static
    for number in (1, 2, 3):
        servers.prepare(number, None, founds=True)
        servers.start(number, ZOO_SERVERS=servers.listed(1, 2, 3))
    eventually(lambda: servers.serve(1, 2, 3), "it serves")
    assert not list(servers.data(1).glob("zoo.cfg.dynamic*"))
    with servers.client(1, 2, 3) as client:
        client.create("/kept", b"")
    servers.script, leads = new, servers.leader(1, 2, 3)
    for number in sorted((1, 2, 3), key=lambda number: number == leads):
        servers.stop(number)
        servers.prepare(number, f"0 {servers.listed(1, 2, 3)}")
        servers.start(number)
        eventually(lambda: servers.serve(1, 2, 3), f"all serve with {number} as new")
    settled(servers, 1, 2, 3)
    become(servers, 1, 2, 3, 4)
    settled(servers, 1, 2, 3, 4)
    with servers.client(4) as client:
        assert client.exists("/kept")


def test_with_another_password_nobody_leaves_and_that_is_said(
    servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    found_with(servers, 1, 2)
    for number in (1, 2):
        (servers.data(number) / "super").write_text("guessed")
    state, _ = fleet_of(servers, 1)
    assert not membership.change_members(state, state.inventory.get_host("registry-1"))
    assert "super is not the server's password any more; restart it" in caplog.text
    settled(servers, 1, 2)


def test_the_password_is_nowhere_but_in_its_file(
    servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    found_with(servers, 1)
    become(servers, 1, 2)
    settled(servers, 1, 2)
    for number in (1, 2):
        file = servers.data(number) / "super"
        assert file.stat().st_mode & 0o777 == 0o600
        password = file.read_text().strip()
        assert len(password) == 32
        assert password not in caplog.text
        for other in (servers.folder / str(number)).rglob("*"):
            if other.is_file() and other != file:
                assert password.encode() not in other.read_bytes(), other
        process = Path(f"/proc/{servers.processes[number].pid}")
        for told in ("cmdline", "environ"):
            assert password.encode() not in (process / told).read_bytes()
    assert (servers.data(1) / "super").read_text() != (servers.data(2) / "super").read_text()
