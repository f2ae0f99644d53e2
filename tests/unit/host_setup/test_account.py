from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from roles.host_setup import account
from roles.host_setup.change import lines
from roles.host_setup.plan import changes
from roles.observed import Account, HomePath, Path, Setup, Sudoers
from tests.unit.host_setup.build import (
    ANN,
    ANN_BLOB,
    BOB,
    BOB_BLOB,
    GOOD_SUDO,
    PLACES,
    SAID_NO,
    SAID_YES,
    gaps,
    host,
    ops,
    planned,
    told,
    user,
)

RULE = "/etc/sudoers.d/ops"
FILES = {
    RULE: b"ops ALL=(ALL:ALL) NOPASSWD: ALL\n",
    account.DROP_IN: lines(*account.LOCKED),
}
MODES = {RULE: Path("regular file", "0:0", "440")}


def done(**more: Any) -> Setup:
    """All is as it is wanted."""
    whole = Setup(accounts={"ops": ops()}, sudoers=GOOD_SUDO, sshd=SAID_NO)
    return replace(whole, **more)


def test_a_bare_host() -> None:
    found = host(user(uid=2000), Setup(sudoers=GOOD_SUDO, sshd=SAID_YES))
    assert planned(found) == [
        "make the user ops with UID 2000: absent",
        "write authorized_keys of ops: absent",
        "let ops become root by /etc/sudoers.d/ops: absent",
        "forbid passwords to sshd by /etc/ssh/sshd_config.d/00-dockyard.conf: "
        "2 of its settings differ",
    ]
    assert [change.kind for change in changes(found)] == ["user", "keys", "sudo", "lock"]
    assert told(found) == []


@pytest.mark.parametrize("accounts", [{}, {"ops": ops(is_barred=True)}], ids=["new", "there"])
@pytest.mark.parametrize("pam, steps", [("yes", []), ("no", ["password"])])
def test_an_sshd_without_pam_lets_the_user_in(
    accounts: dict[str, Account], pam: str, steps: list[str]
) -> None:
    found = changes(host(user(), done(accounts=accounts, sshd={**SAID_NO, "usepam": pam})))
    called = [step.called for change in found if change.kind == "user" for step in change.steps]
    assert called == steps


def test_a_host_that_is_as_wanted() -> None:
    assert planned(host(user(), done(), FILES, modes=MODES)) == []


@pytest.mark.parametrize(
    "setup, expected",
    [
        (
            done(accounts={"ops": ops(shell="/bin/sh")}),
            ("user ops shell", "/bin/bash", "/bin/sh"),
        ),
        (
            done(accounts={"ops": ops(keys=())}),
            (
                f"authorized_keys of ops {account.fingerprint(ANN_BLOB)}",
                "ssh-ed25519 ann@laptop",
                "absent",
            ),
        ),
        (
            done(accounts={"ops": ops(keys=(f'command="id" {ANN}', ANN))}),
            (
                f"authorized_keys of ops {account.fingerprint(ANN_BLOB)}",
                "ssh-ed25519 ann@laptop",
                "there with other options",
            ),
        ),
        (
            done(accounts={"ops": ops(places={**PLACES, "/home/ops": HomePath("d", 1001, 0o777)})}),
            ("/home/ops", "ops's, and nobody else's to write", "of UID 1001, mode 777"),
        ),
        (
            done(
                accounts={"ops": ops(places={**PLACES, "/home/ops/.ssh": HomePath("d", 9, 0o700)})}
            ),
            ("/home/ops/.ssh", "ops's, and nobody else's to write", "of UID 9, mode 700"),
        ),
        (
            done(accounts={"ops": ops(is_locked=False)}),
            ("user ops password", "locked", "open"),
        ),
        (done(sshd=SAID_YES), ("sshd passwordauthentication", "no", "yes")),
        (
            done(accounts={"ops": ops(is_barred=True)}, sshd={**SAID_NO, "usepam": "no"}),
            ("user ops password", "none, and not locked", "locked"),
        ),
    ],
)
def test_what_differs_is_named(setup: Setup, expected: tuple[str, str, str]) -> None:
    assert gaps(host(user(), setup, FILES, modes=MODES)) == [expected]


def test_files_that_differ_are_named() -> None:
    other = {**FILES, RULE: b"ops ALL=(ALL) ALL\n"}
    assert gaps(host(user(), done(), other, modes=MODES)) == [
        (RULE, "as Dockyard writes it", "differs")
    ]
    open_to_all = {RULE: Path("regular file", "0:0", "666")}
    refused = done(sudoers=Sudoers(True, f"{RULE}: bad permissions, should be mode 0440"))
    found = host(user(), refused, FILES, modes=open_to_all)
    assert gaps(found) == [(RULE, "of 0:0, mode 440", "of 0:0, mode 666")]
    assert told(found) == []


def test_other_keys_are_of_no_concern_but_where_ours_are_the_only_ones() -> None:
    setup = done(accounts={"ops": ops(keys=(f"no-pty {BOB}", ANN))})
    assert gaps(host(user(), setup, FILES, modes=MODES)) == []
    assert gaps(host(user(exclusive=True), setup, FILES, modes=MODES)) == [
        (f"authorized_keys of ops {account.fingerprint(BOB_BLOB)}", "absent", "there")
    ]
    [change] = changes(host(user(exclusive=True), setup, FILES, modes=MODES))
    assert (change.kind, change.steps[0].words[-2:]) == ("others", ("ops", "only"))


def test_no_key_is_shown_whole() -> None:
    setup = done(accounts={"ops": ops(keys=(BOB,))})
    found = host(user(exclusive=True), setup, FILES, modes=MODES)
    shown = repr([str(change) for change in changes(found)]) + repr(gaps(found))
    assert len(gaps(found)) == 2
    assert ANN_BLOB not in shown
    assert BOB_BLOB not in shown


def test_a_fingerprint_is_ssh_keygens() -> None:
    # ssh-keygen -l
    assert account.fingerprint(ANN_BLOB) == "SHA256:iXRpadiQ/C0PT5w52hZM54ItNsSnXA3mKA95P6rLtm0"


def test_root_gets_keys_alone() -> None:
    setup = Setup(accounts={"root": Account("root", 0, "/root", "/bin/sh", False)}, sshd=SAID_YES)
    found = host(user(name="root"), setup, paths=("/usr/sbin/sshd",))
    assert [change.kind for change in changes(found)] == ["keys", "lock"]
    assert told(found) == []


def test_an_sshd_that_reads_no_drop_ins_is_told_in_its_own_file() -> None:
    old = {"passwordauthentication": "yes", "challengeresponseauthentication": "no"}
    found = host(user(), done(sshd=old), FILES, modes=MODES)
    [change] = changes(found)
    assert str(change).endswith(
        "forbid passwords to sshd by /etc/ssh/sshd_config: 2 of its settings differ"
    )
    assert change.steps[0].words[4:8] == (
        str(len(lines(*account.LOCKED))),
        "/etc/ssh/sshd_config",
        "600",
        "first",
    )
    said = {"passwordauthentication": "no", "challengeresponseauthentication": "no"}
    blocks = {"/etc/ssh/sshd_config": lines(*account.LOCKED).decode()}
    assert planned(host(user(), done(sshd=said, blocks=blocks), FILES, modes=MODES)) == []


def test_where_there_is_no_sshd_nothing_is_locked_there() -> None:
    found = host(user(), done(sshd={}), {RULE: FILES[RULE]}, ("/bin/bash",), modes=MODES)
    assert planned(found) == []


def test_passwords_may_stay() -> None:
    setup = done(accounts={"ops": ops(is_locked=False)}, sshd=SAID_YES)
    assert planned(host(user(lock_passwords=False), setup, FILES, modes=MODES)) == []


def test_sudo_is_installed_where_it_is_not() -> None:
    setup = done(sudoers=Sudoers(is_installed=False))
    found = host(user(), setup, {account.DROP_IN: FILES[account.DROP_IN]})
    [change] = changes(found)
    assert [step.called for step in change.steps] == ["installing sudo", f"writing {RULE}"]
    assert gaps(found)[0] == ("package sudo", "installed", "absent")
    assert told(found) == []


@pytest.mark.parametrize(
    "wanted, setup, observed, expected",
    [
        (
            user(uid=2000),
            done(),
            {},
            "user.uid: expected 2000 for ops, which is there with 1001; name that one, or another "
            "user: what it owns would be left behind",
        ),
        (
            user(uid=2000),
            Setup(accounts={"bob": Account("bob", 2000, "", "")}, sudoers=GOOD_SUDO),
            {},
            "user.uid: 2000 is bob's there; name another",
        ),
        (
            user(shell="/bin/zsh"),
            done(),
            {},
            "user.shell: there is no /bin/zsh there; name a shell that the host has",
        ),
        (
            user(),
            done(sudoers=Sudoers(True, "/etc/sudoers.d/other:3:8: syntax error")),
            {},
            "user.sudo: visudo -c refuses the host's sudoers; mend that first: "
            "/etc/sudoers.d/other:3:8: syntax error",
        ),
        (
            user(),
            done(sshd={"usepam": "yes"}, unended=frozenset(["/etc/ssh/sshd_config"])),
            {},
            "user.lock_passwords: /etc/ssh/sshd_config there has a line '# dockyard: begin' and "
            "no '# dockyard: end' after it, so what follows can't be told from Dockyard's own; put "
            "that line behind the block there",
        ),
        (
            user(),
            done(sudoers=Sudoers(is_installed=False)),
            {"user_id": 1000},
            "user.sudo: the host has no sudo, and is not reached as root; install it there first",
        ),
        (
            user(),
            done(sudoers=Sudoers(is_installed=False)),
            {"os_id": "alpine"},
            "user.sudo: needs the package sudo, and only debian, ubuntu, rhel, centos, fedora, "
            "amzn and what is like them are known; install it there, or leave the key away",
        ),
    ],
)
def test_what_forbids_a_run(
    wanted: dict[str, Any], setup: Setup, observed: dict[str, Any], expected: str
) -> None:
    assert told(host(wanted, setup, FILES, modes=MODES, **observed)) == [expected]
