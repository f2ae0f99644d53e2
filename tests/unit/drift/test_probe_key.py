"""What a key that may only read a host is given, whatever it asks for."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from roles.observed.noise import MARK, SAY_MARK
from roles.observed.probe import SCRIPT as PROBE
from roles.run.reading import look
from tests.unit.build import wanted
from tests.unit.host_setup.build import user

SCRIPT = Path("files/drift-probe/dockyard-probe")
OWN = "/usr/local/lib/dockyard/probe.sh"
KINDS = {
    *("path", "file", "newest", "sum", "name", "disk", "source", "proxy", "networks"),
    *("user", "sysctl", "module", "unit", "hosts", "zone", "sudoers", "sshd", "block"),
}


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A host's own probe, which says what it was given; and what the key runs."""
    (tmp_path / "probe.sh").write_text("printf '<%s>' \"$@\"\n")
    text = SCRIPT.read_text()
    assert text.count(OWN) == 1
    (tmp_path / "script").write_text(text.replace(OWN, str(tmp_path / "probe.sh")))
    return tmp_path


def asked(host: Path, command: str) -> subprocess.CompletedProcess[str]:
    argv = ["sh", str(host / "script"), command]
    sent = "echo another probe\n"
    return subprocess.run(argv, input=sent, capture_output=True, text=True, timeout=20)


def as_sent(*words: str, login: tuple[str, ...] = ("sh", "-c")) -> str:
    """A command line as the channel sends it."""
    line = shlex.join(["timeout", "-k", "5", "60", "sh", "-s", "--", *words])
    return shlex.join([*login, f"{SAY_MARK}exec {line}"])


@pytest.mark.parametrize("login", [("sh", "-c"), ("sudo", "-H", "-n", "sh", "-c")])
def test_the_words_of_the_probe_arrive(host: Path, login: tuple[str, ...]) -> None:
    words = ("10", "path", "/a b", "file", "/x/myid", "name", "o'neil", "sum", "/$(id)*")
    run = asked(host, as_sent(*words, login=login))
    assert run.stdout == f"{MARK}\n" + "".join(f"<{word}>" for word in words)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(
    "command",
    [
        *("id", "", "cat /etc/shadow", "rm -rf /tmp -- ; id", "sh -c 'id; id'", "sh -c 'id"),
        as_sent("file", "/etc/shadow"),
    ],
)
def test_whatever_else_is_asked_for_the_probe_is_run(host: Path, command: str) -> None:
    assert asked(host, command).stdout == f"{MARK}\n<10>"


@pytest.mark.parametrize(
    "words",
    [
        "10 file /etc/shadow",
        "10 path /a file /etc/shadow",
        "10 x1 file /etc/shadow",
        "10 x1 a file /etc/shadow",
        "10 path path file /etc/shadow",
        "10 file /apps/data/zookeeper/super",
        "10 newest /etc/ssl/private/key",
        "10 newest /apps/data/zookeeper/super",
        "10 block /etc/shadow",
        "10 block /etc/ssh/sshd_config block /home/ann/.netrc",
        "10 hosts /etc/shadow",
        "10 user -sfiles",
        "10 name --service=files",
        "10 source http://-e/bin/sh:80",
        "10 source distro proxy cache:-e",
        "10 path",
        "10 later /a",
    ],
)
def test_of_no_other_file_anything_is_shown(host: Path, words: str) -> None:
    run = asked(host, as_sent(*words.split()))
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("dockyard-probe: ")


def test_it_is_refused_also_where_that_can_t_be_said(host: Path) -> None:
    argv = ["sh", "-c", 'exec sh "$0" "$1" 2>&-', str(host / "script")]
    command = as_sent("10", "file", "/etc/shadow")
    run = subprocess.run([*argv, command], input="", capture_output=True, text=True, timeout=20)
    assert (run.returncode, run.stdout) == (1, "")


FULL = {
    "docker_engine": {
        "source": "vendor",
        "version": "5:26.1.4-1~debian.12~bookworm",
        "proxy": {"https": "http://198.18.0.9:3128"},
    },
    "soa_engine": {"network": "services"},
    "host_setup": {
        **user(uid=1001, sudo=True, lock_passwords=True, exclusive=True),
        "name": True,
        "timezone": "Europe/Berlin",
        "time_sync": {"servers": ["198.18.0.8"]},
        "sysctls": {"net.core.somaxconn": 4096},
        "modules": ["br-netfilter"],
        "limits": {"nofile": 65536},
        "log_rotation": {},
        "journald": {"max_use_mb": 100},
        "security_updates": True,
    },
}


def test_all_that_a_check_looks_at_is_let_through(host: Path) -> None:
    full = wanted(**FULL)
    setup = full.host_setup
    assert all(getattr(setup, name) for name in type(setup).model_fields)
    external = wanted(registry={"connection": "zk-1:2181,[2001:db8::3]:2181", "server": None})
    words = [*look(full).arguments, *look(external).arguments]
    assert set(words[::2]) == KINDS
    run = asked(host, as_sent("10", *words))
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == f"{MARK}\n" + "".join(f"<{word}>" for word in ("10", *words))


def test_every_kind_that_the_probe_knows_is_known_to_the_key() -> None:
    gathered = re.findall(r"^for kind in (.*); do gather", PROBE.decode(), re.MULTILINE)
    singles = re.findall(r"^    (disk|source|proxy|networks)\)", PROBE.decode(), re.MULTILINE)
    assert {*" ".join(gathered).split(), *singles} == KINDS
