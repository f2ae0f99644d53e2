"""probe.sh under this machine's `sh`, with a `docker` of the test's own first in PATH."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from dataclasses import asdict
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path as File

import pytest

from roles.container.commands import UPDATED
from roles.observed import (
    HomePath,
    Lease,
    Newest,
    Observed,
    Path,
    Pin,
    Release,
    Releases,
    Service,
    Setup,
    Source,
    Sudoers,
    Unit,
)
from roles.observed.parse import ProbeError, parse
from roles.observed.probe import SCRIPT, Look

SHORT_S = 0.3
"""Docker's limit in the tests in which it hangs; elsewhere a busy machine gets its time."""


@pytest.fixture
def bin_folder(tmp_path: File) -> File:
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def program(folder: File, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def docker(folder: File, script: str) -> None:
    program(folder, "docker", script)


def elsewhere(folder: File, *paths: str) -> bytes:
    """The probe, which looks for these files below a folder."""
    script = SCRIPT
    for path in paths:
        script = script.replace(path.encode(), f"{folder}{path}".encode())
    assert script != SCRIPT
    return script


def put(folder: File, path: str, text: str) -> None:
    file = File(f"{folder}{path}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def beside(folder: File) -> dict[str, str]:
    """The probe's environment: our programs first, and no engine's socket."""
    return {"PATH": f"{folder}:{os.environ['PATH']}", "DOCKER_HOST": "unix:///no/such.sock"}


def probe(
    folder: File, look: Look | None = None, limit_s: float = 10, script: bytes = SCRIPT
) -> Observed:
    words = ["sh", "-s", "--", str(limit_s), *(look or Look()).arguments]
    done = subprocess.run(
        words, input=script, env=beside(folder), capture_output=True, check=True, timeout=20
    )
    return parse(done.stdout)


ANSWERS = """
case "$*" in
version*) echo 26.1.5 ;;
info*) echo overlay2 ;;
"image ls"*) printf 'sha256:1\\nsha256:1\\n' ;;
"image inspect "*)
    for image in sha256:1 sha256:IMAGE; do
        case "$*" in *"$image"*) ;; *) continue ;; esac
        printf %s "$image overlay2 {\\"id\\":\\"$image\\",\\"tags\\":[\\"a:1\\"],"
        echo '"layers":["sha256:l"]}'
        echo "$image config {\\"id\\":\\"$image\\",\\"config\\":{\\"Cmd\\":[\\"x  y\\"]}}"
    done ;;
"ps -a "*)
    echo '0a1b ours {"name":"ours","image":"a:1","state":"running"}'
    echo '2c3d - {"name":"theirs","image":"b:1","state":"exited"}' ;;
"inspect 0a1b --format"*)
    printf %s '{"Name":"/ours","Args":["\\"Image\\":\\"sha256:FORGED\\""],"Image":"sha256:IMAGE",'
    echo '"Config":{"Image":"a:1","Labels":{"dockyard.part":"proxy"}}}' ;;
"network ls --format"*) printf 'bridge\nbackend\n' ;;
*) echo "unexpected: $*" >&2; echo "$*" >>"${0%/*}/unexpected"; exit 9 ;;
esac
""".replace("IMAGE", "0" * 64).replace("FORGED", "f" * 64)


def test_an_engine_that_answers(bin_folder: File) -> None:
    docker(bin_folder, ANSWERS)
    observed = probe(bin_folder, Look(networks=True))
    assert (observed.docker_version, observed.storage_driver) == ("26.1.5", "overlay2")
    assert observed.docker_error is None
    assert [(i.id, i.tags, i.layers) for i in observed.images] == [
        (image, ("a:1",), ("sha256:l",)) for image in ("sha256:1", f"sha256:{'0' * 64}")
    ]
    assert [(c.name, c.running, dict(c.labels)) for c in observed.containers] == [
        ("ours", True, {"dockyard.part": "proxy"}),
        ("theirs", False, {}),
    ]
    assert [c.image_config for c in observed.containers] == [{"Cmd": ["x  y"]}, None]
    assert observed.networks == {"bridge", "backend"}
    assert not (bin_folder / "unexpected").exists()


def test_what_was_updated_in_place_is_read_where_it_stands(
    bin_folder: File, tmp_path: File
) -> None:
    inspect = '{"Name":"/ours","Id":"0a1b","Config":{"Labels":{"dockyard.part":"proxy"}}}'
    docker(bin_folder, f'case "$*" in "inspect "*) echo \'{inspect}\'; exit ;; esac\n{ANSWERS}')
    script = elsewhere(tmp_path, UPDATED)
    assert probe(bin_folder, script=script).containers[0].updated == {}
    put(tmp_path, f"{UPDATED}/ours", '0a1b {"pids": 9}\n')
    put(tmp_path, f"{UPDATED}/other", '0c2d {"pids": 8}\n')
    assert probe(bin_folder, script=script).containers[0].updated == {"pids": 9}


def test_who_has_the_lease_is_read_where_it_stands(bin_folder: File, tmp_path: File) -> None:
    record = "/var/lib/dockyard/lease/record"
    script = elsewhere(tmp_path, record)
    assert probe(bin_folder, script=script).lease == Lease()
    now_s = int(time.time())
    lines = ("a1", str(now_s + 3000), "4", "ann@laptop", str(now_s), "@@end")
    put(tmp_path, record, "".join(f"{line}\n" for line in lines))
    found = probe(bin_folder, script=script).lease
    assert (found.token, found.generation, found.owner, found.doing) == (
        "a1",
        4,
        "ann@laptop",
        "@@end",
    )
    assert 2000 < found.left_s <= 3000


KERNEL_LISTS = ("/proc/config.gz", "/boot/config-", "/lib/modules/")
"""Where the kernel's own list of what it was built with may stand."""


def test_settings_are_read_whole(bin_folder: File) -> None:
    found = probe(bin_folder).fitness.sysctls
    number = File("/proc/sys/kernel/keys/root_maxkeys").read_text().strip()
    assert len(number) > 1
    assert found["kernel.keys.root_maxkeys"] == number


MOUNTS = """\
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
"""


def test_controllers_that_are_mounted_together(bin_folder: File, tmp_path: File) -> None:
    put(tmp_path, "/proc/self/mounts", MOUNTS)
    found = probe(bin_folder, script=elsewhere(tmp_path, "/proc/self/mounts")).fitness
    assert found.mounted_controllers == {"systemd", "cpu", "cpuacct", "memory"}


@pytest.mark.parametrize(
    "text, has_overlay",
    [
        ("nodev\tproc\nnodev\toverlay\n\text4\n", True),
        ("\toverlay\n", True),
        ("nodev\toverlayfs\n", False),
        ("\text4\n", False),
    ],
)
def test_a_file_system_by_its_whole_name(
    bin_folder: File, tmp_path: File, text: str, has_overlay: bool
) -> None:
    program(bin_folder, "modprobe", "exit 1")
    put(tmp_path, "/proc/filesystems", text)
    found = probe(bin_folder, script=elsewhere(tmp_path, "/proc/filesystems"))
    assert found.has_overlay is has_overlay


@pytest.mark.parametrize("text", ["1", "1\n"])
def test_what_selinux_says_without_an_end_of_the_line(
    bin_folder: File, tmp_path: File, text: str
) -> None:
    path = "/sys/fs/selinux/enforce"
    script = elsewhere(tmp_path, path)
    assert probe(bin_folder, script=script).fitness.selinux is None
    put(tmp_path, path, text)
    assert probe(bin_folder, script=script).fitness.selinux == "enforcing"


def test_an_address_of_the_host_is_told_once(bin_folder: File) -> None:
    lines = "".join(f"127.0.1.1 {kind} app-1\\n" for kind in ("STREAM", "DGRAM", "RAW"))
    program(bin_folder, "getent", f"printf '{lines}'")
    assert probe(bin_folder).fitness.name_addresses == ("127.0.1.1",)


def test_a_file_that_cannot_be_read_takes_no_other_with_it(
    bin_folder: File, tmp_path: File
) -> None:
    """mawk ends at such a file; here one that is of no use to any awk goes before all others."""
    put(tmp_path, "/etc/docker/daemon.json", "{}\n")
    whole = elsewhere(tmp_path, "/etc/docker/daemon.json")
    awk = shutil.which("awk")
    program(
        bin_folder,
        "awk",
        f"""
        case "$*" in *of=status*of=engine*) exit 2 ;; esac
        exec {awk} "$@" """,
    )
    found = probe(bin_folder, script=whole)
    assert found.daemon_json == "{}"
    assert found.fitness.memory_kib
    assert found.fitness.has_seccomp


def test_what_has_more_lines_is_told_in_one(bin_folder: File) -> None:
    program(bin_folder, "uname", "printf 'two\\nlines\\n'")
    assert probe(bin_folder).fitness.name == "two lines"


def test_the_kernels_symbols_are_asked_where_it_has_no_list_of_its_options(
    bin_folder: File, tmp_path: File
) -> None:
    symbols = "/proc/kallsyms"
    script = elsewhere(tmp_path, symbols, *KERNEL_LISTS, "/sys/module/")
    put(tmp_path, symbols, "ffff T veth_setup\n")
    assert probe(bin_folder, script=script).fitness.features["veth"] == "there"
    put(tmp_path, f"/lib/modules/{os.uname().release}/config", "CONFIG_VETH=m\n")
    assert probe(bin_folder, script=script).fitness.features["veth"] != "there"


def test_an_engine_without_images_and_containers(bin_folder: File) -> None:
    docker(bin_folder, 'case "$1" in version) echo 26.1.5 ;; esac')
    observed = probe(bin_folder)
    assert observed.docker_version == "26.1.5"
    assert (observed.images, observed.containers) == ((), ())


def test_an_engine_that_does_not_answer(bin_folder: File) -> None:
    docker(bin_folder, "echo 'Cannot connect' >&2; echo 'is it running?' >&2; exit 1")
    observed = probe(bin_folder)
    assert observed.docker_version is None
    assert observed.docker_error == "Cannot connect is it running?"
    assert not observed.docker_hangs


@pytest.mark.parametrize("trap", ["", "trap '' TERM;"], ids=["ends", "has-to-be-killed"])
def test_an_engine_that_hangs(bin_folder: File, trap: str) -> None:
    docker(bin_folder, f"{trap} sleep 5; sleep 5; sleep 5")
    observed = probe(bin_folder, limit_s=SHORT_S)
    assert observed.docker_hangs
    assert observed.docker_version is None


@pytest.mark.parametrize(
    "question", ["image ls", "image inspect", "ps -a", "inspect", "network ls"]
)
def test_an_engine_that_answers_first_and_then_hangs(bin_folder: File, question: str) -> None:
    # Known of `docker ps`, when one container's shim is stuck: an empty list would be a lie.
    docker(bin_folder, f'case "$*" in "{question} "*) sleep 5 ;; esac\n{ANSWERS}')
    assert probe(bin_folder, Look(networks=True), limit_s=SHORT_S).docker_hangs


def test_what_others_images_say_stays_on_the_host(bin_folder: File) -> None:
    docker(bin_folder, ANSWERS)
    words = ["sh", "-s", "--", "10"]
    told = subprocess.run(
        words, input=SCRIPT, env=beside(bin_folder), capture_output=True
    ).stdout.decode()
    assert told.count('"config":') == 1


def test_an_engine_without_images_is_asked_for_its_driver(bin_folder: File) -> None:
    docker(bin_folder, f'case "$*" in "image ls "*|"ps -a "*) exit ;; esac\n{ANSWERS}')
    assert probe(bin_folder).storage_driver == "overlay2"


def test_an_engine_that_hung_is_not_asked_again(bin_folder: File, tmp_path: File) -> None:
    log = tmp_path / "log"
    docker(bin_folder, f'echo "$*" >>{log}; [ "$1" = version ] && echo 26.1.5 || sleep 30')
    assert probe(bin_folder, limit_s=2).docker_hangs
    assert len(log.read_text().splitlines()) == 2


def test_what_docker_warns_of_is_no_data(bin_folder: File) -> None:
    docker(bin_folder, f"echo 'WARNING: Error loading config file' >&2\n{ANSWERS}")
    observed = probe(bin_folder)
    assert (observed.docker_version, observed.storage_driver) == ("26.1.5", "overlay2")
    assert (len(observed.images), len(observed.containers)) == (2, 2)


def test_a_container_that_goes_while_the_probe_looks(bin_folder: File) -> None:
    gone = "echo 'Error: No such object: 0a1b' >&2; exit 1"
    docker(bin_folder, f'case "$*" in "inspect "*) {gone} ;; esac\n{ANSWERS}')
    assert [c.name for c in probe(bin_folder).containers] == ["ours", "theirs"]


def test_docker_does_not_read_the_script(bin_folder: File) -> None:
    docker(bin_folder, f"cat\n{ANSWERS}")
    assert probe(bin_folder).docker_version == "26.1.5"


def test_a_host_that_speaks_another_language(bin_folder: File) -> None:
    docker(bin_folder, '[ "$1" = version ] && echo "1.0-$LC_ALL"')
    assert probe(bin_folder).docker_version == "1.0-C"


def test_what_only_has_the_clients_name_is_no_engine(bin_folder: File) -> None:
    docker(bin_folder, "echo podman version 5.2.2")
    observed = probe(bin_folder)
    assert observed.docker_version is None
    assert observed.docker_error == "podman version 5.2.2"
    assert observed.images == observed.containers == ()


def test_what_is_asked(bin_folder: File, tmp_path: File) -> None:
    docker(bin_folder, "exit 1")
    folder = tmp_path / "a folder's; $(touch made)"
    folder.mkdir(mode=0o750)
    file = folder / "myid"
    file.write_text("3\nsecond line\n")
    long = folder / "long"
    long.write_text("x" * 2000)
    look = Look(
        paths=(str(folder), str(tmp_path / "absent")),
        files=(str(file), str(folder), str(tmp_path / "absent"), str(long)),
        sums=(str(file), str(folder), str(tmp_path / "absent")),
        names=("localhost", "-v", "no.such.name.invalid", "198.18.0.31", "2001:db8::31"),
    )
    observed = probe(bin_folder, look)
    owner = f"{os.getuid()}:{os.getgid()}"
    assert observed.paths == {str(folder): Path("directory", owner, "750")}
    assert observed.first_lines == {str(file): "3", str(long): "x" * 1000}
    assert observed.sums == {str(file): sha256(b"3\nsecond line\n").hexdigest()}
    assert observed.resolved == {
        "localhost": IPv4Address("127.0.0.1"),
        "198.18.0.31": IPv4Address("198.18.0.31"),
        "2001:db8::31": IPv6Address("2001:db8::31"),
    }
    assert not File("made").exists()


def test_this_machine_itself(bin_folder: File) -> None:
    docker(bin_folder, "exit 1")
    observed, told = probe(bin_folder), os.uname()
    assert (observed.kernel, observed.architecture) == (told.release, told.machine)
    assert observed.user_id == os.getuid()
    assert observed.userland_bits in (32, 64)


def test_this_machines_fitness(bin_folder: File, tmp_path: File) -> None:
    docker(bin_folder, "exit 1")
    absent = tmp_path / "not" / "there yet"
    observed = probe(bin_folder, Look(disks=(str(absent), "/")))
    fitness = observed.fitness
    assert fitness.time_s
    assert abs(fitness.time_s - time.time()) < 20
    assert fitness.namespaces >= {"mnt", "net", "pid"}
    assert fitness.memory_kib
    assert fitness.name == os.uname().nodename
    found = fitness.disks[str(absent)]
    space = os.statvfs(tmp_path)
    assert found.place == str(tmp_path)
    assert found.total_kib == pytest.approx(space.f_blocks * space.f_frsize // 1024, rel=0.01)
    assert fitness.disks["/"].kind
    assert fitness.source is None


def test_what_a_host_says_makes_no_section(bin_folder: File) -> None:
    hostile = "printf 'a\\n@@end\\n@@host\\nuser_id=7\\n'"
    docker(bin_folder, "exit 1")
    for name in ("ss", "getent", "stat", "df", "rpm", "dpkg-query", "modprobe", "date", "zcat"):
        program(bin_folder, name, hostile)
    look = Look(disks=("/",), source="http://127.0.0.1:1")
    observed = probe(bin_folder, look)
    assert observed.user_id == os.getuid()
    assert observed.fitness.listeners == ()
    assert set(observed.fitness.disks) == {"/"}


def test_a_host_without_the_usual_programs(bin_folder: File) -> None:
    docker(bin_folder, "exit 1")
    for name in ("ss", "getent", "stat", "df", "rpm", "dpkg-query", "modprobe", "zcat", "awk"):
        program(bin_folder, name, "exit 127")
    program(bin_folder, "date", 'case "$1" in +%s.%N) echo 1764000000.%N ;; esac')
    observed = probe(bin_folder, Look(disks=("/var/lib/docker",)))
    assert observed.fitness.time_s == 1764000000
    assert observed.fitness.disks["/var/lib/docker"].free_kib == 0


@pytest.mark.parametrize("listens", [True, False])
def test_a_source_that_is_asked_for(bin_folder: File, listens: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if not listens:
            server.close()
        found = probe(bin_folder, Look(source=f"http://127.0.0.1:{port}")).fitness.source
    assert found == Source(f"http://127.0.0.1:{port}", None, True, listens)


def test_a_source_behind_a_proxy(bin_folder: File) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = f"127.0.0.1:{server.getsockname()[1]}"
        look = Look(source="https://no.such.name.invalid:443", proxy=proxy)
        found = probe(bin_folder, look).fitness.source
    assert found == Source("https://no.such.name.invalid:443", proxy, True, True)


def test_a_host_that_has_an_engine_is_not_asked_for_its_source(bin_folder: File) -> None:
    program(bin_folder, "dockerd", "exit 0")
    assert probe(bin_folder, Look(source="http://127.0.0.1:1")).fitness.source is None


SOURCES = [
    ("a.list", "# deb http://no/\ndeb [arch=amd64] http://u:p@127.0.0.1:1/debian bookworm main"),
    ("a.list", "deb-src http://no/ a\ndeb   http://127.0.0.1:1/debian bookworm main"),
    ("a.sources", "Types: deb\nURIs: http://127.0.0.1:1/debian\nSuites: trixie"),
    ("a.repo", "[base]\nname=base\nbaseurl = http://127.0.0.1:1/$releasever/os"),
    (
        "a.repo",
        "[a]\nbaseurl=http://no/\nenabled = 0\n[b]\nenabled=False\nmetalink=http://no/\n"
        "[c]\nmirrorlist=http://127.0.0.1:1?release=$releasever\nenabled=1\nbaseurl=http://no/",
    ),
    (
        "a.repo",
        "[a]\nbaseurl=http://$mirror/a\n[b]\nbaseurl=http:///b\n"
        "[c]\nbaseurl=http://eu.$mirror:80/c\n[d]\nbaseurl=http://127.0.0.1:1",
    ),
]


@pytest.mark.parametrize(
    "name, text", SOURCES, ids=["options", "plain", "deb822", "yum", "yum-off", "yum-variables"]
)
def test_the_package_managers_own_source(
    bin_folder: File, tmp_path: File, name: str, text: str
) -> None:
    found = own(bin_folder, configured(bin_folder, tmp_path, name, text))
    assert found
    assert found.place == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    "text",
    [
        "[a]\nbaseurl=http://$mirror/a",
        "[a]\nbaseurl=https://$region.example/a",
        "[a]\nbaseurl=http:///a",
        "[a]\nbaseurl=http://127.0.0.1:1/a\nenabled=0",
    ],
    ids=["a-variable", "half-a-variable", "no-host", "off"],
)
def test_a_source_that_the_host_does_not_name_is_not_tried(
    bin_folder: File, tmp_path: File, text: str
) -> None:
    assert own(bin_folder, configured(bin_folder, tmp_path, "a.repo", text)) is None


def configured(bin_folder: File, folder: File, name: str, text: str) -> str:
    """The probe on a host whose package manager has this file of sources alone."""
    (folder / name).write_text(f"{text}\n")
    place = "/etc/yum.repos.d" if name.endswith("repo") else "/etc/apt/sources.list.d"
    script = SCRIPT.decode()
    for path in ("/etc/apt/sources.list.d", "/etc/apt/sources.list", "/etc/yum.repos.d"):
        script = script.replace(path, str(folder) if path == place else "/no/such")
    program(bin_folder, "apt-config", "exit 0")
    return script


def test_a_name_server_that_is_silent_is_asked_once(bin_folder: File, tmp_path: File) -> None:
    docker(bin_folder, "exit 1")
    asked = tmp_path / "asked"
    program(bin_folder, "getent", f'[ "$2" != zk-1 ] || {{ echo "$1" >>{asked}; exec sleep 60; }}')
    assert probe(bin_folder, Look(names=("zk-1",))).resolved == {}
    assert asked.read_text() == "ahostsv4\n"


def test_a_name_of_ipv6_alone(bin_folder: File) -> None:
    docker(bin_folder, "exit 1")
    program(
        bin_folder,
        "getent",
        """case "$1 $2" in
        "ahostsv6 zk-1" | "ahostsv6 zk-2") printf '2001:db8::1 STREAM\n2001:db8::1 DGRAM\n' ;;
        "ahostsv4 zk-2") printf '198.18.0.32 STREAM zk-2\n198.18.0.32 DGRAM\n' ;;
        *) exit 2 ;;
        esac""",
    )
    assert probe(bin_folder, Look(names=("zk-1", "zk-2", "zk-3"))).resolved == {
        "zk-1": IPv6Address("2001:db8::1"),
        "zk-2": IPv4Address("198.18.0.32"),
    }


BOTH_FAMILIES = """
case "$*" in
"-o -4 addr show") echo "2: eth0    inet 198.18.0.11/24 scope global eth0" ;;
"-o -4 route show table main") echo "default via 198.18.0.1 dev eth0" ;;
"-o -6 addr show") echo "2: eth0    inet6 2001:db8::11/64 scope global" ;;
"-o -6 route show table main")
    echo "default via fe80::1 dev eth0 proto ra metric 1024"
    echo "unreachable default dev lo metric 4294967295 error -101" ;;
esac
"""


def test_addresses_and_routes_of_both_families(bin_folder: File) -> None:
    docker(bin_folder, "exit 1")
    program(bin_folder, "ip", BOTH_FAMILIES)
    observed = probe(bin_folder)
    assert [str(address.ip) for address in observed.addresses] == ["198.18.0.11", "2001:db8::11"]
    assert [(str(route.to), str(route.via)) for route in observed.routes] == [
        ("0.0.0.0/0", "198.18.0.1"),
        ("::/0", "fe80::1"),
    ]


@pytest.mark.parametrize(
    "answer", ["echo 'IPv6 is disabled' >&2; exit 2", "sleep 5"], ids=["off", "hangs"]
)
def test_ipv6_that_does_not_answer_leaves_ipv4(bin_folder: File, answer: str) -> None:
    docker(bin_folder, "exit 1")
    program(bin_folder, "ip", f'case "$*" in *-6*) {answer}; exit 2 ;; esac\n{BOTH_FAMILIES}')
    observed = probe(bin_folder, script=SCRIPT.replace(b"bounded_by 10 ip", b"bounded_by 0.3 ip"))
    assert [str(address.ip) for address in observed.addresses] == ["198.18.0.11"]
    assert [str(route.to) for route in observed.routes] == ["0.0.0.0/0"]


def test_the_package_managers_own_proxy_and_not_its_password(bin_folder: File) -> None:
    program(
        bin_folder, "apt-config", "echo 'Acquire::http::Proxy \"http://u:secret@127.0.0.1:2\";'"
    )
    found = own(bin_folder, SCRIPT.decode(), source="http://packages.invalid")
    assert found
    assert (found.proxy, found.resolves, found.connects) == ("127.0.0.1:2", True, False)


def own(folder: File, script: str, source: str = "distro") -> Source | None:
    done = subprocess.run(
        ["sh", "-s", "--", "1", "source", source],
        input=script.encode(),
        env=beside(folder),
        capture_output=True,
        check=True,
        timeout=20,
    )
    assert b"secret" not in done.stdout
    return parse(done.stdout).fitness.source


DPKG = r"""
[ "$*" = '-W -f ${db:Status-Abbrev}|${Package}|${Version}\n' ] || exit 9
cat <<'EOF'
ii |bash|5.2
hi |docker.io|20.10.24+dfsg1-1
iF |containerd|1.6.20
ii |libdocker-perl|1.0
rc |docker-ce|5:26.1.5-1
EOF
"""
RPM = r"""
[ "$*" = '-qa --qf ii|%{NAME}|%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n' ] || exit 9
cat <<'EOF'
ii|bash|0:5.2-1
ii|docker-ce|3:26.1.5-1.el9
ii|containerd.io|0:1.6.33-3.1.el9
EOF
"""


@pytest.mark.parametrize(
    "manager, script, packages, held, unfinished",
    [
        (
            "dpkg-query",
            DPKG,
            {"docker.io": "20.10.24+dfsg1-1", "containerd": "1.6.20"},
            {"docker.io"},
            {"containerd"},
        ),
        (
            "rpm",
            RPM,
            {"docker-ce": "3:26.1.5-1.el9", "containerd.io": "1.6.33-3.1.el9"},
            set(),
            set(),
        ),
    ],
    ids=["dpkg", "rpm"],
)
def test_packages(
    bin_folder: File,
    manager: str,
    script: str,
    packages: dict[str, str],
    held: set[str],
    unfinished: set[str],
) -> None:
    for name in ("dpkg-query", "rpm"):
        program(bin_folder, name, script if name == manager else "exit 1")
    observed = probe(bin_folder)
    assert observed.packages == packages
    assert (observed.held, observed.unfinished) == (held, unfinished)


DNF_CONF = """[main]
gpgcheck=1
exclude=docker-ce,containerd.io
  docker-ce-cli, docker=x
excludepkgs = runc
installonly_limit=3
  not-excluded
[another]
exclude=kernel
"""
BOTH = ("/etc/dnf/dnf.conf", "/etc/yum.conf")


@pytest.mark.parametrize("path", BOTH)
def test_what_is_excluded(bin_folder: File, tmp_path: File, path: str) -> None:
    put(tmp_path, path, DNF_CONF)
    program(bin_folder, "dpkg-query", "exit 1")
    observed = probe(bin_folder, script=elsewhere(tmp_path, *BOTH))
    assert observed.held == {"docker-ce", "containerd.io", "docker-ce-cli", "docker=x", "runc"}


@pytest.mark.parametrize(
    "text", [None, "", "{}", '{\n\n  "debug": true\n}\n', "@@end\n|x\n"], ids=ascii
)
def test_the_engines_configuration(bin_folder: File, tmp_path: File, text: str | None) -> None:
    if text is not None:
        put(tmp_path, "/etc/docker/daemon.json", text)
    observed = probe(bin_folder, script=elsewhere(tmp_path, "/etc/docker/daemon.json"))
    assert observed.daemon_json == (text and text.removesuffix("\n"))


SHOWN = """\
Id=docker.service
ActiveState={docker}
UnitFileState=enabled

Id=firewalld.service
ActiveState={firewalld}
UnitFileState=disabled
"""


@pytest.mark.parametrize("docker, firewalld", [("active", "inactive"), ("failed", "active")])
def test_the_service_and_the_firewall(
    bin_folder: File, tmp_path: File, docker: str, firewalld: str
) -> None:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    program(
        bin_folder, "systemctl", f"cat <<'E'\n{SHOWN.format(docker=docker, firewalld=firewalld)}E"
    )
    script = elsewhere(tmp_path, "/run/systemd/system", "/etc/ufw/ufw.conf")
    found = probe(bin_folder, script=script)
    assert found.docker_service == Service(enabled=True, active=docker == "active")
    assert found.fitness.firewalls == ({"firewalld"} if firewalld == "active" else set())
    put(tmp_path, "/etc/ufw/ufw.conf", "# ufw\nENABLED=yes\n")
    assert "ufw" in probe(bin_folder, script=script).fitness.firewalls


@pytest.mark.parametrize("status, active", [("exit 0", True), ("exit 3", False)])
@pytest.mark.parametrize("enabled", [True, False])
def test_the_service_without_systemd(
    bin_folder: File, tmp_path: File, status: str, active: bool, enabled: bool
) -> None:
    put(tmp_path, "/etc/init.d/docker", "")
    (tmp_path / "etc/init.d/docker").chmod(0o755)
    if enabled:
        put(tmp_path, "/etc/rc3.d/S20docker", "")
    program(bin_folder, "service", f'[ "$*" = "docker status" ] && {status}')
    script = elsewhere(tmp_path, "/run/systemd/system", "/etc/init.d/docker", "/etc/rc")
    assert probe(bin_folder, script=script).docker_service == Service(enabled, active)


def test_of_a_record_the_first_line_alone_is_read(bin_folder: File) -> None:
    folder = bin_folder.parent
    releases, pins = "/var/lib/dockyard/releases", "/var/lib/dockyard/pin.json"
    script = elsewhere(folder, releases, pins)
    assert probe(bin_folder, script=script).releases == Releases()
    name, pin = "2026-01-01T00:00:00Z", Pin("proxy", "abc", None, "ann@laptop", "then")
    head = f'{{"version": 1, "name": "{name}", "by": "ann@laptop", "parts": {{}},'
    put(folder, f"{releases}/{name}.json", f'{head}\n"wanted": {{"TOKEN": "c4n4ry"}}}}\n')
    put(folder, f"{releases}/.{name}.json.new", head)
    put(folder, f"{releases}/current", f"{name}\n")
    put(folder, pins, json.dumps([asdict(pin)]) + "\n")
    found = probe(bin_folder, script=script).releases
    assert found == Releases({name: Release(name, "ann@laptop", {})}, name, (pin,))
    words = ["sh", "-s", "--", "10"]
    printed = subprocess.run(words, input=script, capture_output=True, check=True).stdout
    assert b"ann@laptop" in printed
    assert b"c4n4ry" not in printed


def test_pins_that_are_lost_are_not_taken_for_none(bin_folder: File, tmp_path: File) -> None:
    script = elsewhere(tmp_path, "/var/lib/dockyard/pin.json")
    put(tmp_path, "/var/lib/dockyard/pin.json", "")
    with pytest.raises(ProbeError, match="is spoilt"):
        probe(bin_folder, script=script)


def test_the_newest_of_versions(bin_folder: File, tmp_path: File) -> None:
    docker(bin_folder, "exit 1")
    folder = tmp_path / "it's here"
    folder.mkdir()
    texts = {
        "next": "no version",
        "fff": "old",
        "10000000a": "a=[::1]:1\nb=2|3\n",
        "10000000b.tmp": "x",
    }
    for version, text in texts.items():
        (folder / f"zoo.cfg.dynamic.{version}").write_text(text)
    paths = (str(folder / "zoo.cfg.dynamic"), str(folder / "absent"))
    assert probe(bin_folder, Look(newest=paths)).newest == {
        paths[0]: Newest("10000000a", ("a=[::1]:1", "b=2", "3"))
    }


def setup(folder: File, *asked: tuple[str, str], script: bytes = SCRIPT) -> Setup:
    return probe(folder, Look(setup=asked), script=script).setup


def test_of_a_host_itself_nothing_is_read_that_is_not_asked_for(bin_folder: File) -> None:
    for name in ("visudo", "sshd", "readlink", "stat", "sha256sum"):
        program(bin_folder, name, f'touch "${{0%/*}}/ran-{name}"')
    assert setup(bin_folder) == Setup()
    assert list(bin_folder.glob("ran-*")) == []


def test_settings_of_the_kernel(bin_folder: File, tmp_path: File) -> None:
    put(tmp_path, "/proc/sys/net/ipv4/range", "1024\t65000\n")
    put(tmp_path, "/proc/sys/net/key_key", "secret\n")
    put(tmp_path, "/etc/shadow", "root:x\n")
    script = elsewhere(tmp_path, "/proc/sys/")
    names = ("net.ipv4.range", "net.absent", "net.key_key", "../../etc/shadow", "net/ipv4/range")
    asked = [("sysctl", name) for name in names]
    assert setup(bin_folder, *asked, script=script).sysctls == {"net.ipv4.range": "1024 65000"}


def test_a_setting_is_read_whole(bin_folder: File) -> None:
    found = setup(bin_folder, ("sysctl", "kernel.osrelease"))
    assert found.sysctls == {"kernel.osrelease": os.uname().release}


def test_modules_that_are_loaded_or_built_in(bin_folder: File, tmp_path: File) -> None:
    (tmp_path / "sys/module/br_netfilter").mkdir(parents=True)
    release = os.uname().release
    put(tmp_path, f"/lib/modules/{release}/modules.builtin", "kernel/net/nf-conntrack.ko\n")
    script = elsewhere(tmp_path, '/sys/module/$name" ] ||', "/lib/modules/$kernel/modules.builtin")
    asked = [("module", name) for name in ("br_netfilter", "nf_conntrack", "absent", "../x")]
    found = setup(bin_folder, *asked, script=script)
    assert found.modules == {"br_netfilter", "nf_conntrack"}


def test_a_user_and_how_it_is_let_in(bin_folder: File, tmp_path: File) -> None:
    home = tmp_path / "home"
    text = '# ssh-rsa\n\ncommand="a # b" ssh-rsa AAAA x|y\nssh-ed25519 B\n'
    put(home, "/.ssh/authorized_keys", text)
    (home / ".ssh").chmod(0o770)
    lines = f"ops:x:1001:1001:O:{home}:/bin/sh\\nbob:x:7:7::/:/bin/false\\n"
    program(bin_folder, "getent", f"""[ "$*" = "passwd ops 7" ] && printf '{lines}'""")
    put(tmp_path, "/etc/shadow", "ops:!$6$secret:1::\nbob:$6$secret:1::\n")
    script = elsewhere(tmp_path, "/etc/shadow")
    found = setup(bin_folder, ("user", "ops"), ("user", "7"), script=script).accounts
    assert set(found) == {"ops", "bob"}
    ops = found["ops"]
    assert (ops.uid, ops.home, ops.shell, ops.is_locked) == (1001, str(home), "/bin/sh", True)
    assert ops.is_barred
    assert ops.keys == ('command="a # b" ssh-rsa AAAA x|y', "ssh-ed25519 B")
    assert ops.places[f"{home}/.ssh"] == HomePath("directory", os.getuid(), 0o770)
    assert set(ops.places) == {str(home), f"{home}/.ssh", f"{home}/.ssh/authorized_keys"}
    assert (found["bob"].uid, found["bob"].is_locked, found["bob"].keys) == (7, None, ())


def test_of_a_home_that_is_a_link_what_it_leads_to_is_told(
    bin_folder: File, tmp_path: File
) -> None:
    (tmp_path / "data").mkdir(mode=0o750)
    home = tmp_path / "home"
    home.symlink_to("data")
    program(bin_folder, "getent", f"echo 'ops:x:1001:1001:O:{home}:/bin/sh'")
    [ops] = setup(bin_folder, ("user", "ops")).accounts.values()
    assert ops.places == {str(home): HomePath("directory", os.getuid(), 0o750)}


UNITS = """\
Id=chrony.service
LoadState=loaded
ActiveState=active
UnitFileState=enabled
ConditionResult=yes
ConditionTimestampMonotonic=5

Id=systemd-timesyncd.service
LoadState=loaded
ActiveState=inactive
UnitFileState=enabled
ConditionResult=no
ConditionTimestampMonotonic=5

Id=absent.service
LoadState=not-found
ActiveState=inactive

Id=apt-daily.timer
LoadState=masked
ActiveState=inactive
UnitFileState=masked
ConditionResult=no
ConditionTimestampMonotonic=0
"""


def test_units(bin_folder: File, tmp_path: File) -> None:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    program(bin_folder, "systemctl", f"[ \"$1\" != show ] || cat <<'E'\n{UNITS}E")
    script = elsewhere(tmp_path, "/run/systemd/system")
    found = setup(bin_folder, ("unit", "a"), ("unit", "b"), script=script)
    assert found.units == {
        "chrony.service": Unit(is_enabled=True, is_active=True),
        "systemd-timesyncd.service": Unit(is_enabled=True, is_active=False, is_barred=True),
        "apt-daily.timer": Unit(is_enabled=False, is_active=False, is_masked=True),
    }
    assert found.unit("chronyd.service", "chrony.service") == Unit(True, True)


def test_names_zone_and_blocks(bin_folder: File, tmp_path: File) -> None:
    put(tmp_path, "/etc/hostname", "app-1\n")
    put(tmp_path, "/etc/hosts", "127.0.0.1 localhost\n\n@@end\n")
    (tmp_path / "etc/localtime").symlink_to("../usr/share/zoneinfo/Europe/Berlin")
    block = tmp_path / "chrony.conf"
    block.write_text("a\n# dockyard: begin\nserver x\n# dockyard: end\nb\n")
    script = elsewhere(tmp_path, "/etc/hostname", "/etc/hosts", "/etc/localtime")
    asked = (("hosts", "-"), ("zone", "-"), ("block", str(block)), ("block", "/absent"))
    found = setup(bin_folder, *asked, script=script)
    assert (found.static_name, found.zone) == ("app-1", "Europe/Berlin")
    assert found.hosts == "127.0.0.1 localhost\n\n@@end\n"
    assert found.blocks == {str(block): "server x\n"}
    assert found.unended == frozenset()


@pytest.mark.parametrize(
    "text, is_unended",
    [
        ("# dockyard: begin\nx\n", True),
        ("# dockyard: begin\nx\n# dockyard: begin\nx\n# dockyard: end\n", True),
        ("# dockyard: begin\nx\n# dockyard: end\nb\n# dockyard: end\n", False),
    ],
)
def test_a_block_whose_end_is_lost(
    bin_folder: File, tmp_path: File, text: str, is_unended: bool
) -> None:
    lost, whole = tmp_path / "lost.conf", tmp_path / "whole.conf"
    lost.write_text(text)
    whole.write_text("not ours\n# dockyard: begin\ny\n# dockyard: end\n")
    for paths in ((lost, whole), (whole, lost)):
        found = setup(bin_folder, *(("block", str(path)) for path in paths))
        assert found.unended == (frozenset([str(lost)]) if is_unended else frozenset())
        assert found.blocks[str(whole)] == "y\n"


@pytest.mark.parametrize(
    "said, status, expected",
    [
        ("/etc/sudoers: parsed OK", 0, Sudoers(is_installed=True)),
        (
            "/etc/sudoers.d/x:1:5: syntax error\nbad\n    ^\n/etc/sudoers: parsed OK",
            1,
            Sudoers(True, "/etc/sudoers.d/x:1:5: syntax error bad     ^"),
        ),
    ],
)
def test_sudoers(bin_folder: File, said: str, status: int, expected: Sudoers) -> None:
    program(bin_folder, "visudo", f"[ \"$*\" = -c ] && cat <<'E' >&2\n{said}\nE\nexit {status}")
    assert setup(bin_folder, ("sudoers", "-")).sudoers == expected


def test_what_sshd_says_of_passwords(bin_folder: File, tmp_path: File) -> None:
    said = "port 22\\npasswordauthentication yes\\nkbdinteractiveauthentication no\\nusepam yes\\n"
    program(bin_folder, "sshd", f"[ \"$*\" = -T ] && printf '{said}'")
    config = "/etc/ssh/sshd_config"
    script = elsewhere(tmp_path, config)
    told = {
        "passwordauthentication": "yes",
        "kbdinteractiveauthentication": "no",
        "usepam": "yes",
    }
    put(tmp_path, config, "# Include /etc/ssh/sshd_config.d/*.conf\n")
    assert setup(bin_folder, ("sshd", "-"), script=script).sshd == told
    put(tmp_path, config, "Include /etc/ssh/sshd_config.d/*.conf\n")
    assert setup(bin_folder, ("sshd", "-"), script=script).sshd == {**told, "include": "yes"}


def test_paths_and_sums_of_names_that_are_odd(bin_folder: File, tmp_path: File) -> None:
    odd = [tmp_path / name for name in ("a b", "o'neil", "-x", "back\\slash", "$(id)*")]
    for path in odd[:-1]:
        path.write_text("x")
    names = tuple(map(str, odd))
    found = probe(bin_folder, Look(paths=names, sums=(*names[:3], str(tmp_path))))
    assert set(found.paths) == set(names[:-1])
    assert found.sums == dict.fromkeys(names[:3], sha256(b"x").hexdigest())
