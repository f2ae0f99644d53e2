"""Real servers of the registry, run by their start script on loopback addresses of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from kazoo.client import KazooClient

from roles.registry.rollout import ask
from tests.reference.processes import FILES

SCRIPT = FILES / "zookeeper/bin/zookeeper-default.sh"
JARS = Path("/usr/share/java")
PACKAGES = [
    "libzookeeper-java",
    "libcommons-cli-java",
    "libcommons-io-java",
    "libdropwizard-metrics-java",
    "libfindbugs-annotations-java",
    "libjackson2-annotations-java",
    "libjackson2-core-java",
    "libjackson2-databind-java",
    "libjetty9-java",
    "libservlet-api-java",
    "libnetty-java",
    "libslf4j-java",
    "libsnappy-java",
]
"""What the image installs, without a JRE and without what `java` would only look for."""
_NETS = count(os.getpid() % 200 + 20)


def jars(folder: Path) -> Path | None:
    """A folder with ZooKeeper's jars: this machine's, else unpacked below `folder`.

    None where it has no `java`, or its package manager can't be asked.
    """
    if shutil.which("java") is None or shutil.which("apt-get") is None:
        return None
    if (JARS / "zookeeper.jar").exists():
        return JARS
    got = subprocess.run(["apt-get", "download", *PACKAGES], cwd=folder, capture_output=True)
    if got.returncode != 0:
        return None
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, folder / "root"], check=True)
    found = folder / "root/usr/share/java"
    for other in found.glob("*slf4j*"):
        if not other.name.startswith(("slf4j-api", "slf4j-jdk14")):
            other.unlink()
    return found


@dataclass
class Servers:
    """Servers 1 to 9 of one ensemble, each with its own folder and address."""

    folder: Path
    jars: Path
    script: Path = SCRIPT
    net: int = field(default_factory=lambda: next(_NETS))
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        java = self.folder / "bin/java"
        java.parent.mkdir()
        # The class path stands in the jars' own manifests, by the paths that packages have.
        java.write_text(
            f'#!/bin/bash\nexec {shutil.which("java")} "${{@/#\\/usr\\/share\\/java\\/*.jar*/'
            f'{self.jars}/*}}"\n'
        )
        java.chmod(0o755)

    def address(self, number: int) -> str:
        return f"127.0.{self.net}.{number}"

    def data(self, number: int) -> Path:
        return self.folder / str(number) / "data"

    def listed(self, *numbers: int) -> str:
        return ",".join(f"{number}={self.address(number)}" for number in numbers)

    def prepare(self, number: int, members: str | None, *, founds: bool = False) -> None:
        """Give a server its data folder; `members` is the line that says whom it begins with."""
        for name in ("data", "logs"):
            (self.folder / str(number) / name).mkdir(parents=True, exist_ok=True)
        (self.data(number) / "myid").write_text(f"{number}\n")
        if members:
            (self.data(number) / "members").write_text(f"{members}\n")
        if founds:
            (self.data(number) / "initialize").touch()

    def start(self, number: int, **more: str) -> subprocess.Popen[bytes]:
        environ = {
            "PATH": f"{self.folder}/bin:/usr/bin:/bin",
            "ZOO_WORK_DIR": str(self.folder / str(number)),
            "ZOO_MY_ID": str(number),
            "ZOO_ADDRESS": self.address(number),
            "ZOO_HEAP_MB": "64",
            "ZOO_SERVERS": "data",
            **more,
        }
        with self.output(number).open("ab") as output:
            self.processes[number] = subprocess.Popen(
                [self.script, "start"],
                env={name: value for name, value in environ.items() if value},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self.processes[number]

    def stop(self, *numbers: int) -> None:
        for number in numbers:
            self.processes[number].kill()
            self.processes.pop(number).wait()

    def output(self, number: int) -> Path:
        return self.folder / str(number) / "output"

    def mode(self, number: int) -> str | None:
        """What it says it is, as `roles.registry.rollout.mode` reads it of a host."""
        with contextlib.suppress(OSError):
            lines = ask(self.address(number), 2181, b"srvr").splitlines()
            return next((line[6:] for line in lines if line.startswith("Mode: ")), None)
        return None

    def modes(self, *numbers: int) -> list[str | None]:
        return [self.mode(number) for number in numbers]

    def serve(self, *numbers: int) -> bool:
        """Whether these serve, with one leader among them."""
        found = self.modes(*numbers)
        return sorted(filter(None, found)) == ["follower"] * (len(numbers) - 1) + ["leader"]

    def leader(self, *numbers: int) -> int:
        return next(number for number in numbers if self.mode(number) == "leader")

    @contextlib.contextmanager
    def client(self, *numbers: int) -> Iterator[KazooClient]:
        client = KazooClient(",".join(f"{self.address(n)}:2181" for n in numbers), timeout=10)
        client.start(timeout=20)
        try:
            yield client
        finally:
            client.stop()
            client.close()


class Writer:
    """A client that writes without a pause, and knows what it was told to be written."""

    def __init__(self, servers: Servers, *numbers: int) -> None:
        self.written: list[str] = []
        self._ended = threading.Event()
        self._servers, self._numbers = servers, numbers
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _write(self) -> None:
        with self._servers.client(*self._numbers) as client:
            client.ensure_path("/written")
            for number in count():
                if self._ended.is_set():
                    return
                name = f"/written/{number:08}"
                client.retry(client.ensure_path, name)
                self.written.append(name.rpartition("/")[2])
