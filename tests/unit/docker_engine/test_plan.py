from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path as File
from typing import Any

import pytest

from roles.docker_engine import managed
from roles.docker_engine.need import package_need, target
from roles.docker_engine.plan import changes, check, held_names, lacks_key, plan
from roles.docker_engine.transaction import Transaction
from roles.observed import Observed, Path, Service
from roles.run.fleet import Member
from tests.unit.build import bare, fitted, fleet
from tests.unit.docker_engine.build import (
    DEB_VERSION,
    KEY,
    ROCKY,
    VENDOR,
    files,
    one,
    vendors,
)

BY_VENDOR = {"source": "vendor", "vendor": VENDOR}
FILES = files(
    "containerd.io_1.6.33-1_amd64.deb",
    "docker-ce_26.1.5-1~debian.12~bookworm_amd64.deb",
    "docker-ce-cli_26.1.5-1~debian.12~bookworm_amd64.deb",
    "libslirp0_4.7.0-1_amd64.deb",
)
BY_FILES = {"source": "files", "files": FILES}
BY_SCRIPT = {"source": "script", "script": files("install.sh")[0]}


def planned(found: Member) -> list[str]:
    return [str(change).removeprefix("app-1: docker_engine: ") for change in plan(fleet(found))]


def told(observed: Observed, engine: dict[str, Any] | None = None) -> list[str]:
    found = check(fleet(one(observed, engine)))
    return [str(problem).removeprefix("app-1: docker_engine") for problem in found]


def configured(observed: Observed) -> Observed:
    """The host with the vendor's key and repository as they should be."""
    spec = one(observed, BY_VENDOR).wanted.docker_engine
    file = managed.repository(spec, observed)
    return replace(
        observed,
        sums={file.path: sha256(file.content).hexdigest()},
        paths={managed.key_path(spec, observed): Path("regular file", "0:0", "644")},
    )


@pytest.mark.parametrize(
    "observed, engine, expected",
    [
        (bare(), {}, ("docker.io",)),
        (bare(os_version="13"), {}, ("docker.io", "docker-cli")),
        (bare(os_id="alpine"), {}, ()),
        (bare(), BY_VENDOR, ("docker-ce", "docker-ce-cli", "containerd.io")),
        (bare(), BY_SCRIPT, ("docker-ce", "docker-ce-cli", "containerd.io")),
        (bare(), BY_FILES, ("docker-ce", "containerd.io", "docker-ce-cli")),
        (bare(), {"source": "present"}, ()),
    ],
    ids=["debian-12", "debian-13", "alpine", "vendor", "script", "files", "present"],
)
def test_the_wanted_engines_packages(
    observed: Observed, engine: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert target(one(observed, engine)) == expected


OLD = "5:20.10.24~3-0~debian-bookworm"


@pytest.mark.parametrize(
    "observed, engine, need",
    [
        (bare(), {}, "absent"),
        (fitted(), {}, None),
        (bare(packages={"containerd": "1.6.20", "docker": "1.5-2"}), {}, "absent"),
        (fitted(os_version="13"), {}, "docker-cli absent"),
        (vendors(), {}, "docker-ce is installed"),
        (fitted(), {"version": "20.10.24"}, None),
        (fitted(), {"version": "20.10.24+dfsg1-1"}, None),
        (fitted(), {"version": "26.1.5"}, "docker.io 20.10.24+dfsg1-1 -> 26.1.5"),
        (
            fitted(unfinished=frozenset({"runc", "docker.io"})),
            {},
            "the installation of docker.io, runc was cut off",
        ),
        (fitted(unfinished=frozenset({"vim", "libc6"})), {}, None),
        (fitted(unfinished=frozenset({"vim", "runc"})), {}, "the installation of runc was cut off"),
        (bare(), BY_VENDOR, "absent"),
        (fitted(), BY_VENDOR, "docker.io is installed"),
        (vendors(), BY_VENDOR, None),
        (vendors(), {**BY_VENDOR, "version": "26.1.5"}, None),
        (vendors(), {**BY_VENDOR, "version": DEB_VERSION}, None),
        (vendors(), {**BY_VENDOR, "version": DEB_VERSION[2:]}, None),
        (vendors(), {**BY_VENDOR, "version": "27.0.1"}, f"docker-ce {DEB_VERSION} -> 27.0.1"),
        (
            vendors(packages={"docker-ce": DEB_VERSION}),
            BY_VENDOR,
            "docker-ce-cli, containerd.io absent",
        ),
        (bare(), BY_SCRIPT, "absent"),
        (vendors(), BY_SCRIPT, None),
        (vendors(OLD), {**BY_SCRIPT, "version": "26.1.5"}, f"docker-ce {OLD} -> 26.1.5"),
        (bare(), BY_FILES, "absent"),
        (vendors(), BY_FILES, None),
        (vendors(OLD), BY_FILES, f"docker-ce {OLD} -> 26.1.5-1~debian.12~bookworm"),
        (fitted(), BY_FILES, "docker.io is installed"),
        (bare(), {"source": "present"}, None),
        (vendors(), {"source": "present", "version": "20.10.24"}, None),
        (bare(os_id="alpine"), {}, None),
    ],
    ids=[
        "distro-bare",
        "distro-fitted",
        "distro-without-an-engine",
        "distro-client-missing",
        "distro-other-source",
        "distro-version-in-numbers",
        "distro-whole-version",
        "distro-other-version",
        "distro-cut-off",
        "distro-others-cut-off",
        "distro-and-others-cut-off",
        "vendor-bare",
        "vendor-other-source",
        "vendor-fitted",
        "vendor-version-in-numbers",
        "vendor-whole-version",
        "vendor-without-epoch",
        "vendor-other-version",
        "vendor-half",
        "script-bare",
        "script-fitted",
        "script-other-version",
        "files-bare",
        "files-fitted",
        "files-other-version",
        "files-other-source",
        "present-bare",
        "present-other-version",
        "unknown-distribution",
    ],
)
def test_why_packages_are_needed(
    observed: Observed, engine: dict[str, Any], need: str | None
) -> None:
    assert package_need(one(observed, engine)) == need


@pytest.mark.parametrize(
    "observed, engine, rehearsed, expected",
    [
        (
            bare(),
            {},
            None,
            [
                "install docker.io from the distribution: absent",
                "hold docker.io: a system upgrade would move them",
                "enable and start docker.service: absent",
            ],
        ),
        (
            bare(),
            {},
            Transaction(
                pins={"docker.io": "20.10.24+dfsg1-1"},
                installs={"docker.io": "20.10.24+dfsg1-1", "runc": "1.1.5", "pigz": "2.6-1"},
                upgrades={"libc6": "2.36-9"},
            ),
            [
                "install docker.io 20.10.24+dfsg1-1, runc 1.1.5 and 2 more from the "
                "distribution: absent",
                "hold docker.io, runc: a system upgrade would move them",
                "enable and start docker.service: absent",
            ],
        ),
        (
            fitted(),
            {"version": "20.10.25"},
            Transaction(pins={"docker.io": "20.10.25-1"}, upgrades={"docker.io": "20.10.25-1"}),
            [
                "install docker.io 20.10.25-1 from the distribution: "
                "docker.io 20.10.24+dfsg1-1 -> 20.10.25 (interrupts)",
            ],
        ),
        (
            fitted(),
            BY_VENDOR,
            Transaction(
                pins={"docker-ce": DEB_VERSION, "docker-ce-cli": DEB_VERSION},
                installs={
                    "docker-ce": DEB_VERSION,
                    "docker-ce-cli": DEB_VERSION,
                    "containerd.io": "1.6.33-1",
                },
                removals={"docker.io": "20.10.24+dfsg1-1", "containerd": "1.6.20"},
            ),
            [
                f"install docker-ce {DEB_VERSION}, docker-ce-cli {DEB_VERSION}, containerd.io "
                "1.6.33-1 in place of docker.io 20.10.24+dfsg1-1, containerd 1.6.20 from the "
                "vendor's repository: docker.io is installed (interrupts)",
                f"write /etc/apt/keyrings/docker-{KEY}.asc: absent",
                "write /etc/apt/sources.list.d/docker.list: absent",
                "hold docker-ce, docker-ce-cli, containerd.io: a system upgrade would move them",
            ],
        ),
        (
            bare(),
            {**BY_FILES, "hold": False},
            None,
            [
                "install docker-ce, containerd.io, docker-ce-cli from the package files: absent",
                "enable and start docker.service: absent",
            ],
        ),
        (
            bare(),
            BY_SCRIPT,
            None,
            [
                "install docker-ce, docker-ce-cli, containerd.io from the script: absent",
                "hold docker-ce, docker-ce-cli, containerd.io: a system upgrade would move them",
                "enable and start docker.service: absent",
            ],
        ),
        (
            fitted(unfinished=frozenset({"runc"}), docker_service=Service()),
            {},
            None,
            [
                "install docker.io from the distribution: the installation of runc was cut off",
                "enable and start docker.service: disabled and stopped",
            ],
        ),
        (bare(), {"source": "present", "config": {"debug": True}}, None, []),
    ],
    ids=[
        "bare",
        "bare-rehearsed",
        "upgrade",
        "migration",
        "files",
        "script",
        "cut-off",
        "present",
    ],
)
def test_changes(
    observed: Observed,
    engine: dict[str, Any],
    rehearsed: Transaction | None,
    expected: list[str],
) -> None:
    assert planned(one(observed, engine, rehearsed=rehearsed)) == expected


@pytest.mark.parametrize("engine", [{}, BY_VENDOR, BY_FILES, {"source": "present"}], ids=str)
def test_a_host_as_wanted_is_left_alone(engine: dict[str, Any]) -> None:
    observed = vendors() if engine in (BY_VENDOR, BY_FILES) else fitted()
    assert planned(one(configured(observed), engine)) == []


def test_hosts_outside_the_limit_are_not_changed() -> None:
    assert plan(fleet(one(bare(), in_limit=False))) == []
    assert len(changes(one(bare(), in_limit=False))) == 3


@pytest.mark.parametrize(
    "held, hold, expected",
    [
        ({"docker.io", "containerd", "runc"}, True, []),
        (
            {"docker.io"},
            True,
            ["hold docker.io, containerd, runc: a system upgrade would move them"],
        ),
        (set(), False, []),
        ({"docker-ce"}, True, ["hold docker.io, containerd, runc: a system upgrade would move"]),
    ],
    ids=["held", "in-part", "not-wanted", "others"],
)
def test_holds(held: set[str], hold: bool, expected: list[str]) -> None:
    found = planned(one(fitted(held=frozenset(held)), {"hold": hold}))
    assert [line[: len(wanted)] for line, wanted in zip(found, expected, strict=True)] == expected


@pytest.mark.parametrize(
    "observed, engine, rehearsed, expected",
    [
        (fitted(), {}, None, ["docker.io", "containerd", "runc"]),
        (bare(), {}, Transaction(installs={"docker.io": "1", "runc": "1"}), ["docker.io", "runc"]),
        (
            vendors(packages={"docker-ce": OLD, "docker-buildx-plugin": "0.14"}),
            BY_VENDOR,
            Transaction(upgrades={"docker-ce": DEB_VERSION}, installs={"docker-ce-cli": "1"}),
            ["docker-ce", "docker-ce-cli", "docker-buildx-plugin"],
        ),
    ],
    ids=["installed", "coming", "both"],
)
def test_what_is_held(
    observed: Observed, engine: dict[str, Any], rehearsed: Transaction | None, expected: list[str]
) -> None:
    assert held_names(one(observed, engine, rehearsed=rehearsed)) == expected


@pytest.mark.parametrize(
    "observed, config, expected",
    [
        (fitted(), {}, []),
        (fitted(daemon_json='{"debug": true, "a": 1}'), {"debug": True}, []),
        (
            fitted(),
            {"debug": True},
            ["set debug in /etc/docker/daemon.json and reload the engine: absent"],
        ),
        (
            fitted(daemon_json="{}"),
            {"debug": True, "data-root": "/data"},
            [
                "set data-root, debug in /etc/docker/daemon.json and restart the engine: "
                "differs (interrupts)"
            ],
        ),
        (
            fitted(daemon_json='{"debug": true}'),
            {"debug": None},
            ["set debug in /etc/docker/daemon.json and restart the engine: differs (interrupts)"],
        ),
        (
            fitted(docker_service=Service(enabled=True)),
            {"data-root": "/data"},
            [
                "set data-root in /etc/docker/daemon.json: absent",
                "enable and start docker.service: stopped",
            ],
        ),
        (fitted(daemon_json="{"), {"debug": True}, []),
    ],
    ids=["none", "as-wanted", "reload", "restart", "taken-out", "stopped", "unreadable"],
)
def test_the_configuration(observed: Observed, config: dict[str, Any], expected: list[str]) -> None:
    assert planned(one(observed, {"config": config})) == expected


@pytest.mark.parametrize(
    "service, why",
    [
        (Service(enabled=True, active=False), "stopped"),
        (Service(enabled=False, active=True), "disabled"),
        (Service(), "disabled and stopped"),
        (Service(active=True, masked=True), "masked"),
    ],
    ids=["stopped", "disabled", "both", "masked"],
)
def test_the_service(service: Service, why: str) -> None:
    found = one(fitted(docker_service=service))
    assert planned(found) == [f"enable and start docker.service: {why}"]


UNIT = "/etc/systemd/system/docker.service.d/dockyard-proxy.conf"
PROXY = {"http": "http://proxy.example:3128"}
PROXY_SUM = sha256(b'[Service]\nEnvironment="HTTP_PROXY=http://proxy.example:3128"\n').hexdigest()


@pytest.mark.parametrize(
    "observed, engine, expected",
    [
        (
            fitted(),
            {"proxy": {"http": "http://proxy.example:3128"}},
            [f"write {UNIT}: absent (interrupts)"],
        ),
        (
            fitted(sums={UNIT: PROXY_SUM}, paths={UNIT: Path("regular file", "0:0", "644")}),
            {"proxy": PROXY},
            [f"write {UNIT}: of 0:0, mode 644"],
        ),
        (
            fitted(sums={UNIT: "0a1b"}),
            {"proxy": {"http": "http://proxy.example:3128"}},
            [f"write {UNIT}: differs (interrupts)"],
        ),
        (
            fitted(docker_service=Service(enabled=True)),
            {"proxy": {"http": "http://proxy.example:3128"}},
            [f"write {UNIT}: absent", "enable and start docker.service: stopped"],
        ),
        (
            vendors(sums={"/etc/apt/sources.list.d/docker.list": "0a1b"}),
            BY_VENDOR,
            [
                f"write /etc/apt/keyrings/docker-{KEY}.asc: absent",
                "write /etc/apt/sources.list.d/docker.list: differs",
            ],
        ),
        (
            vendors("3:26.1.5-1.el9", **ROCKY),
            BY_VENDOR,
            [
                f"write /etc/pki/rpm-gpg/docker-{KEY}.asc: absent",
                "write /etc/yum.repos.d/docker-ce.repo: absent",
            ],
        ),
        (
            replace(configured(vendors()), paths={}),
            BY_VENDOR,
            [f"write /etc/apt/keyrings/docker-{KEY}.asc: absent"],
        ),
        (
            replace(configured(vendors()), sums={UNIT: PROXY_SUM}),
            {**BY_VENDOR, "proxy": PROXY},
            ["write /etc/apt/sources.list.d/docker.list: absent"],
        ),
        (fitted(init="sysvinit"), {"proxy": PROXY}, []),
        (
            fitted(sums={UNIT: "0a1b"}),
            {},
            [f"remove {UNIT}: no proxy is wanted any more (interrupts)"],
        ),
        (
            fitted(sums={UNIT: "0a1b"}, docker_service=Service(enabled=True)),
            {},
            [
                f"remove {UNIT}: no proxy is wanted any more",
                "enable and start docker.service: stopped",
            ],
        ),
        (fitted(sums={UNIT: "0a1b"}), {"source": "present"}, []),
    ],
    ids=[
        "proxy",
        "proxy-others-may-read",
        "other-proxy",
        "stopped",
        "source-of-apt",
        "source-of-dnf",
        "key-gone",
        "source-beside-a-proxy",
        "proxy-without-systemd",
        "no-proxy-any-more",
        "no-proxy-any-more-stopped",
        "somebody-elses-engine",
    ],
)
def test_files_of_ours(observed: Observed, engine: dict[str, Any], expected: list[str]) -> None:
    assert planned(one(observed, engine)) == expected


def test_the_vendors_key_is_placed_where_it_is_not() -> None:
    there = {f"/etc/apt/keyrings/docker-{KEY}.asc": Path("regular file", "0:0", "644")}
    assert lacks_key(one(bare(), BY_VENDOR))
    assert not lacks_key(one(bare(paths=there), BY_VENDOR))
    assert lacks_key(one(bare(paths=there), {"source": "vendor"}))
    assert not lacks_key(one(bare(), {}))


@pytest.mark.parametrize(
    "observed, engine",
    [
        (bare(), {}),
        (fitted(), {}),
        (fitted(), BY_VENDOR),
        (bare(), BY_FILES),
        (bare(**ROCKY), BY_VENDOR),
        (fitted(), {"source": "present", "version": "20.10.24"}),
        (bare(docker_version="27.0.1"), {"source": "present"}),
        (fitted(), {**BY_VENDOR, "version": "26.1.5"}),
        (vendors(OLD), {**BY_FILES, "version": "26.1.5"}),
        (fitted(docker_error="no", docker_service=Service(enabled=True)), {}),
        (fitted(docker_error="no", unfinished=frozenset({"docker.io"})), {}),
        (fitted(daemon_json='{"debug": true}'), {"config": {"debug": False}}),
    ],
    ids=[
        "bare",
        "fitted",
        "migration",
        "files",
        "rocky",
        "present",
        "present-by-hand",
        "newer",
        "files-newer",
        "stopped",
        "cut-off",
        "config",
    ],
)
def test_fit_hosts(observed: Observed, engine: dict[str, Any]) -> None:
    assert told(observed, engine) == []


KNOWN = "debian, ubuntu, rhel, centos, fedora, amzn and what is like them"
TAKE = "install an engine there, and take 'present'"
DOWNGRADE = (
    "would be a downgrade, which engines do not promise to survive; name another version, or set "
    "docker_engine.allow_downgrade"
)
ENGINES = "docker-ce, docker.io, moby-engine, docker, docker-ee, docker-engine, lxc-docker"


@pytest.mark.parametrize(
    "observed, engine, problems",
    [
        (
            fitted(os_id="alpine", os_version="3.20"),
            {},
            [f".source: 'distro' knows {KNOWN}; found alpine 3.20; {TAKE}"],
        ),
        (
            fitted(os_id="", os_version=""),
            BY_FILES,
            [f".source: 'files' knows {KNOWN}; found no /etc/os-release; {TAKE}"],
        ),
        (
            bare(**ROCKY),
            {},
            [
                ".source: 'distro' knows an engine of debian, ubuntu, fedora, amzn; rocky 9.4 "
                "brings none that is known; take 'vendor' or 'files'"
            ],
        ),
        (
            bare(os_codename=""),
            BY_VENDOR,
            [
                ".source: 'vendor' needs the release's code name, and /etc/os-release of "
                "debian 12 has none"
            ],
        ),
        (
            bare(),
            {"source": "present"},
            [
                ".source: 'present' expects an engine that somebody else runs, and none answers; "
                "start or install one, or take another source"
            ],
        ),
        (
            fitted(docker_version=None, docker_service=Service(enabled=True)),
            {"source": "present"},
            [
                ".source: 'present' expects an engine that somebody else runs, and none answers; "
                "start or install one, or take another source"
            ],
        ),
        (
            bare(),
            {"source": "files", "files": files("docker-ce-26.1.5-1.el9.x86_64.rpm")},
            [
                ".files: expected a .deb file under its usual name, "
                "found 'docker-ce-26.1.5-1.el9.x86_64.rpm'"
            ],
        ),
        (
            bare(**ROCKY),
            {"source": "files", "files": files("docker-ce-26.1.5-1.el9.x86_64.rpm", "b.rpm")},
            [".files: expected a .rpm file under its usual name, found 'b.rpm'"],
        ),
        (
            bare(),
            {"source": "files", "files": files("containerd.io_1.6.33-1_amd64.deb")},
            [f".files: no engine is among them; expected one of {ENGINES}"],
        ),
        (
            bare(),
            {"source": "files", "files": files("docker-ce_26.1.5-1_amd64.deb", folder="/none")},
            [
                ".files: there is no file '/none/docker-ce_26.1.5-1_amd64.deb' on this machine; "
                "put it there"
            ],
        ),
        (
            bare(),
            {**BY_FILES, "version": "27.0.1"},
            [
                ".version: expected 27.0.1, but the file brings docker-ce "
                "26.1.5-1~debian.12~bookworm"
            ],
        ),
        (
            fitted(),
            {"source": "present", "version": "26.1.5"},
            [
                ".version: expected 26.1.5, found 20.10.24+dfsg1-1; whoever manages this engine "
                "can change it"
            ],
        ),
        (
            bare(docker_version="27.0.1"),
            {"source": "present", "version": "26.1.5"},
            [".version: expected 26.1.5, found 27.0.1; whoever manages this engine can change it"],
        ),
        (
            vendors(),
            {**BY_VENDOR, "version": "5:24.0.9-1~debian.12~bookworm"},
            [f".version: {DEB_VERSION} is installed, and 24.0.9 {DOWNGRADE}"],
        ),
        (vendors(), {**BY_VENDOR, "version": "24.0.9", "allow_downgrade": True}, []),
        (
            vendors(),
            {"version": "20.10.24"},
            [f".version: {DEB_VERSION} is installed, and 20.10.24 {DOWNGRADE}"],
        ),
        (
            bare(docker_version="27.0.1"),
            {"version": "20.10.24"},
            [f".version: 27.0.1 is installed, and 20.10.24 {DOWNGRADE}"],
        ),
        (
            fitted(daemon_json='{"debug": yes}'),
            {},
            [
                ".config: /etc/docker/daemon.json there is no JSON, and is not overwritten: "
                "Expecting value: line 1 column 11 (char 10); mend it, or move it away"
            ],
        ),
        (
            fitted(daemon_json="[1]"),
            {},
            [
                ".config: /etc/docker/daemon.json there is no JSON, and is not overwritten: "
                "expected an object, found [1]; mend it, or move it away"
            ],
        ),
        (
            fitted(docker_hangs=True, docker_error="", docker_version=None),
            {},
            [
                ": Docker did not answer within 10 s; look at `journalctl -u docker` "
                "there, restart the service, and run again"
            ],
        ),
        (
            fitted(docker_error="Cannot connect", docker_version=None),
            {},
            [": docker.service runs, but its engine does not answer: Cannot connect"],
        ),
        (
            fitted(docker_error="no", docker_version=None, unfinished=frozenset({"vim"})),
            {},
            [": docker.service runs, but its engine does not answer: no"],
        ),
    ],
    ids=[
        "unknown-distribution",
        "unknown-distribution-with-files",
        "no-engine-of-its-own",
        "no-code-name",
        "nothing-present",
        "stopped-present",
        "rpm-for-deb",
        "no-usual-name",
        "no-engine-among-files",
        "no-such-file",
        "another-version-in-files",
        "another-version-present",
        "another-version-by-hand",
        "downgrade",
        "downgrade-allowed",
        "downgrade-by-migration",
        "downgrade-of-one-by-hand",
        "no-json",
        "no-object",
        "hangs",
        "does-not-answer",
        "does-not-answer-and-others-were-cut-off",
    ],
)
def test_what_forbids_a_run(
    observed: Observed, engine: dict[str, Any], problems: list[str]
) -> None:
    assert told(observed, engine) == problems


def test_files_of_this_machine(tmp_path: File) -> None:
    name = "docker-ce_26.1.5-1_amd64.deb"
    engine = {"source": "files", "files": files(name, folder=str(tmp_path))}
    (tmp_path / name).mkdir()
    assert len(told(bare(), engine)) == 1
    (tmp_path / name).rmdir()
    (tmp_path / name).touch()
    assert told(bare(), engine) == []


def test_a_configuration_nested_too_deeply_to_be_read() -> None:
    (problem,) = told(fitted(daemon_json='{"a":' * 100_000), {"config": {"debug": True}})
    assert problem.startswith(
        ".config: /etc/docker/daemon.json there is no JSON, and is not overwritten: "
    )
    assert planned(one(fitted(daemon_json="[" * 100_000), {"config": {"debug": True}})) == []
