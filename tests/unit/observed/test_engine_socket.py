"""What probe.sh reads at the engine's socket, of an engine of the test's own."""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path as File
from threading import Event, Thread
from typing import Any

import pytest

from roles.observed import Observed
from roles.observed.parse import parse
from roles.observed.probe import SCRIPT, Look

OURS, THEIRS, UNUSED = (f"sha256:{sign * 64}" for sign in "012")
ODD = 'a "quoted\\" {brace], \n@@end\n\u2028 \x01'


def container(name: str, image: str, labels: Mapping[str, str], *more: str) -> dict[str, Any]:
    names = [*more, f"/{name}"]
    found = {"Id": name * 3, "Names": names, "Image": "a:1", "ImageID": image}
    return {**found, "Command": "c4n4ry", "Labels": labels, "State": "running"}


def image(name: str, **more: object) -> dict[str, Any]:
    layers = {"Type": "layers", "Layers": ["sha256:l"]}
    found = {"Id": name, "RepoTags": ["a:1"], "RootFS": layers, "Config": {"Cmd": [name, ODD]}}
    return {**found, "GraphDriver": {"Data": {"Name": "x"}, "Name": "overlay2"}, **more}


def inspected(name: str, of: str) -> dict[str, Any]:
    labels = {"dockyard.part": "proxy", "odd": ODD}
    return {"Id": name * 3, "Name": f"/{name}", "Image": of, "Config": {"Labels": labels}}


ANSWERS: dict[str, Any] = {
    "/containers/json?all=1": [
        container("ours", OURS, {"odd": ODD, "dockyard.part": "proxy"}, "/other/alias"),
        container("theirs", THEIRS, {"like.dockyard.part": "dockyard.part"}),
        container("nobodys", THEIRS, {"dockyard.part": ""}),
    ],
    f"/containers/{'ours' * 3}/json": inspected("ours", OURS),
    "/images/json": [{"Id": THEIRS, "Labels": None}, {"Id": UNUSED, "RepoTags": []}],
    **{f"/images/{name}/json": image(name) for name in (OURS, THEIRS, UNUSED)},
    "/networks": [{"Labels": {}, "Name": "bridge"}, {"Name": "backend"}],
}


HANGS, SLOW = object(), object()


def as_go_writes(answer: object) -> bytes:
    return f"{json.dumps(answer, separators=(',', ':'))}\n".encode()


@dataclass
class Engine:
    path: File
    answers: dict[str, Any] = field(default_factory=lambda: dict(ANSWERS))
    """By path: what is told as JSON, bytes as they are, a status, HANGS or SLOW."""
    server: str = "Docker/26.1.5 (linux)"
    asked: list[str] = field(default_factory=list)
    done: Event = field(default_factory=Event)


class Answering(BaseHTTPRequestHandler):
    engine: Engine

    def do_GET(self) -> None:
        self.engine.asked.append(self.path)
        answer = self.engine.answers.get(self.path, 404)
        if answer is HANGS:
            self.engine.done.wait(20)
            return
        if answer is SLOW:
            self.engine.done.wait(0.5)
            answer = image(self.path)
        status = answer if isinstance(answer, int) else 200
        body = answer if isinstance(answer, bytes) else as_go_writes(answer)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return self.engine.server

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *words: object) -> None:
        pass


@pytest.fixture
def engine(tmp_path: File) -> Iterator[Engine]:
    """An engine that answers, and a `docker` that tells when it is asked instead."""
    found = Engine(tmp_path / "docker.sock")
    handler = type("Answers", (Answering,), {"engine": found})
    with socketserver.ThreadingUnixStreamServer(str(found.path), handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield found
        found.done.set()
        server.shutdown()


def answering(engine: Engine, script: str) -> None:
    """Have `docker` itself answer so."""
    program = engine.path.parent / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def printed(
    engine: Engine,
    look: Look | None = None,
    limit_s: int = 10,
    script: bytes = SCRIPT,
    **variables: str,
) -> str:
    folder = engine.path.parent
    if not (folder / "docker").exists():
        answering(engine, '[ "$1" = version ] && echo 1.0-command')
    environment = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "HOME": str(folder),
        "DOCKER_HOST": f"unix://{engine.path}",
    }
    words = ["sh", "-s", "--", str(limit_s), *(look or Look()).arguments]
    run = subprocess.run(
        words,
        input=script,
        env=environment | variables,
        capture_output=True,
        check=True,
        timeout=20,
    )
    return run.stdout.decode()


def read(engine: Engine, look: Look | None = None, **more: Any) -> Observed:
    return parse(printed(engine, look, **more).encode())


def is_by_command(observed: Observed) -> bool:
    return observed.docker_version == "1.0-command"


def test_all_that_an_engine_says(engine: Engine) -> None:
    found = read(engine, Look(networks=True))
    assert (found.docker_version, found.storage_driver) == ("26.1.5", "overlay2")
    assert found.docker_error is None
    assert [(i.id, i.tags, i.layers) for i in found.images] == [
        (name, ("a:1",), ("sha256:l",)) for name in (OURS, THEIRS, UNUSED)
    ]
    assert [(c.name, c.image, c.running) for c in found.containers] == [
        (name, "a:1", True) for name in ("ours", "theirs", "nobodys")
    ]
    assert [c.inspect for c in found.containers] == [inspected("ours", OURS), None, None]
    assert [c.image_config for c in found.containers] == [image(OURS)["Config"], None, None]
    assert found.networks == {"bridge", "backend"}


def test_what_others_say_stays_on_the_host(engine: Engine) -> None:
    told = printed(engine)
    assert told.count('"config":') == 1
    assert "c4n4ry" not in told


def test_an_engine_with_nothing_tells_its_driver(engine: Engine) -> None:
    engine.answers |= {
        "/containers/json?all=1": [],
        "/images/json": [],
        "/info": {"Driver": "btrfs"},
    }
    found = read(engine)
    assert (found.storage_driver, found.containers, found.images) == ("btrfs", (), ())
    assert "/networks" not in engine.asked


def test_an_image_store_without_graph_drivers(engine: Engine) -> None:
    engine.answers |= {
        f"/images/{name}/json": image(name, GraphDriver=None) for name in (OURS, UNUSED)
    }
    engine.answers |= {f"/images/{THEIRS}/json": image(THEIRS, GraphDriver=None, RepoTags=None)}
    engine.answers |= {"/info": {"Driver": "overlayfs"}}
    found = read(engine)
    assert found.storage_driver == "overlayfs"
    assert [i.tags for i in found.images] == [("a:1",), (), ("a:1",)]


def without(found: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != key}


@pytest.mark.parametrize("key", ["Names", "Image", "State", "Id"])
def test_an_engine_that_tells_less_of_containers_is_asked_by_the_command(
    engine: Engine, key: str
) -> None:
    engine.answers["/containers/json?all=1"] = [without(container("ours", OURS, {}), key)]
    assert is_by_command(read(engine))


def test_an_image_that_tells_no_more_than_its_name(engine: Engine) -> None:
    engine.answers |= {f"/images/{OURS}/json": {"Id": OURS}}
    found = read(engine)
    assert [(i.tags, i.layers) for i in found.images if i.id == OURS] == [((), ())]
    assert next(c for c in found.containers if c.name == "ours").image_config is None


def test_a_graph_driver_without_a_name(engine: Engine) -> None:
    for name in (OURS, THEIRS, UNUSED):
        engine.answers[f"/images/{name}/json"] = image(name, GraphDriver={"Data": None, "Name": ""})
    engine.answers["/info"] = {"Driver": "overlayfs"}
    assert read(engine).storage_driver == "overlayfs"


def test_many_slow_answers_are_bounded_together(engine: Engine) -> None:
    names = [f"sha256:{number:064}" for number in range(20)]
    engine.answers["/images/json"] = [{"Id": name} for name in names]
    engine.answers |= {f"/images/{name}/json": SLOW for name in names}
    assert read(engine, limit_s=1).docker_hangs
    assert 3 < len(engine.asked) < 20


@pytest.mark.parametrize("gone", [f"/containers/{'ours' * 3}/json", f"/images/{UNUSED}/json"])
def test_what_goes_while_the_probe_looks_is_left_out(engine: Engine, gone: str) -> None:
    engine.answers[gone] = 404
    found = read(engine)
    assert found.docker_version == "26.1.5"
    assert len(found.containers) == 3
    assert UNUSED not in {i.id for i in found.images} or gone.startswith("/containers")


SPOILT: Mapping[str, Any] = {
    "refuses": 500,
    "no-json": b"Welcome, traveller\n",
    "half": as_go_writes([container("ours", OURS, {})])[:-20],
    "half-a-string": b'[{"Id":"abc',
    "lines": b'[\n{"Id":"abc"}\n]\n',
    "other": {"message": "no such page"},
    "empty": b"",
}


SPOILT_AT = (
    "/containers/json?all=1",
    f"/containers/{'ours' * 3}/json",
    "/images/json",
    f"/images/{UNUSED}/json",
    "/networks",
)


@pytest.mark.parametrize("path", SPOILT_AT)
@pytest.mark.parametrize("answer", SPOILT.values(), ids=SPOILT)
def test_where_the_socket_cannot_be_understood_the_command_is_asked(
    engine: Engine, path: str, answer: Any
) -> None:
    engine.answers[path] = answer
    assert is_by_command(read(engine, Look(networks=True)))


def test_another_program_at_the_socket_is_not_understood(engine: Engine) -> None:
    engine.server = "Libpod/5.2.2 (linux)"
    assert is_by_command(read(engine))
    assert len(engine.asked) == 1


@pytest.mark.parametrize(
    "variables",
    [
        {"DOCKER_CONTEXT": "other"},
        {"DOCKER_HOST": "tcp://127.0.0.1:1"},
        {"DOCKER_HOST": "unix:///no/such.sock"},
    ],
)
def test_an_engine_elsewhere_is_the_commands_business(
    engine: Engine, variables: dict[str, str]
) -> None:
    assert is_by_command(read(engine, **variables))
    assert engine.asked == []


def test_a_context_in_dockers_own_configuration_too(engine: Engine) -> None:
    config = engine.path.parent / ".docker/config.json"
    config.parent.mkdir()
    config.write_text('{"auths": {}}')
    assert not is_by_command(read(engine))
    config.write_text('{"auths": {},\n"currentContext": "other"}')
    assert is_by_command(read(engine))


def test_without_perl_the_command_is_asked(engine: Engine) -> None:
    assert is_by_command(
        read(engine, script=SCRIPT.replace(b"command -v perl", b"command -v no-perl"))
    )
    assert engine.asked == []


@pytest.mark.parametrize("path", [path for path in ANSWERS if path != "/networks"])
def test_an_engine_that_hangs_is_not_asked_again(engine: Engine, path: str) -> None:
    engine.answers[path] = HANGS
    found = read(engine, limit_s=1)
    assert found.docker_hangs
    assert found.docker_version is None
    assert engine.asked[-1] == path


ACTING = Look(is_acted_on=True)


def test_who_acts_by_the_command_has_it_asked_once(engine: Engine) -> None:
    log = engine.path.parent / "log"
    answering(engine, f'echo "$*" >>{log}; echo 1.0-command')
    assert read(engine).docker_version == "26.1.5"
    assert not log.exists()
    assert read(engine, ACTING).docker_version == "26.1.5"
    assert log.read_text() == "version --format {{.Server.Version}}\n"


def test_who_acts_by_the_command_is_told_that_it_hangs(engine: Engine) -> None:
    answering(engine, "exec sleep 5")
    found = read(engine, ACTING, limit_s=1)
    assert (found.docker_hangs, found.docker_version) == (True, None)
    assert engine.asked == []


def test_who_acts_is_told_of_an_engine_that_hangs_after_the_command_answered(
    engine: Engine,
) -> None:
    answering(engine, "echo 1.0-command")
    engine.answers["/images/json"] = HANGS
    assert read(engine, ACTING, limit_s=1).docker_hangs


def test_who_acts_by_the_command_is_told_why_it_fails(engine: Engine) -> None:
    answering(engine, "echo 'client version 1.52 is too new' >&2; exit 1")
    found = read(engine, ACTING)
    assert (found.docker_error, found.docker_version) == ("client version 1.52 is too new", None)


def test_who_acts_is_told_by_the_command_alone_where_the_socket_is_not_understood(
    engine: Engine,
) -> None:
    engine.answers["/images/json"] = 500
    assert is_by_command(read(engine, ACTING))
