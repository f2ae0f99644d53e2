from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path as File
from typing import Any

import pytest
from pyinfra.api import Host, State

from roles.docker_engine import rehearsal
from roles.docker_engine.materials import Materials
from roles.docker_engine.plan import plan
from roles.docker_engine.rehearsal import rehearse, transaction_problems
from roles.docker_engine.transaction import Transaction, parse
from roles.observed import Observed, Service
from roles.observed.channel import RemoteError, Result
from roles.run.problems import Problem
from tests.unit.build import bare, fitted, fleet, local_state, member
from tests.unit.docker_engine.build import DEB_VERSION, ROCKY, VENDOR, files, one, vendors

BY_VENDOR = {"source": "vendor", "vendor": VENDOR}
OWN = "20.10.24+dfsg1-1"
DOWNGRADE = (
    "would be a downgrade, which engines do not promise to survive; name another version, or set "
    "docker_engine.allow_downgrade"
)


@pytest.mark.parametrize(
    "observed, engine, found, problems",
    [
        (bare(), {}, Transaction(installs={"docker.io": OWN}), []),
        (fitted(), {}, Transaction(upgrades={"docker.io": "26.1.5"}), []),
        (
            bare(packages={"podman-docker": "4.3.1"}),
            {},
            Transaction(installs={"docker.io": OWN}, removals={"podman-docker": "4.3.1"}),
            [
                "source: the package manager would remove podman-docker, and nothing is removed "
                "unasked; remove it by hand, or take another version or source"
            ],
        ),
        (
            fitted(),
            BY_VENDOR,
            Transaction(
                installs={"docker-ce": DEB_VERSION},
                removals=dict.fromkeys(("docker.io", "containerd", "runc"), "1"),
            ),
            [],
        ),
        (
            fitted(),
            BY_VENDOR,
            Transaction(
                installs={"docker-ce": DEB_VERSION},
                removals=dict.fromkeys(("docker.io", "kubelet", "cri-tools"), "1"),
            ),
            [
                "source: the package manager would remove kubelet, cri-tools, and nothing is "
                "removed unasked; remove it by hand, or take another version or source"
            ],
        ),
        (
            vendors(),
            {},
            Transaction(pins={"docker.io": OWN}, installs={"docker.io": OWN}),
            [f"version: {DEB_VERSION} is installed, and 20.10.24 {DOWNGRADE}"],
        ),
        (
            vendors(),
            {"allow_downgrade": True},
            Transaction(pins={"docker.io": OWN}, installs={"docker.io": OWN}),
            [],
        ),
        (
            vendors(),
            BY_VENDOR,
            Transaction(downgrades={"docker-ce": "5:26.1.5-0~debian.12~bookworm"}),
            [f"version: {DEB_VERSION} is installed, and 26.1.5 {DOWNGRADE}"],
        ),
        (
            vendors(),
            BY_VENDOR,
            Transaction(installs={"containerd.io": "1"}, downgrades={"iptables": "1"}),
            [],
        ),
        (
            fitted(),
            {},
            Transaction(
                upgrades={"docker.io": "26.1.5"}, held=("docker.io", "libseccomp2", "iptables")
            ),
            [
                "source: the package manager would change libseccomp2, iptables, which somebody "
                "holds; let it go by hand, or take another version or source"
            ],
        ),
        (fitted(), {}, Transaction(held=("docker.io", "docker-ce", "runc")), []),
        (
            bare(**ROCKY),
            BY_VENDOR,
            parse(
                "dnf|Installing:\n"
                "dnf| docker-ce  x86_64  3:26.1.5-1.el9  docker-ce-stable  27 M\n"
                "dnf|     replacing  podman-docker.noarch 2:4.9.4-1.el9\n"
            ),
            [
                "source: the package manager would remove podman-docker, and nothing is removed "
                "unasked; remove it by hand, or take another version or source"
            ],
        ),
    ],
    ids=[
        "fresh",
        "upgrade",
        "foreign-goes",
        "migration",
        "others-go",
        "older-by-migration",
        "older-allowed",
        "older-package-of-the-same-engine",
        "other-package-becomes-older",
        "somebodys-holds",
        "holds-of-engines",
        "replaced-by-dnf",
    ],
)
def test_what_a_transaction_must_not_do(
    observed: Observed, engine: dict[str, Any], found: Transaction, problems: list[str]
) -> None:
    told = transaction_problems(one(observed, engine), found)
    assert [str(p) for p in told] == [f"app-1: docker_engine.{text}" for text in problems]


class Hosts:
    """What hosts say to a rehearsal; `asked` are those that were."""

    def __init__(self) -> None:
        self.says: dict[str, Result | Exception] = {}
        self.asked: list[str] = []

    def run(
        self, state: State, host: Host, command: str, *, stdin: Iterable[bytes], **_: Any
    ) -> Result:
        assert b"run.sh" in b"".join(stdin)
        self.asked.append(host.name)
        said = self.says[host.name]
        if isinstance(said, Exception):
            raise said
        return said


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    found = Hosts()
    monkeypatch.setattr("roles.docker_engine.rehearsal.channel.run", found.run)
    return found


def rehearsed(*members: Any, without: tuple[str, ...] = ()) -> tuple[Any, list[str]]:
    found, problems = rehearse(
        local_state("app-1", "app-2", "app-3"), fleet(*members), without=without
    )
    return found, [str(problem) for problem in problems]


def test_a_fleet_is_rehearsed_where_there_is_something_to_ask(hosts: Hosts) -> None:
    said = f"pin|docker.io|{OWN}\napt|Inst docker.io ({OWN} Debian:12 [amd64])\n"
    hosts.says = {"app-1": Result(0, said.encode(), b""), "app-3": Result(0, b"", b"")}
    config = {"config": {"debug": True}}
    found, problems = rehearsed(
        one(bare()),
        member("app-2"),
        member("app-3", docker_engine=config),
    )
    assert problems == []
    assert sorted(hosts.asked) == ["app-1", "app-3"]
    assert found["app-1"].rehearsed == Transaction(
        pins={"docker.io": OWN}, installs={"docker.io": OWN}
    )
    assert found["app-2"].rehearsed is found["app-3"].rehearsed is None
    assert f"install docker.io {OWN} from the distribution" in str(plan(found)[0])


@pytest.mark.parametrize(
    "found",
    [
        one(fitted()),
        one(bare(), in_limit=False),
        one(bare(), {"source": "present"}),
        one(bare(), {"config": {"debug": True}, "source": "present"}),
        one(fitted(docker_service=Service(enabled=True)), {"config": {"debug": True}}),
    ],
    ids=["as-wanted", "outside-the-limit", "present", "present-with-config", "stopped"],
)
def test_a_host_that_is_not_asked(hosts: Hosts, found: Any) -> None:
    assert rehearsed(found) == (fleet(found), [])
    assert hosts.asked == []


def test_a_host_that_has_problems_already_is_not_asked(hosts: Hosts) -> None:
    assert rehearsed(one(bare()), without=("app-1",))[1] == []
    assert hosts.asked == []


def test_a_package_source_that_differs_is_looked_into(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "materials", lambda member: Materials(key=b"key"))
    hosts.says["app-1"] = Result(
        1, b"", b"docker_engine.vendor: its repository can not be used:\nE"
    )
    found, problems = rehearsed(one(vendors(), BY_VENDOR))
    assert problems == ["app-1: docker_engine.vendor: its repository can not be used:\nE"]
    assert hosts.asked == ["app-1"]
    hosts.says["app-1"] = Result(0, b"", b"")
    found, problems = rehearsed(one(vendors(), BY_VENDOR))
    assert (problems, found["app-1"].rehearsed) == ([], None)


def test_a_script_cannot_be_rehearsed(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch, tmp_path: File
) -> None:
    monkeypatch.setattr(rehearsal, "materials", lambda member: Materials(script=tmp_path))
    engine = {"source": "script", "script": files("install.sh")[0]}
    assert rehearsed(one(bare(), engine))[1] == []
    assert hosts.asked == []


def test_what_this_machine_cannot_bring_is_told(hosts: Hosts, tmp_path: File) -> None:
    engine = {"source": "files", "files": files("docker-ce_1-1_amd64.deb", folder=str(tmp_path))}
    path = tmp_path / "docker-ce_1-1_amd64.deb"
    assert rehearsed(one(bare(), engine))[1] == [
        f"app-1: docker_engine.files: '{path}' can't be read: No such file or directory; "
        "mend it there, or here"
    ]
    assert hosts.asked == []


@pytest.mark.parametrize(
    "said, problem",
    [
        (
            Result(1, b"", b"docker_engine.version: docker-ce 27 is not there; there are: 26\n"),
            "docker_engine.version: docker-ce 27 is not there; there are: 26",
        ),
        (
            Result(1, b"", b"docker_engine.source: apt can't install it:\nE: broken\n"),
            "docker_engine.source: apt can't install it:\nE: broken",
        ),
        (
            Result(1, b"", b"docker_engine.config: the engine refuses it: unknown key\n"),
            "docker_engine.config: the engine refuses it: unknown key",
        ),
        (
            Result(2, b"", b"sh: 1: cannot create /tmp: No space left\n"),
            "docker_engine.source: sh: 1: cannot create /tmp: No space left",
        ),
        (
            Result(2, b"", b"docker_engine is odd: or so\n"),
            "docker_engine.source: docker_engine is odd: or so",
        ),
        (Result(2, b"", b""), "docker_engine.source: exited with 2"),
        (
            RemoteError("the rehearsal did not end within 300 s"),
            "docker_engine.source: the rehearsal did not end within 300 s",
        ),
    ],
    ids=["version", "source", "config", "no-key", "like-a-key", "silent", "connection"],
)
def test_what_a_host_refuses(hosts: Hosts, said: Result | Exception, problem: str) -> None:
    hosts.says["app-1"] = said
    found, problems = rehearsed(one(bare()))
    assert problems == [f"app-1: {problem}"]
    assert found["app-1"].rehearsed is None


def test_every_hosts_problem_is_told(hosts: Hosts) -> None:
    hosts.says = {
        "app-1": Result(1, b"", b"docker_engine.source: no"),
        "app-2": Result(0, b"apt|Remv podman-docker [4.3.1]\n", b""),
        "app-3": Result(0, b"", b""),
    }
    others = [member(name, observed=bare()) for name in ("app-2", "app-3")]
    found, problems = rehearsed(one(bare()), *others)
    assert [problem.split(": ")[:2] for problem in problems] == [
        ["app-1", "docker_engine.source"],
        ["app-2", "docker_engine.source"],
    ]
    assert [m.name for m in found] == ["app-1", "app-2", "app-3"]
    assert replace(found["app-3"], rehearsed=None) == others[1]
    assert isinstance(transaction_problems(found["app-2"], found["app-2"].rehearsed)[0], Problem)
