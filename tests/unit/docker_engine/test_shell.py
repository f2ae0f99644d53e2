"""The shell's functions that need no host: under this machine's `sh`, with programs that act.

Each test's script is engine.sh, then apt.sh or dnf.sh, then its own lines, below the settings that
`commands.script` begins with; files of the host's lie below the test's folder.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path as File

import pytest

from roles.docker_engine.commands import SHELL
from roles.docker_engine.packages import ALL
from roles.observed import probe

MOVED = (
    "/etc/dnf",
    "/etc/yum.conf",
    "/etc/docker",
    "/var/run/dockyard-engine.lock",
    "/var/run/docker.pid",
    "/run/systemd/system",
)
SETTINGS = f"start_timeout_s=60\nservice_timeout_s=90\nengine_names='{' '.join(sorted(ALL))}'"


class Host:
    """A folder that stands for a host: `etc` and `bin` in it, and the work folder of a script."""

    def __init__(self, folder: File) -> None:
        self.folder = folder
        self.log = folder / "called"
        (folder / "bin").mkdir()

    def file(self, path: str, text: str | None = None, mode: int = 0o644) -> File:
        """A file of the host's, with this text where one is given."""
        file = File(f"{self.folder}{path}")
        if text is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(mode)
        return file

    def program(self, name: str, script: str = "") -> None:
        """A program that writes down how it was called, and then acts."""
        self.file(f"/bin/{name}", f'#!/bin/sh\necho "{name} $*" >>{self.log}\n{script}\n', 0o755)

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def run(
        self, lines: str, *parts: str, cargo: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run lines after the functions of these parts, with files that came along."""
        work = self.folder / "scratch"
        work.mkdir()
        for name, text in {"apt.conf": "", "dnf.conf": "", **(cargo or {})}.items():
            (work / name).write_text(text)
        functions = "\n".join((SHELL / part).read_text() for part in ("engine.sh", *parts))
        for path in MOVED:
            functions = functions.replace(path, f"{self.folder}{path}")
        (self.folder / "var/run").mkdir(parents=True, exist_ok=True)
        (work / "run.sh").write_text(f"{SETTINGS}\n{functions}\n{lines}\n")
        done = subprocess.run(
            ["sh", str(work / "run.sh")],
            env={"PATH": f"{self.folder}/bin:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert not work.exists()
        return done


def tool(name: str) -> str:
    """Where this machine's own program lies, for one that stands before it."""
    found = shutil.which(name)
    assert found
    return found


@pytest.fixture
def host(tmp_path: File) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize("part", sorted(path.name for path in SHELL.glob("*.sh")))
def test_the_shell_reads_it(part: str) -> None:
    done = subprocess.run(
        ["sh", "-n", str(SHELL / part)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_put_stays_where_all_goes_well(host: Host) -> None:
    old = host.file("/etc/old", "old\n", 0o600)
    new = host.file("/etc/deep/er/new file")
    done = host.run(
        f"put a {old} 644\nput b {shlex.quote(str(new))} 600", cargo={"a": "A\n", "b": "B\n"}
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (old.read_text(), new.read_text()) == ("A\n", "B\n")
    assert (old.stat().st_mode & 0o777, new.stat().st_mode & 0o777) == (0o644, 0o600)
    assert sorted(path.name for path in old.parent.iterdir()) == ["deep", "old"]


def test_what_is_put_goes_back_where_a_step_fails(host: Host) -> None:
    paths = [host.file(f"/etc/{n}", f"old {n}\n", 0o600) for n in range(12)]
    fresh = [host.file(f"/etc/new {n}") for n in range(3)]
    puts = [f"put a {shlex.quote(str(path))} 644" for path in (*fresh, *paths)]
    done = host.run("\n".join([*puts, "fail 'no more'"]), cargo={"a": "A\n"})
    assert (done.returncode, done.stderr) == (1, "no more\n")
    assert [path.read_text() for path in paths] == [f"old {n}\n" for n in range(12)]
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    assert not [path for path in fresh if path.exists()]


def test_what_was_kept_does_not_go_back(host: Host) -> None:
    first, second = host.file("/etc/first", "old\n"), host.file("/etc/second", "old\n")
    done = host.run(f"put a {first} 644\nkeep\nput a {second} 644\nexit 3", cargo={"a": "A\n"})
    assert done.returncode == 3
    assert (first.read_text(), second.read_text()) == ("A\n", "old\n")


def test_a_file_that_cannot_be_put(host: Host) -> None:
    target = host.file("/etc/old", "old\n")
    done = host.run(f"put none {target} 644")
    assert done.returncode == 1
    assert done.stderr.endswith(f"{target} can't be written\n")
    assert target.read_text() == "old\n"
    assert [path.name for path in target.parent.iterdir()] == ["old"]


def test_a_file_whose_copy_cannot_be_kept_is_not_touched(host: Host) -> None:
    first, second = host.file("/etc/first", "old\n"), host.file("/etc/second", "good\n", 0o600)
    host.program("cp", f'[ "$3" != {second} ] || {{ : >"$4"; exit 1; }}; exec {tool("cp")} "$@"')
    for step in (f"put a {second} 644", f"take_away {second}"):
        done = host.run(f"put a {first} 644\n{step}\nsay no", cargo={"a": "A\n"})
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"{second} can't be saved before it is changed\n"
        assert (first.read_text(), second.read_text()) == ("old\n", "good\n")
        assert second.stat().st_mode & 0o777 == 0o600


def test_a_file_whose_copy_cannot_be_found_again_is_not_touched(host: Host) -> None:
    file = host.file("/etc/file", "good\n")
    host.program("cp", f'ln -s /dev/full "${{4%.old}}.path"; exec {tool("cp")} "$@"')
    done = host.run(f"put a {file} 644", cargo={"a": "A\n"})
    assert done.returncode == 1
    assert done.stderr.endswith(f"{file} can't be saved before it is changed\n")
    assert file.read_text() == "good\n"


def test_a_file_that_cannot_be_moved_into_place_leaves_no_trace(host: Host) -> None:
    file = host.file("/etc/file", "good\n")
    host.program("mv", "exit 1")
    done = host.run(f"put a {file} 644", cargo={"a": "A\n"})
    assert (done.returncode, done.stderr) == (1, f"{file} can't be written\n")
    assert file.read_text() == "good\n"
    assert [path.name for path in file.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("fails", [True, False], ids=["fails", "goes-well"])
def test_what_is_taken_away(host: Host, fails: bool) -> None:
    old, none = host.file("/etc/old file", "old\n", 0o600), host.file("/etc/none")
    lines = f"take_away {shlex.quote(str(old))}\ntake_away {none}\n"
    done = host.run(f"{lines}[ ! -e {shlex.quote(str(old))} ] || exit 9\nexit {int(fails)}")
    assert (done.returncode, done.stderr) == (int(fails), "")
    assert old.exists() is fails
    assert not fails or (old.read_text(), old.stat().st_mode & 0o777) == ("old\n", 0o600)
    assert not none.exists()


def test_a_signal_puts_back_too(host: Host) -> None:
    target = host.file("/etc/old", "old\n")
    done = host.run(f"put a {target} 644\nkill -s TERM $$\nsleep 1", cargo={"a": "A\n"})
    assert done.returncode == 143
    assert target.read_text() == "old\n"


def test_a_failure_shows_the_last_lines_of_what_was_printed(host: Host) -> None:
    done = host.run('seq 20 >"$log"; echo >>"$log"; fail_with_log "it failed:"')
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["it failed:", *map(str, range(9, 21))]


def test_what_was_stopped_is_started_again(host: Host) -> None:
    host.program("docker")
    done = host.run("stop_containers 30 engine 10 proxy\nfail no")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "say: stopping engine",
        "say: stopping proxy",
        "say: starting engine",
        "say: starting proxy",
    ]
    assert sorted(host.calls[:2]) == ["docker stop --time 10 proxy", "docker stop --time 30 engine"]
    assert host.calls[2:] == ["docker version", "docker start engine", "docker start proxy"]


def test_what_is_to_stay_down_is_not_started(host: Host) -> None:
    host.program("docker")
    assert host.run("stop_containers 30 engine\nleave_stopped").returncode == 0
    assert host.calls == ["docker stop --time 30 engine"]


def test_a_container_that_does_not_stop_ends_it(host: Host) -> None:
    host.program("docker", '[ "$1 $4" != "stop proxy" ] || { echo stuck >&2; exit 1; }')
    done = host.run("stop_containers 30 engine 10 proxy\nsay not reached")
    assert done.returncode == 1
    assert done.stderr == "a container can't be stopped:\nstuck\n"
    assert "not reached" not in done.stdout
    assert host.calls[-2:] == ["docker start engine", "docker start proxy"]


STOPS = """\
[ "$1" != stop ] || {
    case $4 in
    slow) sleep 1; echo "slow is stopped" >>$LOG ;;
    stuck) echo stuck >&2; exit 1 ;;
    esac
}"""


def test_a_stop_that_fails_waits_for_the_others(host: Host) -> None:
    host.program("docker", STOPS.replace("$LOG", str(host.log)))
    done = host.run("stop_containers 30 stuck 30 slow 30 quick")
    assert (done.returncode, done.stderr) == (1, "a container can't be stopped:\nstuck\n")
    assert host.calls[3:] == [
        "slow is stopped",
        "docker version",
        "docker start stuck",
        "docker start slow",
        "docker start quick",
    ]


def test_a_signal_waits_for_the_stops_too(host: Host) -> None:
    host.program("docker", STOPS.replace("$LOG", str(host.log)))
    done = host.run("(sleep 0.3; kill -s TERM $$) &\nstop_containers 30 slow")
    assert done.returncode == 143
    assert host.calls[1:] == ["slow is stopped", "docker version", "docker start slow"]


def test_a_container_that_does_not_start_is_named_and_the_others_are_started(host: Host) -> None:
    host.program("docker", '[ "$*" != "start engine" ] || { echo no >&2; exit 1; }')
    done = host.run("stop_containers 30 engine 10 proxy")
    assert (done.returncode, done.stderr) == (1, "container engine can not be started: no\n")
    assert host.calls[-1] == "docker start proxy"


def test_what_failed_is_told_before_what_stays_down(host: Host) -> None:
    host.program("docker", '[ "$1" != start ] || exit 1')
    done = host.run("stop_containers 30 engine\nprintf 'why\\n' >&2\nexit 1")
    assert done.returncode == 1
    assert done.stderr == "why\ncontainer engine can not be started: \n"


def test_a_container_of_ours_that_an_earlier_stop_left_and_that_does_not_start(host: Host) -> None:
    host.program(
        "docker",
        "[ $1 != ps ] || printf 'engine\\nproxy\\n'\n[ \"$*\" != 'start engine' ] || exit 1",
    )
    done = host.run("start_ours dockyard.part\nsay not reached")
    assert (done.returncode, done.stderr) == (1, "container engine can not be started: \n")
    assert host.calls[2:] == ["docker start engine", "docker start proxy"]


def test_containers_that_stay_down_since_the_engine_does(host: Host) -> None:
    host.program("docker", '[ "$1" != version ] || exit 1')
    done = host.run("start_timeout_s=0.5\nstop_containers 30 engine 10 proxy")
    assert (done.returncode, done.stderr) == (1, "left stopped: engine proxy \n")


def test_only_containers_of_ours_that_were_left_are_started(host: Host) -> None:
    host.program("docker", "[ $1 != ps ] || printf 'engine\\nproxy\\n'")
    assert host.run("start_ours dockyard.part").returncode == 0
    assert host.calls == [
        "docker ps -a --filter label=dockyard.part --filter status=exited --format {{.Names}}",
        "docker version",
        "docker start engine",
        "docker start proxy",
    ]


def test_what_a_rollout_keeps_stopped_is_not_started(host: Host) -> None:
    kept = ("engine-before", "engine-failed", "engine-next", "my-next-engine")
    host.program("docker", f"[ $1 != ps ] || printf '%s\\n' {' '.join(kept)}")
    assert host.run("start_ours dockyard.part").returncode == 0
    started = [call for call in host.calls if call.startswith("docker start")]
    assert started == ["docker start my-next-engine"]


def test_none_is_started_where_a_rollout_keeps_them_all(host: Host) -> None:
    host.program("docker", "[ $1 != ps ] || echo engine-failed")
    assert host.run("start_ours dockyard.part").returncode == 0
    assert not [call for call in host.calls if call.startswith("docker start")]


def test_another_run_is_waited_for(host: Host) -> None:
    lock = host.file("/var/run/dockyard-engine.lock", "")
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = host.run("only_one 1")
    assert (done.returncode, done.stderr) == (
        1,
        "another run changes this host's engine, for more than 1 s now\n",
    )
    assert host.run("only_one 1").returncode == 0
    assert lock.stat().st_mode & 0o777 == 0o600, "whoever may read it may lock it"


SERVICES = """
service_do() {{ echo "service $1" >>{log}; {fails} }}
service_log() {{ echo 'unknown key'; }}
service_reload() {{ echo reload >>{log}; }}
"""


def services(host: Host, fails: str = "") -> str:
    """Stand-ins for what an init system does; `fails` are lines of service_do."""
    return SERVICES.format(log=host.log, fails=fails)


@pytest.mark.parametrize(
    "how, calls",
    [
        ("reload", ["docker version", "reload", "docker version"]),
        ("restart", ["service restart", "docker version"]),
    ],
)
def test_an_engine_is_configured(host: Host, how: str, calls: list[str]) -> None:
    host.program("docker")
    host.program("dockerd", "[ $1 != --help ] || echo '  --validate  Validate'")
    old = host.file("/etc/docker/daemon.json", "{}\n")
    done = host.run(
        f"{services(host)}\nconfigure daemon.json {how} 5\nfail later",
        cargo={"daemon.json": '{"debug": true}\n'},
    )
    assert done.stderr == "later\n"
    assert old.read_text() == '{"debug": true}\n'
    assert [line for line in host.calls if not line.startswith("dockerd")] == calls


@pytest.mark.parametrize("mode", [0o600, 0o664, None], ids=["0600", "0664", "no-file"])
def test_a_configuration_keeps_its_files_mode(host: Host, mode: int | None) -> None:
    host.program("docker")
    host.program("dockerd", "[ $1 != --help ] || echo --validate")
    file = host.file("/etc/docker/daemon.json", "{}\n" if mode else None, mode or 0)
    lines = f"{services(host)}\numask 077\nconfigure daemon.json restart 5"
    assert host.run(lines, cargo={"daemon.json": '{"a": 1}\n'}).returncode == 0
    assert file.read_text() == '{"a": 1}\n'
    assert file.stat().st_mode & 0o777 == (mode or 0o644)


@pytest.mark.parametrize("pid", [None, "", "no-number\n"], ids=["no-file", "empty", "odd"])
def test_a_reload_that_nobody_can_be_told_of(host: Host, pid: str | None) -> None:
    host.program("docker")
    host.program("dockerd", "[ $1 != --help ] || echo --validate")
    host.file("/var/run/docker.pid", pid)
    file = host.file("/etc/docker/daemon.json", "{}\n")
    done = host.run("configure daemon.json reload 5", cargo={"daemon.json": '{"a": 1}\n'})
    assert done.returncode == 1
    assert done.stderr.endswith("the engine can't be told to read its configuration again\n")
    assert file.read_text() == "{}\n"


@pytest.mark.parametrize("has_validate", [True, False], ids=["checks", "old"])
def test_a_configuration_is_checked_with_the_flags_that_the_engine_runs_with(
    host: Host, has_validate: bool
) -> None:
    says = "echo --validate" if has_validate else ":"
    old = "echo 'unable to parse logging level: none-such'; exit 1"
    host.program(
        "dockerd", f'[ "$1" != --help ] || {{ {says}; exit; }}\n{"" if has_validate else old}'
    )
    flags = [
        "-c",
        "input()",
        "--config-file=/a",
        "-H",
        "fd://",
        "--config-file",
        "/b",
        "--label=a b",
    ]
    with subprocess.Popen(["dockerd", *flags], executable=sys.executable, stdin=-1) as running:
        host.file("/var/run/docker.pid", f"{running.pid}\n")
        done = host.run("check_config daemon.json", cargo={"daemon.json": "{}\n"})
        running.communicate(b"\n")
    assert (done.returncode, done.stderr) == (0, "")
    check = "--validate " if has_validate else ""
    level = "" if has_validate else " --log-level none-such"
    assert host.calls[1:] == [
        f"dockerd -c input() -H fd:// --label=a b {check}--config-file ./daemon.json{level}"
    ]


@pytest.mark.parametrize(
    "step, has_socket, units",
    [
        ("stop", True, "stop docker.socket docker.service"),
        ("stop", False, "stop docker.service"),
        ("restart", True, "restart docker.service"),
    ],
)
def test_a_socket_stops_with_its_service(
    host: Host, step: str, has_socket: bool, units: str
) -> None:
    host.file("/run/systemd/system").mkdir(parents=True)
    host.program("systemctl", f"[ $1 != cat ] || exit {int(not has_socket)}")
    assert host.run(f"service_do {step}").returncode == 0
    assert host.calls[-2:] == ["systemctl reset-failed docker.service", f"systemctl {units}"]


def test_a_service_that_does_not_end_is_not_waited_for(host: Host) -> None:
    host.file("/run/systemd/system").mkdir(parents=True)
    host.program("systemctl", "[ $1 != stop ] || exec sleep 20")
    done = host.run("service_timeout_s=0.5\nservice_down")
    assert (done.returncode, done.stderr) == (1, "the docker service can't be stopped\n")


def test_an_engine_that_is_down_is_started_not_reloaded(host: Host) -> None:
    up = f"[ $1 != version ] || [ -e {host.folder}/up ]"
    host.program("docker", up)
    host.program("dockerd", "[ $1 != --help ] || echo --validate")
    done = host.run(
        f"{services(host, f'touch {host.folder}/up;')}\nconfigure daemon.json reload 5",
        cargo={"daemon.json": "{}\n"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "service restart" in host.calls
    assert "reload" not in host.calls


@pytest.mark.parametrize("old", ["{}\n", None], ids=["a-file-before", "none-before"])
def test_a_configuration_that_the_engine_does_not_start_with(host: Host, old: str | None) -> None:
    host.program("docker")
    host.program("dockerd", "[ $1 != --help ] || echo --validate")
    file = host.file("/etc/docker/daemon.json", old)
    fails = f"! grep -q debug {file} || {{ echo broken >>{host.log}; return 1; }}"
    done = host.run(
        f"{services(host, f'{fails};')}\nconfigure daemon.json restart 5",
        cargo={"daemon.json": '{"debug": true}\n'},
    )
    assert done.returncode == 1
    assert "docker_engine.config: the engine does not start with it, so the old is back:" in (
        done.stderr
    )
    assert "unknown key\n" in done.stderr
    assert (file.read_text() if file.exists() else None) == old
    told = [line for line in host.calls if not line.startswith("docker")]
    assert told == ["service restart", "broken", "service restart"]


def test_a_configuration_that_the_engine_refuses_is_not_put(host: Host) -> None:
    host.program("docker")
    host.program("dockerd", "[ $1 = --help ] && echo --validate && exit; echo why; exit 1")
    file = host.file("/etc/docker/daemon.json", "{}\n")
    before = file.stat()
    done = host.run(f"{services(host)}\nconfigure a restart 5", cargo={"a": '{"a": 1}\n'})
    assert (done.returncode, done.stderr) == (
        1,
        "docker_engine.config: the engine refuses it: why\n",
    )
    assert file.stat() == before
    assert "service restart" not in host.calls


@pytest.mark.parametrize(
    "dockerd, refusal",
    [
        ("[ $1 != --help ] || echo '  --validate'", None),
        (
            "[ $1 = --help ] && echo '  --validate' && exit\n"
            "echo 'unable to configure the Docker daemon with file ./daemon.json: no such key: a'\n"
            "exit 1",
            "no such key: a",
        ),
        (
            "[ $1 = --help ] && exit\n"
            "echo 'Status: unable to parse logging level: none-such'; exit 1",
            None,
        ),
        (
            "[ $1 = --help ] && exit\n"
            "echo 'the following directives are specified both as a flag and in the "
            "configuration file: log-level: (from flag: none-such, from file: warn)'; exit 1",
            None,
        ),
        (
            "[ $1 = --help ] && exit\n"
            "echo first; echo 'unable to configure the Docker daemon with file ./daemon.json: "
            "invalid character'; exit 1",
            "invalid character",
        ),
    ],
    ids=["checks", "refuses", "old", "old-with-a-level", "old-refuses"],
)
def test_a_configuration_is_checked_before_it_is_put(
    host: Host, dockerd: str, refusal: str | None
) -> None:
    host.program("dockerd", dockerd)
    file = host.file("/etc/docker/daemon.json", "{}\n")
    done = host.run("check_config daemon.json\nsay fine", cargo={"daemon.json": '{"a": 1}\n'})
    assert file.read_text() == "{}\n"
    if refusal is None:
        assert (done.returncode, done.stdout, done.stderr) == (0, "say: fine\n", "")
    else:
        text = f"docker_engine.config: the engine refuses it: {refusal}\n"
        assert (done.returncode, done.stdout, done.stderr) == (1, "", text)
    asked = [line for line in host.calls if "--help" not in line]
    assert all("--config-file ./daemon.json" in line for line in asked)


@pytest.mark.parametrize("code", [0, 3])
def test_a_script_of_somebody_elses(host: Host, code: int) -> None:
    script = f'echo "version $VERSION by $https_proxy"; exit {code}\n'
    done = host.run(
        "run_script install.sh 26.1.5\nsay done",
        cargo={"install.sh": script, "proxy.env": "export https_proxy='http://p'\n"},
    )
    if code:
        assert done.stderr == "docker_engine.script: it failed:\nversion 26.1.5 by http://p\n"
        assert done.returncode == 1
    else:
        assert (done.returncode, done.stdout) == (0, "say: done\n")


@pytest.mark.parametrize("code", [0, 3])
def test_what_was_let_go_is_held_again_where_a_step_fails(host: Host, code: int) -> None:
    host.program("dpkg-query", "printf installed")
    host.program("apt-mark")
    lines = "unhold docker-ce runc\nrun_script install.sh 26.1.5"
    assert host.run(lines, "apt.sh", cargo={"install.sh": f"exit {code}\n"}).returncode == bool(
        code
    )
    marks = [line for line in host.calls if line.startswith("apt-mark")]
    again = ["apt-mark hold docker-ce", "apt-mark hold runc"] if code else []
    assert marks == ["apt-mark unhold docker-ce runc", *again]


@pytest.mark.parametrize("code", [0, 3])
def test_what_dnf_let_go_is_held_again_where_a_step_fails(host: Host, code: int) -> None:
    conf = host.file("/etc/dnf/dnf.conf", "[main]\nexclude=docker-ce kernel\n")
    host.program("dnf")
    host.program("rpm")
    script = f"grep -q docker-ce {conf} && exit 9; exit {code}\n"
    lines = "unhold docker-ce\nrun_script install.sh 26.1.5"
    assert host.run(lines, "dnf.sh", cargo={"install.sh": script}).returncode == bool(code)
    held = {"kernel", "docker-ce"} if code else {"kernel"}
    assert set(conf.read_text().partition("=")[2].split()) == held


def test_what_was_let_go_for_a_step_that_went_well_is_not_held_again(host: Host) -> None:
    host.program("dpkg-query", "printf installed")
    host.program("apt-mark")
    assert host.run("unhold docker-ce\nkeep\nfail later", "apt.sh").returncode == 1
    assert host.calls == ["apt-mark unhold docker-ce"]


def test_what_cannot_be_held_again_keeps_nothing_else_from_being_put_back(host: Host) -> None:
    host.program("dpkg-query", "printf installed")
    host.program("apt-mark", '[ "$1" != hold ] || { echo locked; exit 100; }')
    host.program("docker")
    file = host.file("/etc/old", "old\n")
    lines = f"put a {file} 644\nstop_containers 30 engine\nunhold docker-ce\nfail why"
    done = host.run(lines, "apt.sh", cargo={"a": "A\n"})
    assert (done.returncode, done.stderr) == (1, "why\ndocker-ce can't be held:\nlocked\n")
    assert file.read_text() == "old\n"
    assert host.calls[-1] == "docker start engine"


MADISON = """\
 docker-ce | 5:27.0.1-1~debian.12~bookworm | https://packages.example stable amd64 Packages
 docker-ce | 5:26.1.5-1~debian.12~bookworm | https://packages.example stable amd64 Packages
 docker-ce | 26.1.5+dfsg1-1+b6 | https://packages.example main amd64 Packages
 docker-ce | 5:26.1.50-1~debian.12~bookworm | https://packages.example stable amd64 Packages
"""


POLICY = """\
docker-ce:
  Installed: (none)
  Candidate: 5:26.1.50-1~debian.12~bookworm
  Version table:
     5:27.0.1-1~debian.12~bookworm 100
        100 https://packages.example bookworm-backports/main amd64 Packages
     5:26.1.50-1~debian.12~bookworm 500
        500 https://packages.example bookworm/main amd64 Packages
"""
"""Backports are the newest there, and not what apt takes."""

APT_CACHE = f"""\
case "$*" in
*madison*) cat <<'EOF'
{MADISON}EOF
;;
*policy*) cat <<'EOF'
{POLICY}EOF
;;
esac"""


@pytest.mark.parametrize(
    "wanted, picked",
    [
        ("", "5:26.1.50-1~debian.12~bookworm"),
        ("27.0.1", "5:27.0.1-1~debian.12~bookworm"),
        ("26.1.5", "5:26.1.5-1~debian.12~bookworm"),
        ("26.1.50", "5:26.1.50-1~debian.12~bookworm"),
        ("26.1.5-1~debian.12~bookworm", "5:26.1.5-1~debian.12~bookworm"),
        ("5:26.1.5-1~debian.12~bookworm", "5:26.1.5-1~debian.12~bookworm"),
        ("26.1.5+dfsg1-1+b6", "26.1.5+dfsg1-1+b6"),
        ("26.1", ""),
        ("26.1.", ""),
        ("26.1.5-1", ""),
    ],
)
def test_apts_version_is_picked(host: Host, wanted: str, picked: str) -> None:
    host.program("apt-cache", APT_CACHE)
    done = host.run(f"pick docker-ce '{wanted}'", "apt.sh")
    assert (done.stdout.strip(), done.stderr) == (picked, "")
    verb = "madison" if wanted else "policy"
    assert host.calls == [f"apt-cache -c {host.folder}/scratch/apt.conf {verb} docker-ce"]


def test_apt_has_no_candidate(host: Host) -> None:
    host.program("apt-cache", "echo '  Candidate: (none)'")
    assert host.run("pick docker-ce ''", "apt.sh").stdout == ""


SIMULATED = """\
Reading package lists...
The following packages will be DOWNGRADED:
  docker-ce docker-ce-cli
  iptables
The following held packages will be changed:
  docker-ce libseccomp2
  runc
0 upgraded, 0 newly installed, 3 downgraded, 0 to remove
Inst docker-ce [5:27.0.1-1] (5:26.1.5-1~debian.12~bookworm packages.example [amd64])
Remv docker.io [20.10.24]
Conf docker-ce (5:26.1.5-1~debian.12~bookworm packages.example [amd64])
"""


def test_apt_rehearses(host: Host) -> None:
    host.program("apt-cache", f"cat <<'EOF'\n{MADISON}EOF")
    host.program("apt-get", f"cat <<'EOF'\n{SIMULATED}EOF")
    done = host.run("rehearse 26.1.5 docker-ce -- containerd.io docker.io-", "apt.sh")
    assert done.stdout.splitlines() == [
        "pin|docker-ce|5:26.1.5-1~debian.12~bookworm",
        "down|docker-ce docker-ce-cli",
        "down|iptables",
        "held|docker-ce libseccomp2",
        "held|runc",
        "apt|Inst docker-ce [5:27.0.1-1] (5:26.1.5-1~debian.12~bookworm packages.example [amd64])",
        "apt|Remv docker.io [20.10.24]",
    ]
    assert host.calls[-1] == (
        f"apt-get -c {host.folder}/scratch/apt.conf -q -y -s -f install "
        "--allow-downgrades --allow-change-held-packages "
        "docker-ce=5:26.1.5-1~debian.12~bookworm containerd.io docker.io-"
    )


def test_apt_has_nothing_to_install(host: Host) -> None:
    host.program("apt-cache", APT_CACHE)
    host.program("apt-get")
    done = host.run("rehearse '' docker-ce -- containerd.io", "apt.sh")
    assert done.stdout == "pin|docker-ce|5:26.1.50-1~debian.12~bookworm\n"


@pytest.mark.parametrize(
    "madison, told",
    [
        (
            MADISON,
            "docker_engine.version: docker-ce 1.0 is not there; there are: "
            "5:27.0.1-1~debian.12~bookworm 5:26.1.5-1~debian.12~bookworm 26.1.5+dfsg1-1+b6 "
            "5:26.1.50-1~debian.12~bookworm \n",
        ),
        ("", "docker_engine.source: it has no package docker-ce:\nN: Unable to locate\n"),
    ],
    ids=["version", "package"],
)
def test_what_apt_does_not_have(host: Host, madison: str, told: str) -> None:
    script = f"cat <<'EOF'\n{madison}EOF" if madison else "echo 'N: Unable to locate' >&2"
    host.program("apt-cache", script)
    host.program("apt-get")
    done = host.run("rehearse 1.0 docker-ce --", "apt.sh")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[:2] == told.splitlines()[:2]


def test_apts_settings_name_the_folder(host: Host) -> None:
    done = host.run('cat "$work/apt.conf"', "apt.sh", cargo={"apt.conf": 'Dir "@WORK@/lists";\n'})
    assert done.stdout == f'Dir "{host.folder}/scratch/lists";\n'


@pytest.mark.parametrize("step, known", [("hold", True), ("unhold", True), ("hold", False)])
def test_apt_holds(host: Host, step: str, known: bool) -> None:
    host.program("dpkg-query", f'[ "$4" != docker-ce ] || printf {"installed" if known else "x"}')
    host.program("apt-mark")
    assert host.run(f"{step} docker-ce runc", "apt.sh").returncode == 0
    marks = [line for line in host.calls if line.startswith("apt-mark")]
    expected = {"hold": ["apt-mark hold docker-ce"] if known else []}
    assert marks == expected.get(step, ["apt-mark unhold docker-ce runc"])


PLAIN = "[main]\ngpgcheck=1\nbest=True\n"
REPO = "[extra]\nname=Extra\nexclude=kernel\n"


@pytest.mark.parametrize(
    "before, call, names, rest",
    [
        (PLAIN, "add docker-ce runc", {"docker-ce", "runc"}, PLAIN),
        ("", "add docker-ce", {"docker-ce"}, "[main]\n"),
        (REPO, "add docker-ce", {"docker-ce"}, f"[main]\n{REPO}"),
        (f"{PLAIN}{REPO}", "add docker-ce", {"docker-ce"}, f"{PLAIN}{REPO}"),
        (f"{REPO}{PLAIN}", "add docker-ce", {"docker-ce"}, f"{REPO}{PLAIN}"),
        (f"{PLAIN}exclude=a,b c\n", "add a d", {"a", "b", "c", "d"}, PLAIN),
        (f"{PLAIN}exclude = a, b\nexcludepkgs\t=c*\n", "add d", {"a", "b", "c*", "d"}, PLAIN),
        (f"{PLAIN}exclude=a\n  b,\n\tc=d\n", "add d", {"a", "b", "c=d", "d"}, PLAIN),
        (
            "[main]\ninstallonlypkgs=x\n  y\nexclude=a\n",
            "add b",
            {"a", "b"},
            "[main]\ninstallonlypkgs=x\n  y\n",
        ),
        (f"{PLAIN}#exclude=a\n", "add b", {"b"}, f"{PLAIN}#exclude=a\n"),
        (f"{PLAIN}exclude=a\n", "add", {"a"}, PLAIN),
        (f"{PLAIN}exclude=a b\n", "remove a c", {"b"}, PLAIN),
        (f"{PLAIN}exclude=a b\n", "remove a b", set(), PLAIN),
        (PLAIN, "remove a", set(), PLAIN),
        (REPO, "remove kernel", set(), f"[main]\n{REPO}"),
    ],
    ids=[
        "none-before",
        "empty",
        "no-main",
        "main-first",
        "main-last",
        "one-line",
        "two-keys",
        "several-lines",
        "beside-several-lines",
        "comment",
        "nothing-to-add",
        "take-out",
        "take-out-all",
        "take-out-of-none",
        "take-out-without-main",
    ],
)
def test_dnf_excludes(host: Host, before: str, call: str, names: set[str], rest: str) -> None:
    conf = host.file("/etc/dnf/dnf.conf", before, 0o640)
    host.program("dnf")
    how, _, given = call.partition(" ")
    done = host.run(f"write_main_conf {how} '{given}'", "dnf.sh")
    assert (done.returncode, done.stderr) == (0, "")
    lines = conf.read_text().splitlines(keepends=True)
    ours = [
        n for n, line in enumerate(lines) if line.startswith("exclude=") and "kernel" not in line
    ]
    assert len(ours) == bool(names)
    found = lines.pop(ours[0]) if ours else "="
    assert set(found.partition("=")[2].split()) == names
    assert "".join(lines) == rest
    assert not ours or lines[ours[0] - 1] == "[main]\n"
    assert conf.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in conf.parent.iterdir()] == ["dnf.conf"]


@pytest.mark.parametrize("program, shown", [("awk", "half"), ("mv", ""), ("cp", "")])
def test_dnfs_configuration_survives_a_write_that_fails(
    host: Host, program: str, shown: str
) -> None:
    text = f"{PLAIN}exclude=a\n{REPO}"
    conf = host.file("/etc/dnf/dnf.conf", text, 0o640)
    host.program("dnf")
    broken = f"[ ! -e {host.folder}/broken ] || {{ printf '{shown}'; exit 1; }}"
    host.program(program, f'{broken}\nexec {tool(program)} "$@"')
    done = host.run(f"touch {host.folder}/broken\nwrite_main_conf add docker-ce", "dnf.sh")
    assert (done.returncode, done.stderr) == (1, f"{conf} can't be written\n")
    assert conf.read_text() == text
    assert conf.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in conf.parent.iterdir()] == ["dnf.conf"]


def test_what_dnf_is_told_to_exclude_is_what_the_probe_finds(host: Host, tmp_path: File) -> None:
    conf = host.file("/etc/dnf/dnf.conf", f"{PLAIN}exclude=a,b\n  c\n{REPO}")
    host.program("dnf")
    host.run("write_main_conf add docker-ce", "dnf.sh")
    script = probe.SCRIPT.decode()
    section = script[script.index("section excluded") : script.index("section service")]
    text = section.replace("/etc/dnf/dnf.conf", str(conf)).replace("/etc/yum.conf", "/none")
    done = subprocess.run(
        ["sh", "-c", f"section() {{ :; }}\n{text}"], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == {"a", "b", "c", "docker-ce"}


def test_dnf_goes_past_what_is_excluded(host: Host) -> None:
    text = f"{PLAIN}exclude=docker-ce\n  runc\nbest=1\nexcludepkgs = a,kernel*\n{REPO}"
    conf = host.file("/etc/dnf/dnf.conf", text)
    host.program("dnf")
    done = host.run('cat "$work/main.conf"', "dnf.sh", cargo={"dnf.conf": "timeout=20\n"})
    lines = done.stdout.splitlines()
    assert lines[0] == "[main]"
    assert set(lines.pop(1).partition("=")[2].split()) == {"a", "kernel*"}
    assert "\n".join(lines) == f"[main]\ntimeout=20\ngpgcheck=1\nbest=True\nbest=1\n{REPO}".strip()
    assert conf.read_text() == text


def test_yum_serves_where_there_is_no_dnf(host: Host) -> None:
    conf = host.file("/etc/yum.conf", PLAIN)
    host.program("yum")
    lines = "write_main_conf add docker\ndnf_run makecache"
    assert host.run(lines, "dnf.sh").returncode == 0
    assert conf.read_text() == PLAIN.replace("[main]\n", "[main]\nexclude=docker\n")
    assert host.calls == [f"yum -c {host.folder}/scratch/main.conf makecache"]


def test_dnf_holds_what_is_installed(host: Host) -> None:
    conf = host.file("/etc/dnf/dnf.conf", "[main]\n")
    host.program("dnf")
    host.program("rpm", "[ $2 != docker-ce-cli ]")
    assert host.run("hold docker-ce docker-ce-cli", "dnf.sh").returncode == 0
    assert conf.read_text() == "[main]\nexclude=docker-ce\n"


LISTED = """\
Available Packages
docker-ce.x86_64 3:26.1.5-1.el9 docker-ce-stable
docker-ce.x86_64 3:27.0.1-1.el9 docker-ce-stable
docker-ce.x86_64 3:9.0.0-1.el9 docker-ce-stable
docker-ce-cli.x86_64 1:28.0.0-1.el9 docker-ce-stable
"""


@pytest.mark.parametrize(
    "wanted, pin",
    [
        ("", "3:27.0.1-1.el9"),
        ("26.1.5", "3:26.1.5-1.el9"),
        ("26.1.5-1.el9", "3:26.1.5-1.el9"),
        ("3:26.1.5-1.el9", "3:26.1.5-1.el9"),
    ],
)
def test_dnf_rehearses(host: Host, wanted: str, pin: str) -> None:
    host.file("/etc/dnf/dnf.conf", PLAIN)
    table = "Installing:\n docker-ce x86_64 3:1 repo 27 M\n\nOperation aborted."
    host.program(
        "dnf",
        f"case \"$*\" in *list*) cat <<'EOF'\n{LISTED}EOF\n;; *) cat <<'EOF'\n{table}\nEOF\n"
        "exit 1 ;; esac",
    )
    done = host.run(f"rehearse '{wanted}' docker-ce -- containerd.io", "dnf.sh")
    assert done.stdout.splitlines() == [
        f"pin|docker-ce|{pin}",
        *(f"dnf|{line}" for line in table.splitlines()),
    ]
    conf = f"-c {host.folder}/scratch/main.conf"
    assert f"dnf -q {conf} list --showduplicates docker-ce" in host.calls
    assert host.calls[-1] == (
        f"dnf {conf} --assumeno install --allowerasing docker-ce-{pin} containerd.io"
    )


def test_dnf_installs(host: Host) -> None:
    host.file("/etc/dnf/dnf.conf", PLAIN)
    host.program("dnf")
    words = "docker-ce-3:26 --allowerasing"
    lines = f"lock_holder() {{ :; }}\nprepare_packages 5 {words}\ninstall_packages {words}"
    assert host.run(lines, "dnf.sh").returncode == 0
    conf = f"-c {host.folder}/scratch/main.conf"
    assert host.calls == [
        f"dnf {conf} -y install --downloadonly {words}",
        f"dnf {conf} -y install {words}",
    ]


def test_dnf_takes_nothing_but_the_files(host: Host) -> None:
    host.file("/etc/dnf/dnf.conf", f"{PLAIN}{REPO}")
    host.program("dnf")
    lines = 'without_sources\ncat "$work/main.conf"; ls -A "$work/repos"'
    done = host.run(lines, "dnf.sh", cargo={"dnf.conf": "timeout=20\n"})
    ours = f"[main]\ntimeout=20\nreposdir={host.folder}/scratch/repos\n"
    assert done.stdout == f"{ours}{PLAIN.removeprefix('[main]')[1:]}{REPO}"


def test_apt_installs(host: Host) -> None:
    host.program("apt-get")
    host.program("dpkg")
    lines = (
        "lock_holder() { :; }\nprepare_packages 5 docker-ce=5:26 runc-\n"
        "install_packages docker-ce=5:26 runc-\ninstall_packages docker-ce=5:26"
    )
    assert host.run(lines, "apt.sh").returncode == 0
    apt_get = f"apt-get -c {host.folder}/scratch/apt.conf -q -y"
    allow = "--allow-downgrades --allow-change-held-packages"
    assert host.calls == [
        f"{apt_get} update",
        "dpkg --force-confdef --force-confold --configure -a",
        f"{apt_get} -f install --no-remove --allow-change-held-packages",
        f"{apt_get} install -f --download-only {allow} docker-ce=5:26 runc-",
        f"{apt_get} install -f {allow} docker-ce=5:26 runc-",
        f"{apt_get} install -f --no-remove {allow} docker-ce=5:26",
    ]


def test_apt_takes_nothing_but_the_files(host: Host) -> None:
    host.program("dpkg")
    done = host.run('without_sources\ncat "$work/sources.list"; ls -A sources lists', "apt.sh")
    assert (done.returncode, done.stdout) == (0, "lists:\npartial\n\nsources:\n")


@pytest.mark.parametrize(
    "part, program", [("apt.sh", "apt-get"), ("dnf.sh", "dnf")], ids=["apt", "dnf"]
)
def test_what_cannot_be_fetched_stops_nobody(host: Host, part: str, program: str) -> None:
    host.file("/etc/dnf/dnf.conf", PLAIN)
    host.program("dpkg")
    host.program("docker")
    host.program(program, 'case "$*" in *download*) echo unsigned; exit 100 ;; esac')
    lines = "lock_holder() { :; }\nprepare_packages 5 docker-ce\nstop_containers 30 engine"
    done = host.run(lines, part)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{program[:3]} can't fetch the engine:\nunsigned\n"
    assert not [line for line in host.calls if line.startswith("docker")]


@pytest.mark.parametrize(
    "part, program", [("apt.sh", "apt-get"), ("dnf.sh", "dnf")], ids=["apt", "dnf"]
)
def test_an_installation_that_fails_puts_back_what_was_put(
    host: Host, part: str, program: str
) -> None:
    host.file("/etc/dnf/dnf.conf", PLAIN)
    host.program("dpkg")
    host.program(program, 'case "$*" in *docker-ce*) echo broken; exit 100 ;; esac')
    source = host.file("/etc/source", "old\n")
    lines = f"put a {source} 644\ninstall_packages docker-ce"
    done = host.run(lines, part, cargo={"a": "A\n"})
    assert done.returncode == 1
    assert done.stderr == f"{program[:3]} can't install the engine:\nbroken\n"
    assert source.read_text() == "old\n"


@pytest.mark.parametrize("part, name", [("apt.sh", "apt"), ("dnf.sh", "dnf")])
def test_a_lock_is_waited_for(host: Host, part: str, name: str) -> None:
    host.file("/etc/dnf/dnf.conf", PLAIN)
    host.program("dnf")
    holds = f"lock_holder() {{ [ -e {host.folder}/free ] || echo '12 (other)'; }}"
    done = host.run(f"{holds}\nawait_lock 1\nsay not reached", part)
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        f"say: waiting for process 12 (other), which has {name}'s lock\n",
        f"process 12 (other) has held {name}'s lock for 1 s; look what it does there\n",
    )
    done = host.run(f"{holds}\n(sleep 1; touch {host.folder}/free) &\nawait_lock 20", part)
    assert done.returncode == 0


def test_what_dnf_does_not_have(host: Host) -> None:
    host.file("/etc/dnf/dnf.conf", PLAIN)
    host.program("dnf", f"cat <<'EOF'\n{LISTED}EOF")
    done = host.run("rehearse 1.0 docker-ce --", "dnf.sh")
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        "docker_engine.version: docker-ce 1.0 is not there; there are: "
        "3:27.0.1-1.el9 3:26.1.5-1.el9 3:9.0.0-1.el9\n",
    )
    done = host.run("rehearse '' moby-engine --", "dnf.sh")
    assert done.stderr.startswith("docker_engine.source: it has no package moby-engine:\n")


def test_dnf_takes_one_exact_version_for_packages_of_different_epochs(host: Host) -> None:
    host.file("/etc/dnf/dnf.conf", PLAIN)
    host.program(
        "dnf",
        'case "$*" in *" docker-ce") echo "docker-ce.x86_64 3:26.1.5-1.el9 r" ;; '
        '*list*) echo "docker-ce-cli.x86_64 1:26.1.5-1.el9 r" ;; *) echo "Nothing to do." ;; esac',
    )
    done = host.run("rehearse 3:26.1.5-1.el9 docker-ce docker-ce-cli --", "dnf.sh")
    assert done.returncode == 0
