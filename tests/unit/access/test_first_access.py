"""A new host is logged in to: whose key it is comes first, and each secret is tried once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gevent
import paramiko
import pytest
from gevent.pool import Pool
from pyinfra.api import Config, Host, Inventory, State
from pyinfra.api.exceptions import ConnectError
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.sshuserclient.client import get_host_keys, get_ssh_config

from roles.access import bastions, first, identity, known_hosts
from roles.access.first import NoAccess
from roles.access.login import ACCESS, ordinary_user, prove
from roles.access.scan import NotScanned
from roles.observed import channel
from roles.run.connecting import listen
from tests.unit.access.server import ADDRESS, Server, as_host_key, loaded, new_host_key, private_key

ROOT = Path(__file__).parents[3]
PASSWORD, SUDO_PASSWORD = "canary-first", "canary-sudo"
SUDO = f"""#!/bin/sh
ask=
while :; do
  case $1 in
    -S) ask=1; shift ;;
    -p | -u) shift 2 ;;
    -*) shift ;;
    *) break ;;
  esac
done
case $LOGIN in
  careful)
    [ "$ask" ] || {{ echo "sudo: a password is required" >&2; exit 1; }}
    for tried in 1 2 3; do
      read -r given || break
      echo "$given" >>"${{0%/*}}/tries"
      [ "$given" != {SUDO_PASSWORD} ] || break
      given=
    done
    [ "$given" ] || {{ echo "sudo: $tried incorrect password attempts" >&2; exit 1; }}
    ;;
  lowly) echo "lowly is not in the sudoers file" >&2; exit 1 ;;
esac
LOGIN=root exec "$@"
"""
ID = '#!/bin/sh\n[ "$LOGIN" = root ] && echo 0 || echo 1000\n'
MISSING = '#!/bin/sh\necho "sh: 1: sudo: not found" >&2\nexit 127\n'


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An account of our own: no agent, one key, which `ops` of some server lets in."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir(mode=0o700)
    (tmp_path / ".ssh" / "id_ed25519").write_text(private_key())
    (tmp_path / "known_hosts").touch()
    get_host_keys.cache.clear()
    get_ssh_config.cache.clear()
    yield tmp_path
    bastions.remove_written()


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """What stands in for the host's own `id` and `sudo`."""
    path = tmp_path / "bin"
    path.mkdir()
    for name, text in (("id", ID), ("sudo", SUDO)):
        (path / name).write_text(text)
        (path / name).chmod(0o755)
    return path


def own_key(home: Path) -> Any:
    return loaded((home / ".ssh" / "id_ed25519").read_text())


def secret(home: Path, value: str) -> dict[str, str]:
    file = home / f"secret-{value}"
    file.write_text(value + "\n")
    file.chmod(0o600)
    return {"file": str(file)}


def started(
    home: Path, servers: Mapping[str, Server], has_terminal: bool = False, **data: Any
) -> State:
    """Load an inventory of these servers and make ready to connect, as a bootstrap run does."""
    usual = {
        "ssh_hostname": ADDRESS,
        "ssh_user": "ops",
        "ssh_known_hosts_file": str(home / "known_hosts"),
        "ssh_strict_host_key_checking": "yes",
    }
    hosts = [(name, {**usual, "ssh_port": s.port, **data}) for name, s in servers.items()]
    state = State()
    listen(state, before_connect=lambda state: first.prepare(state, has_terminal))
    state.init(Inventory((hosts, {})), Config(CONNECT_TIMEOUT=5))
    return state


def connected(state: State) -> Host:
    (host,) = state.inventory
    host.connect(raise_exceptions=True, show_errors=False)
    return host


def pin(home: Path, *servers: Server) -> None:
    (home / "known_hosts").write_text("".join(server.line() for server in servers))
    get_host_keys.cache.clear()


def refused(home: Path, server: Server, **data: Any) -> str:
    with pytest.raises(NoAccess) as error:
        started(home, {"app-4": server}, **data)
    return str(error.value)


def test_who_is_let_in_needs_no_first_access(home: Path, programs: Path) -> None:
    access = {"user": "root", "password": secret(home, PASSWORD)}
    users = {"ops": [own_key(home)], "root": [PASSWORD]}
    with Server(users=users, path=programs) as server:
        pin(home, server)
        host = connected(started(home, {"app-4": server}, access=access, _sudo=True))
        assert server.tried == [("ops", "publickey")]
        assert host.data.ssh_user == "ops"


def test_a_root_password(home: Path, programs: Path) -> None:
    access = {"user": "root", "password": secret(home, PASSWORD)}
    with Server(users={"root": [PASSWORD]}, path=programs) as server:
        pin(home, server)
        state = started(home, {"app-4": server}, access=access, _sudo=True)
        host = connected(state)
        assert server.tried == [("ops", "publickey"), ("root", "password")]
        assert channel.run(state, host, ["id", "-u"], timeout_s=9).text == "0"
        assert (host.data.ssh_user, host.data._sudo) == ("root", False)


def test_a_wrong_password_is_tried_once(home: Path) -> None:
    access = {"password": secret(home, "wrong")}
    with Server(users={"root": [PASSWORD]}) as server:
        pin(home, server)
        data = {"access": access, "ssh_connect_retries": 2}
        with pytest.raises(ConnectError) as error:
            connected(started(home, {"app-4": server}, **data))
        assert [one for one in server.tried if one[0] == "root"] == [("root", "password")]
    assert "the password was refused, one try was made" in str(error.value)
    assert "wrong" not in str(error.value)


def test_a_first_key_and_nothing_beside_it(home: Path, programs: Path) -> None:
    key = home / "first"
    key.write_text(private_key())
    (home / ".ssh" / "config").write_text(f"Host *\n  IdentityFile {home}/.ssh/id_ed25519\n")
    access = {"user": "debian", "key": str(key), "password": secret(home, PASSWORD)}
    with Server(users={"debian": [loaded(key.read_text())]}, path=programs) as server:
        pin(home, server)
        state = started(home, {"app-4": server}, access=access)
        host = connected(state)
        assert server.tried[-1] == ("debian", "publickey")
        assert [user for user, _ in server.tried].count("debian") == 1
        assert channel.run(state, host, ["id", "-u"], timeout_s=9).text == "0"
    with Server(path=programs) as server:
        pin(home, server)
        with pytest.raises(ConnectError, match=r"first was refused, one try.*the password was"):
            connected(started(home, {"app-4": server}, access=access))
        assert server.tried[-2:] == [("debian", "publickey"), ("debian", "password")]
        assert len([one for one in server.tried if one[0] == "debian"]) == 2


def test_an_agent_is_not_asked(home: Path, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr("paramiko.client.Agent", lambda: asked.append(True))
    access = {"password": secret(home, PASSWORD)}
    with Server(users={"root": [PASSWORD]}, path=programs) as server:
        pin(home, server)
        state = started(home, {"app-4": server}, access=access, ssh_allow_agent=False)
        connected(state)
    assert asked == []


@pytest.mark.parametrize(
    "user, more, told",
    [
        ("careful", {"sudo_password": SUDO_PASSWORD}, None),
        ("careful", {}, "it asks for a password; say access.sudo_password"),
        ("careful", {"sudo_password": "wrong"}, "sudo refused the user, or its password"),
        ("lowly", {}, "sudo refused the user"),
    ],
)
def test_sudo(
    home: Path, programs: Path, user: str, more: dict[str, str], told: str | None
) -> None:
    access = {"user": user, "password": secret(home, PASSWORD)}
    access |= {key: secret(home, value) for key, value in more.items()}
    with Server(users={user: [PASSWORD]}, path=programs) as server:
        pin(home, server)
        state = started(home, {"app-4": server}, access=access)
        if told is None:
            host = connected(state)
            assert channel.run(state, host, ["id", "-u"], timeout_s=9).text == "0"
        else:
            with pytest.raises(ConnectError, match=told):
                connected(state)
    file = programs / "tries"
    tries = file.read_text().split() if file.exists() else []
    assert set(tries) == set(more.values())
    assert told is None or tries == list(more.values())


def test_a_host_without_sudo(home: Path, programs: Path) -> None:
    (programs / "sudo").write_text(MISSING)
    access = {"user": "debian", "password": secret(home, PASSWORD)}
    with Server(users={"debian": [PASSWORD]}, path=programs) as server:
        pin(home, server)
        with pytest.raises(ConnectError, match="there is no sudo on that host; install it, or log"):
            connected(started(home, {"app-4": server}, access=access))


def test_a_login_that_is_no_root_yet_goes_on_by_the_first_access(
    home: Path, programs: Path
) -> None:
    """The link was cut after the user came, and before it got its sudo."""
    access = {"password": secret(home, PASSWORD)}
    users = {"lowly": [own_key(home)], "root": [PASSWORD]}
    with Server(users=users, path=programs) as server:
        pin(home, server)
        data = {"access": access, "ssh_user": "lowly", "_sudo": True}
        state = started(home, {"app-4": server}, **data)
        host = connected(state)
        assert server.tried[-1] == ("root", "password")
        assert "sudo refused" in str(prove(state, host))
        assert channel.run(state, host, ["id", "-u"], timeout_s=9).text == "0"


def test_the_proof_is_a_connection_of_its_own(home: Path, programs: Path) -> None:
    access = {"password": secret(home, PASSWORD)}
    users: dict[str, list[Any]] = {"root": [PASSWORD]}
    with Server(users=users, path=programs) as server:
        pin(home, server)
        state = started(home, {"app-4": server}, access=access, _sudo=True)
        host = connected(state)
        assert "Authentication error" in str(prove(state, host))
        users["ops"] = [own_key(home)]
        assert prove(state, host) is None
        assert server.tried[-1] == ("ops", "publickey")
        assert host.data.ssh_user == "root"


def test_a_second_connection_is_the_ordinary_one_where_that_works_by_now(
    home: Path, programs: Path
) -> None:
    access = {"user": "careful", "password": secret(home, PASSWORD)}
    access["sudo_password"] = secret(home, SUDO_PASSWORD)
    users: dict[str, list[Any]] = {"careful": [PASSWORD]}
    with Server(users=users, path=programs) as server:
        pin(home, server)
        state = started(home, {"app-4": server}, access=access, _sudo=True)
        host = connected(state)
        assert host.connector_data["prompted_sudo_password"] == SUDO_PASSWORD
        users["ops"] = [own_key(home)]
        host.disconnect()
        host.connect(raise_exceptions=True, show_errors=False)
        assert server.tried[-1] == ("ops", "publickey")
        assert host.data.ssh_user == "ops"
        assert host.connector_data["prompted_sudo_password"] is None


def test_the_first_access_lends_the_proof_no_password(home: Path, programs: Path) -> None:
    access = {"user": "careful", "password": secret(home, PASSWORD)}
    access["sudo_password"] = secret(home, SUDO_PASSWORD)
    with Server(users={"careful": [own_key(home), PASSWORD]}, path=programs) as server:
        pin(home, server)
        data = {"access": access, "ssh_user": "careful", "_sudo": True}
        state = started(home, {"app-4": server}, **data)
        host = connected(state)
        assert channel.run(state, host, ["id", "-u"], timeout_s=9).text == "0"
        assert "it asks for a password" in str(prove(state, host))


def test_who_the_inventory_logs_in_as(home: Path, programs: Path) -> None:
    (home / ".ssh" / "config").write_text("Host *\n  User carol\n")
    access = {"password": secret(home, PASSWORD)}
    with Server(users={"root": [PASSWORD]}, path=programs) as server:
        pin(home, server)
        host = connected(started(home, {"app-4": server}, access=access))
        assert (host.data.ssh_user, ordinary_user(host)) == ("root", "ops")
        (unsaid,) = started(home, {"app-4": server}, ssh_user="").inventory
        assert ordinary_user(unsaid) == "carol"


def test_no_first_access_is_said(home: Path) -> None:
    with Server() as server:
        pin(home, server)
        with pytest.raises(ConnectError, match=r"say access.key, or access.password"):
            connected(started(home, {"app-4": server}))


def test_a_changed_key_stops_before_any_credential(home: Path) -> None:
    access = {"password": secret(home, PASSWORD)}
    with Server(users={"root": [PASSWORD]}) as server, Server() as other:
        (home / "known_hosts").write_text(
            known_hosts.added("", server.name, map(as_host_key, other.host_keys))
        )
        before = (home / "known_hosts").read_text()
        told = refused(home, server, access=access)
        assert server.tried == []
    assert "app-4: host key: has changed" in told
    assert server.keys[0].fingerprint in told
    assert other.keys[0].fingerprint in told
    assert (home / "known_hosts").read_text() == before


def test_a_changed_key_between_the_look_and_the_login(home: Path) -> None:
    access = {"password": secret(home, PASSWORD)}
    with Server(users={"root": [PASSWORD]}) as server:
        pin(home, server)
        state = started(home, {"app-4": server}, access=access, ssh_strict_host_key_checking="no")
        server.host_keys = [new_host_key()]
        with pytest.raises(ConnectError, match="host key"):
            connected(state)
        assert server.tried == []


def test_a_changed_key_between_the_two_logins(home: Path) -> None:
    class Swapping(dict[str, list[Any]]):
        def get(self, user: str, otherwise: Any = None) -> Any:
            server.host_keys = [new_host_key()]
            return super().get(user, otherwise)

    access = {"password": secret(home, PASSWORD)}
    with Server(users=Swapping(root=[PASSWORD])) as server:
        pin(home, server)
        state = started(home, {"app-4": server}, access=access)
        with pytest.raises(ConnectError, match="host key"):
            connected(state)
        assert server.tried == [("ops", "publickey")]


def test_a_host_that_only_answers_later_is_no_less_strange(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(place: Any) -> Any:
        raise NotScanned("no answer in time")

    monkeypatch.setattr(identity, "scan", silent)
    access = {"password": secret(home, PASSWORD)}
    with Server(users={"root": [PASSWORD]}) as server:
        data = {"access": access, "ssh_strict_host_key_checking": "accept-new"}
        with pytest.raises(ConnectError, match="No host key"):
            connected(started(home, {"app-4": server}, **data))
        assert server.tried == []


def test_a_fingerprint_that_is_right_pins_the_key(home: Path, programs: Path) -> None:
    with Server(users={"root": [PASSWORD]}, path=programs) as server:
        (pinned,) = server.keys
        access = {"password": secret(home, PASSWORD), "fingerprint": pinned.fingerprint}
        connected(started(home, {"app-4": server}, access=access))
        assert (home / "known_hosts").read_text() == server.line()


def test_an_rsa_key_beside_others_is_no_proof_of_what_connections_are_shown(
    home: Path, programs: Path
) -> None:
    rsa = paramiko.RSAKey.generate(2048)
    told = "its RSA key, which a connection from here is not shown while the host has others"
    users = {"ops": [own_key(home)]}
    with Server(host_keys=[rsa, new_host_key()], users=users, path=programs) as server:
        access = {"fingerprint": as_host_key(rsa).fingerprint}
        assert told in refused(home, server, access=access)
        assert (home / "known_hosts").read_text() == ""
        (home / "known_hosts").write_text(known_hosts.added("", server.name, [as_host_key(rsa)]))
        assert told in refused(home, server)
        assert server.tried == []
        access = {"fingerprint": server.keys[1].fingerprint}
        connected(started(home, {"app-4": server}, access=access))
        assert server.tried == [("ops", "publickey")]


def test_a_host_with_an_rsa_key_alone(home: Path, programs: Path) -> None:
    rsa = paramiko.RSAKey.generate(2048)
    users = {"ops": [own_key(home)]}
    with Server(host_keys=[rsa], users=users, path=programs) as server:
        access = {"fingerprint": as_host_key(rsa).fingerprint}
        connected(started(home, {"app-4": server}, access=access))
        assert server.tried == [("ops", "publickey")]


def test_a_fingerprint_that_is_wrong(home: Path) -> None:
    wrong = as_host_key(new_host_key()).fingerprint
    with Server() as server:
        told = refused(home, server, access={"fingerprint": wrong})
        assert server.tried == []
    assert f"app-4: access.fingerprint: expected {wrong};" in told
    assert server.keys[0].fingerprint in told
    assert (home / "known_hosts").read_text() == ""


def test_without_terminal_and_fingerprint(home: Path) -> None:
    with Server() as server:
        told = refused(home, server)
        assert server.tried == []
    assert "is not pinned, and there is no terminal" in told
    assert server.keys[0].fingerprint in told
    assert "access.fingerprint" in told
    assert (home / "known_hosts").read_text() == ""


@pytest.mark.parametrize("answer", [True, False])
def test_many_new_hosts_are_one_question_each(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: bool
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("click.confirm", lambda *a, **b: asked.append("keys") or answer)
    monkeypatch.setattr("getpass.getpass", lambda question: asked.append(question) or PASSWORD)
    servers = {f"app-{number}": Server().__enter__() for number in range(1, 21)}
    data = {"access": {"password": "prompt"}}
    try:
        if answer:
            state = started(home, servers, has_terminal=True, **data)
            assert asked == ["keys", "Password of root on app-1 and 19 more hosts: "]
            found = (home / "known_hosts").read_text()
            assert found == "".join(server.line() for server in servers.values())
            accesses = [host.connector_data[ACCESS] for host in state.inventory]
            assert {access.password.reveal() for access in accesses} == {PASSWORD}
            assert PASSWORD not in repr(accesses)
        else:
            with pytest.raises(NoAccess, match="was not confirmed"):
                started(home, servers, has_terminal=True, **data)
            assert asked == ["keys"]
            assert (home / "known_hosts").read_text() == ""
    finally:
        for server in servers.values():
            server.__exit__()
    shown = capsys.readouterr().err
    assert [s.keys[0].fingerprint in shown for s in servers.values()] == [True] * 20
    assert [server.tried for server in servers.values()] == [[]] * 20


def test_secrets_are_wrong_before_anything_is_asked(home: Path) -> None:
    file = home / "open"
    file.write_text(PASSWORD)
    file.chmod(0o644)
    with Server() as server:
        told = refused(home, server, access={"password": {"file": str(file)}})
        assert f"app-4: access.password: {file}: has mode 0644" in told
        told = refused(home, server, access={"key": str(file)})
        assert "app-4: access.key: expected a private key that can be read" in told
        told = refused(home, server, access={"password": PASSWORD})
        assert "app-4: access.password: expected 'prompt'" in told
        assert PASSWORD not in told
        told = refused(home, server, access={"pasword": "prompt"})
        assert "app-4: access.pasword: unknown key; expected one of: fingerprint, key" in told
        told = refused(home, server, access={"password": "prompt"})
        assert "access.password: there is no terminal" in told or "not pinned" in told
        assert server.tried == []


def test_a_host_that_does_not_answer_is_left_to_its_connection(home: Path) -> None:
    with Server() as server:
        pass
    server.port = 9
    state = started(home, {"app-4": server})
    with pytest.raises(ConnectError, match="Could not connect"):
        connected(state)


def through(home: Path, bastion: Server) -> dict[str, str]:
    """The data of a host behind a bastion that has another address than it."""
    hop = bastions.Hop("localhost", bastion.port, "jump")
    text = bastions.ssh_config({ADDRESS: [hop]}, str(home / "known_hosts"))
    return {"ssh_config_file": bastions.write(text)}


def pin_bastion(home: Path, bastion: Server) -> None:
    with (home / "known_hosts").open("a") as file:
        file.write(bastion.line().replace(ADDRESS, "localhost"))


def test_through_a_bastion(home: Path, programs: Path) -> None:
    access = {"password": secret(home, PASSWORD)}
    bastion = Server(users={"jump": [own_key(home)]})
    with bastion, Server(users={"root": [PASSWORD]}, path=programs) as server:
        pin(home, server)
        pin_bastion(home, bastion)
        state = started(home, {"app-4": server}, access=access, **through(home, bastion))
        connected(state)
        assert server.tried[-1] == ("root", "password")
        assert {user for user, _ in bastion.tried} == {"jump"}


def test_a_bastion_that_does_not_let_us_in(home: Path) -> None:
    """What it refuses is not taken for the host's own refusal of a password."""
    access = {"password": secret(home, PASSWORD)}
    with Server() as bastion, Server(users={"root": [PASSWORD]}) as server:
        pin(home, server)
        pin_bastion(home, bastion)
        state = started(home, {"app-4": server}, access=access, **through(home, bastion))
        with pytest.raises(ConnectError, match="a bastion on the way does not let this account in"):
            connected(state)
        assert server.connections == 0
        assert {user for user, _ in bastion.tried} == {"jump"}


def test_many_hosts_behind_a_bastion_come_a_few_at_a_time(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way: list[int] = []
    now = 0

    def connect(connector: SSHConnector) -> None:
        nonlocal now
        now += 1
        under_way.append(now)
        gevent.sleep(0.05)
        now -= 1

    monkeypatch.setattr(SSHConnector, "connect", connect)
    with Server() as bastion:
        way = through(home, bastion)
        for data, most in ((way, 6), ({}, 20)):
            under_way.clear()
            hosts = [(f"app-{n}", {"ssh_hostname": ADDRESS, **data}) for n in range(20)]
            state = State()
            listen(state)
            state.init(Inventory((hosts, {})), Config())
            Pool(20).map(lambda host: host.connect(), list(state.inventory))
            assert max(under_way) == most


def test_a_changed_key_behind_a_bastion(home: Path) -> None:
    access = {"password": secret(home, PASSWORD)}
    bastion = Server(users={"jump": [own_key(home)]})
    with bastion, Server(users={"root": [PASSWORD]}) as server:
        pin(home, server)
        pin_bastion(home, bastion)
        server.host_keys = [new_host_key()]
        told = refused(home, server, access=access, **through(home, bastion))
        assert server.connections > 0
        assert server.tried == []
    assert "app-4: host key: has changed" in told


def test_a_changed_key_of_a_bastion(home: Path) -> None:
    bastion = Server(users={"jump": [own_key(home)]})
    with bastion, Server() as server:
        pin(home, server)
        pin_bastion(home, bastion)
        bastion.host_keys = [new_host_key()]
        told = refused(home, server, **through(home, bastion))
        assert (bastion.tried, server.connections) == ([], 0)
    assert "bastion localhost: host key: has changed" in told


def test_a_bastion_that_is_not_pinned(home: Path) -> None:
    bastion = Server(users={"jump": [own_key(home)]})
    with bastion, Server() as server:
        told = refused(home, server, **through(home, bastion))
        assert (bastion.tried, server.connections) == ([], 0)
    assert "bastion localhost: host key: is not pinned" in told
    assert "`dockyard hostkeys trust localhost --fingerprint SHA256:...`" in told


def test_a_bastion_of_an_ssh_config_that_is_not_strict(home: Path) -> None:
    (home / ".ssh" / "config").write_text(f"Host {ADDRESS}\n  ProxyJump jump@localhost:1\n")
    with Server() as server:
        told = refused(home, server)
        assert server.connections == 0
    assert "app-4: connection: is reached through jump@localhost:1 by an ssh_config" in told


@pytest.mark.parametrize("how", ["--debug-all", "--debug-operations"])
def test_nothing_that_is_printed_holds_a_secret(home: Path, programs: Path, how: str) -> None:
    """A whole run of pyinfra that tells all it can, as root by sudo with a password."""
    access = {
        "user": "careful",
        "password": secret(home, PASSWORD),
        "sudo_password": secret(home, SUDO_PASSWORD),
    }
    (home / "bootstrap.py").write_text(
        "from pyinfra.operations import server\nserver.shell(commands=['id -u; ps -eo args'])\n"
    )
    with Server(users={"careful": [PASSWORD]}, path=programs) as server:
        pin(home, server)
        data = {
            "ssh_hostname": ADDRESS,
            "ssh_port": server.port,
            "ssh_user": "ops",
            "ssh_known_hosts_file": str(home / "known_hosts"),
            "access": access,
        }
        (home / "fleet.py").write_text(f"new = [('app-4', {data!r})]\n")
        words = [str(home / "fleet.py"), str(home / "bootstrap.py"), "-y", "-vvv", how]
        run = subprocess.run(
            [str(Path(sys.executable).with_name("pyinfra")), *words],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert server.tried[-1] == ("careful", "password")
    printed = run.stdout + run.stderr
    assert run.returncode == 0, printed
    assert how != "--debug-all" or "sudo -H -S" in printed, "the process list was not shown"
    assert PASSWORD not in printed.replace(f"secret-{PASSWORD}", "")
    assert SUDO_PASSWORD not in printed.replace(f"secret-{SUDO_PASSWORD}", "")
