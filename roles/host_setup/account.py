"""The operations user: made, let in by its keys, let become root; then passwords are locked.

Pure.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from itertools import pairwise

from roles.access import known_hosts
from roles.host_setup.change import (
    ROLE,
    SetupChange,
    block_problem,
    change,
    file_gaps,
    lines,
)
from roles.host_setup.commands import Step, Where, give_keys, place, script, text
from roles.host_setup.packages import installed, packager_problem
from roles.host_setup.spec import KEY_TYPES, UserSpec
from roles.observed import Account
from roles.run.changes import Gap
from roles.run.fleet import Member
from roles.run.problems import Problem

SSHD = "/usr/sbin/sshd"
SSHD_CONFIG = "/etc/ssh/sshd_config"
DROP_IN = "/etc/ssh/sshd_config.d/00-dockyard.conf"
"""The first that says a thing to sshd wins, so it comes before all others."""
LOCKED = (
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "ChallengeResponseAuthentication no",
)
"""The last is what sshd before 8.7 calls the one above it."""
TOLD = tuple(line.partition(" ")[0].lower() for line in LOCKED)


def rule_path(user: UserSpec) -> str:
    return f"/etc/sudoers.d/{user.name}"


def rule(user: UserSpec) -> bytes:
    return lines(f"{user.name} ALL=(ALL:ALL) NOPASSWD: ALL")


def problems(member: Member) -> Iterator[Problem]:
    user = member.wanted.host_setup.user
    if user is None:
        return
    accounts, key = member.observed.setup.accounts, f"{ROLE}.user"
    found = accounts.get(user.name)
    if user.uid is not None and found and found.uid != user.uid:
        text = (
            f"expected {user.uid} for {user.name}, which is there with {found.uid}; name that one, "
            "or another user: what it owns would be left behind"
        )
        yield Problem(member.name, f"{key}.uid", text)
    others = [a.name for a in accounts.values() if a.uid == user.uid and a.name != user.name]
    if others and user.uid is not None:
        text = f"{user.uid} is {', '.join(others)}'s there; name another"
        yield Problem(member.name, f"{key}.uid", text)
    if not user.is_root and user.shell not in member.observed.paths:
        text = f"there is no {user.shell} there; name a shell that the host has"
        yield Problem(member.name, f"{key}.shell", text)
    if user.sudo and not user.is_root:
        yield from _sudo_problems(member, user)
    if user.lock_passwords and SSHD in member.observed.paths and _is_block(member):
        yield from block_problem(member, f"{key}.lock_passwords", SSHD_CONFIG)


def _sudo_problems(member: Member, user: UserSpec) -> Iterator[Problem]:
    sudoers, key = member.observed.setup.sudoers, f"{ROLE}.user.sudo"
    if sudoers and not sudoers.is_installed:
        if member.observed.user_id != 0:
            text = "the host has no sudo, and is not reached as root; install it there first"
            yield Problem(member.name, key, text)
        yield from packager_problem(member, key, "sudo")
    elif sudoers and sudoers.error and rule_path(user) not in sudoers.error:
        text = f"visudo -c refuses the host's sudoers; mend that first: {sudoers.error}"
        yield Problem(member.name, key, text)


def changes(member: Member) -> Iterator[SetupChange]:
    user = member.wanted.host_setup.user
    if user is None:
        return
    found = member.observed.setup.accounts.get(user.name)
    yield from _user_changes(member, user, found)
    yield from _key_changes(member, user, found)
    if user.sudo and not user.is_root:
        yield from _sudo_changes(member, user)
    yield from _other_key_changes(member, user, found)
    if user.lock_passwords:
        yield from _lock_changes(member, user, found)


def _user_changes(member: Member, user: UserSpec, found: Account | None) -> Iterator[SetupChange]:
    """Who is made has no password, which counts as locked: an sshd without PAM minds that."""
    if user.is_root:
        return
    has_pam = member.observed.setup.sshd.get("usepam") != "no"
    unbar = script("password", user.name)
    if found is None:
        uid = "" if user.uid is None else f" with UID {user.uid}"
        gap = Gap(f"user {user.name}", f"there{uid}", "absent")
        steps = [] if has_pam else [unbar]
        yield from change(member, f"make the user {user.name}{uid}", [gap], *steps, kind="user")
        return
    if found.shell != user.shell:
        gap = Gap(f"user {user.name} shell", user.shell, found.shell)
        action = f"give the user {user.name} the shell {user.shell}"
        yield from change(member, action, [gap], kind="user")
    if found.is_barred and not has_pam:
        gap = Gap(f"user {user.name} password", "none, and not locked", "locked")
        action = f"have sshd, which is without PAM, let {user.name} in by its keys"
        yield from change(member, action, [gap], unbar, kind="user")


def _key_changes(member: Member, user: UserSpec, found: Account | None) -> list[SetupChange]:
    gaps = [*_missing(user, found), *_misplaced(user, found)]
    step = give_keys(user.name, "add", lines(*user.keys))
    return change(member, f"write authorized_keys of {user.name}", gaps, step, kind="keys")


def _other_key_changes(member: Member, user: UserSpec, found: Account | None) -> list[SetupChange]:
    """A first access may be by one of them: they go when the ordinary one has been proven.

    That may be by one of them, too, so it is proven again when they are gone.
    """
    action = f"take other keys out of authorized_keys of {user.name}"
    step = give_keys(user.name, "only", lines(*user.keys))
    return change(member, action, list(_others(user, found)), step, kind="others")


def _missing(user: UserSpec, found: Account | None) -> Iterator[Gap]:
    there = [] if found is None else [line.split() for line in found.keys]
    for key in user.keys:
        kind, blob = key.split()[:2]
        lines_of_it = [words for words in there if blob in words]
        if not any(words[:2] == [kind, blob] for words in lines_of_it[:1]):
            how = "there with other options" if lines_of_it else "absent"
            yield Gap(_called(user, blob), _shown(key), how)


def _others(user: UserSpec, found: Account | None) -> Iterator[Gap]:
    """Keys that are nobody's wish; told where no other is to be there."""
    wanted = {key.split()[1] for key in user.keys}
    for line in found.keys if found and user.exclusive else ():
        words = line.split()
        blob = next((b for a, b in pairwise(words) if a in KEY_TYPES), "")
        if blob not in wanted:
            yield Gap(_called(user, blob), "absent", "there")


def _misplaced(user: UserSpec, found: Account | None) -> Iterator[Gap]:
    """Paths by whose owner or mode sshd does not read the keys (`StrictModes`)."""
    if found is None:
        return
    for path, its in found.places.items():
        if its.owner not in (0, found.uid) or its.mode & 0o022:
            wanted = f"{user.name}'s, and nobody else's to write"
            yield Gap(path, wanted, f"of UID {its.owner}, mode {its.mode:o}")


def fingerprint(blob: str) -> str:
    """Of a key's base64; what is none is taken as it stands."""
    try:
        content = base64.b64decode(blob)
    except ValueError:
        content = blob.encode()
    return known_hosts.fingerprint(content)


def _called(user: UserSpec, blob: str) -> str:
    return f"authorized_keys of {user.name} {fingerprint(blob)}"


def _shown(key: str) -> str:
    """A key without what it is."""
    kind, _, *comment = key.split(None, 2)
    return " ".join((kind, *comment))


def _sudo_changes(member: Member, user: UserSpec) -> list[SetupChange]:
    path, content = rule_path(user), rule(user)
    sudoers, gaps = member.observed.setup.sudoers, file_gaps(member, path, content, "440")
    steps: list[Step] = []
    if sudoers and not sudoers.is_installed:
        gaps.insert(0, Gap("package sudo", "installed", "absent"))
        steps = installed(member, "sudo")
    check = 'visudo -cf "$1"'
    steps.append(place(path, content, "440", check=check, apply=text("sudo")))
    return change(member, f"let {user.name} become root by {path}", gaps, *steps, kind="sudo")


def _is_block(member: Member) -> bool:
    """Whether sshd reads no drop-ins, and is told by a block in its own file."""
    return "include" not in member.observed.setup.sshd


def _lock_changes(member: Member, user: UserSpec, found: Account | None) -> Iterator[SetupChange]:
    """Only what is known to be open is locked; a user that is yet to be made has no password."""
    setup = member.observed.setup
    if SSHD in member.observed.paths:
        block = _is_block(member)
        path, content = SSHD_CONFIG if block else DROP_IN, lines(*LOCKED)
        if block:
            same = setup.blocks.get(path, "").encode() == content
            gaps = [] if same else [Gap(f"{path} block", "as Dockyard writes it", "differs")]
        else:
            gaps = file_gaps(member, path, content)
        told = [(name, setup.sshd.get(name, "no")) for name in TOLD]
        gaps += [Gap(f"sshd {name}", "no", value) for name, value in told if value != "no"]
        mode = "600" if block else "644"
        where: Where = "first" if block else "whole"
        step = place(path, content, mode, where, apply=text("sshd"))
        yield from change(member, f"forbid passwords to sshd by {path}", gaps, step, kind="lock")
    if found and not user.is_root and found.is_locked is False:
        gap = Gap(f"user {user.name} password", "locked", "open")
        step = script("password", user.name)
        yield from change(member, f"lock the password of {user.name}", [gap], step, kind="lock")
