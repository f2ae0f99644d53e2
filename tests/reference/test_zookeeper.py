"""The registry's start script, with a `java` that only tells how it was called."""

import subprocess
from base64 import b64encode
from hashlib import sha1
from pathlib import Path

import pytest

from tests.reference.processes import FILES

SCRIPT = FILES / "zookeeper/bin/zookeeper-default.sh"
ENSEMBLE = "1=198.18.0.31,2=198.18.0.32,3=198.18.0.33"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    for name in ("data", "logs", "bin"):
        (tmp_path / name).mkdir()
    java = tmp_path / "bin/java"
    java.write_text('#!/bin/sh\necho "$PWD" "$@"\n')
    java.chmod(0o755)
    return tmp_path


def zookeeper(work: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    environ = {"PATH": f"{work}/bin:/usr/bin:/bin", "ZOO_WORK_DIR": str(work), **variables}
    return subprocess.run(
        [SCRIPT, *arguments], env=environ, capture_output=True, text=True, check=False, timeout=10
    )


def files(work: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (work / "data").iterdir()}


def test_init_prepares_a_member_that_joins(work: Path) -> None:
    assert zookeeper(work, "init", ZOO_MY_ID="3").returncode == 0
    assert files(work) == {"myid": "3\n"}


def test_init_found_lets_it_begin_empty(work: Path) -> None:
    assert zookeeper(work, "init", "--found").returncode == 0
    assert files(work) == {"myid": "1\n", "initialize": ""}


def test_init_never_touches_a_folder_with_data(work: Path) -> None:
    (work / "data/version-2").mkdir()
    result = zookeeper(work, "init", "--found")
    assert result.returncode == 64
    assert "expected an empty folder" in result.stderr
    assert [path.name for path in (work / "data").iterdir()] == ["version-2"]


@pytest.mark.parametrize(
    ("found", "named"),
    [(None, "myid is absent; expected"), ("", "myid is absent; expected"), ("2", "myid is 2; ")],
)
def test_it_does_not_start_with_the_data_of_another_or_of_none(
    work: Path, found: str | None, named: str
) -> None:
    if found is not None:
        (work / "data/myid").write_text(found)
    result = zookeeper(work, "start", ZOO_MY_ID="1")
    assert result.returncode == 64
    assert named in result.stderr and result.stderr.count("\n") == 1
    assert result.stdout == ""


def config(work: Path, **variables: str) -> list[str]:
    zookeeper(work, "init", **variables)
    result = zookeeper(work, "start", **variables)
    assert result.returncode == 0, result.stderr
    return (work / "data/zoo.cfg").read_text().splitlines()


def members(work: Path, config: list[str]) -> list[str]:
    """Who the members are, by the file that the configuration names."""
    (named,) = [line for line in config if line.startswith("dynamicConfigFile=")]
    file = Path(named.partition("=")[2])
    assert file.parent == work / "data"
    return file.read_text().split()


def test_a_member_of_an_ensemble(work: Path) -> None:
    lines = config(work, ZOO_MY_ID="2", ZOO_SERVERS=ENSEMBLE, ZOO_ADDRESS="198.18.0.32")
    assert members(work, lines) == [
        "server.1=198.18.0.31:2888:3888:participant",
        "server.2=198.18.0.32:2888:3888:participant",
        "server.3=198.18.0.33:2888:3888:participant",
    ]
    assert "clientPortAddress=198.18.0.32" in lines
    assert "clientPort=2181" in lines


def test_members_by_ipv6_addresses(work: Path) -> None:
    servers = "1=2001:db8::1,2=[2001:db8::2],3=zk-3"
    lines = config(work, ZOO_SERVERS=servers, ZOO_ADDRESS="[2001:db8::1]")
    assert members(work, lines) == [
        "server.1=[2001:db8::1]:2888:3888:participant",
        "server.2=[2001:db8::2]:2888:3888:participant",
        "server.3=zk-3:2888:3888:participant",
    ]
    assert "clientPortAddress=2001:db8::1" in lines


def test_what_every_member_is_told(work: Path) -> None:
    lines = config(work)
    for line in (
        f"dataDir={work}/data",
        "tickTime=2000",
        "autopurge.purgeInterval=1",
        "autopurge.snapRetainCount=3",
        "4lw.commands.whitelist=srvr,mntr,ruok",
        "admin.enableServer=false",
        "quorumListenOnAllIPs=false",
        "standaloneEnabled=false",
        "reconfigEnabled=true",
    ):
        assert line in lines
    assert not [line for line in lines if line.startswith(("server.", "clientPortAddress"))]
    assert members(work, lines) == ["server.1=127.0.0.1:2888:3888:participant"]
    alone = config(work, ZOO_ADDRESS="198.18.0.31")
    assert members(work, alone) == ["server.1=198.18.0.31:2888:3888:participant"]


LINE = "server.{0}=198.18.0.3{0}:2888:3888:participant"


def started_with(
    work: Path, given: str | None, *versions: str, has: str = "12", **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Start server 2 where the list `given` stands, and these versions of others have been agreed
    on; the newest is that of the servers in `has`."""
    (work / "data/myid").write_text("2\n")
    if given is not None:
        (work / "data/members").write_text(f"{given}\n")
    for version in versions:
        lines = [LINE.format(n) for n in (has if version == versions[-1] else "123")]
        (work / f"data/zoo.cfg.dynamic.{version}").write_text("\n".join(lines))
    return zookeeper(work, "start", **{"ZOO_MY_ID": "2", "ZOO_SERVERS": "data", **variables})


@pytest.mark.parametrize(
    ("given", "versions", "named"),
    [
        (f"0 {ENSEMBLE}", (), "zoo.cfg.initial"),
        (f"100000000 {ENSEMBLE}", ("100000000",), "zoo.cfg.initial"),
        (f"200000000 {ENSEMBLE}", ("fffffffff", "100000000"), "zoo.cfg.dynamic.fffffffff"),
        (f"ff {ENSEMBLE}", ("100000000",), "zoo.cfg.dynamic.100000000"),
        (None, ("9", "100000000"), "zoo.cfg.dynamic.100000000"),
        (None, ("next", "100000000.tmp", "a", "b"), "zoo.cfg.dynamic.b"),
    ],
    ids=["new", "joins again", "newer by number", "an old list", "agreed", "by hand"],
)
def test_the_newest_that_is_known_of_the_members_counts(
    work: Path, given: str | None, versions: tuple[str, ...], named: str
) -> None:
    assert started_with(work, given, *versions).returncode == 0
    assert f"dynamicConfigFile={work}/data/{named}" in (work / "data/zoo.cfg").read_text()


@pytest.mark.parametrize(
    ("given", "versions", "named"),
    [
        (None, (), "data/members is absent; expected VERSION 1=ADDRESS"),
        ("0 1=198.18.0.31", (), "members is '0 1=198.18.0.31'; expected VERSION"),
        ("then 2=198.18.0.32", (), "members is 'then 2=198.18.0.32'; expected VERSION"),
        (f"0 {ENSEMBLE},4=[x]", (), "data/members is 4=[x]; expected NUMBER=ADDRESS"),
        (f"0 {ENSEMBLE}", ("100000000",), "dynamic.100000000 is without 2 (ZOO_MY_ID)"),
        (None, ("100000000",), "it has left the ensemble"),
    ],
    ids=["no list", "of others", "no version", "no address", "an old list", "it has left"],
)
def test_who_is_no_member_does_not_start(
    work: Path, given: str | None, versions: tuple[str, ...], named: str
) -> None:
    result = started_with(work, given, *versions, has="13")
    assert result.returncode == 64
    assert named in result.stderr and result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_the_password_of_the_members_is_made_once_and_only_its_digest_told(work: Path) -> None:
    lines = config(work)
    file = work / "data/super"
    password = file.read_text().strip()
    assert file.stat().st_mode & 0o777 == 0o600
    digest = b64encode(sha1(f"super:{password}".encode()).digest()).decode()
    assert f"DigestAuthenticationProvider.superDigest=super:{digest}" in lines
    assert config(work) == lines
    assert zookeeper(work, "start").stdout.count(password) == 0


def test_how_java_is_run(work: Path) -> None:
    zookeeper(work, "init")
    called = zookeeper(work, "start", ZOO_HEAP_MB="128").stdout.split()
    assert called[0] == str(work), "the logs' path is relative to this"
    for argument in (
        "-Xmx128m",
        "-XX:+ExitOnOutOfMemoryError",
        "-Dzookeeper.db.autocreate=false",
        f"-Djava.util.logging.config.file={FILES}/zookeeper/logging.properties",
    ):
        assert argument in called
    assert called[-1] == f"{work}/data/zoo.cfg"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ZOO_MY_ID", "0"),
        ("ZOO_MY_ID", "256"),
        ("ZOO_MY_ID", "one"),
        ("ZOO_SERVERS", "2=198.18.0.32,3=198.18.0.33"),
        ("ZOO_SERVERS", "1=198.18.0.31 2=198.18.0.32"),
        ("ZOO_CLIENT_PORT", "99999"),
        ("ZOO_HEAP_MB", "1g"),
    ],
)
def test_an_unusable_setting_is_one_clear_line(work: Path, variable: str, value: str) -> None:
    (work / "data/myid").write_text("1")
    result = zookeeper(work, "start", **{variable: value})
    assert result.returncode == 64
    assert value in result.stderr and result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [[], ["stop"], ["init", "--all"], ["start", "now"]])
def test_usage(work: Path, arguments: list[str]) -> None:
    result = zookeeper(work, *arguments)
    assert result.returncode == 64
    assert result.stderr.startswith("usage:")
