"""Repositories laid out as Docker's own, served on a lab's network, well-behaved or not.

    with repository.serve(lab) as repo:
        f"deb [signed-by=...] {repo.url}/debian bookworm stable"
        f"baseurl={repo.url}/rhel/9/x86_64/stable"

The key is at ``/debian/gpg`` and ``/rhel/gpg``.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from tests.lab import Lab, LabError, base, packages
from tests.lab.command import run

HANG_S = 300
CHUNK_BYTES = 16384


@dataclass
class Repository:
    """A tree that is being served; what it does below a path can be changed at any time.

    A path is one below the URL, such as ``/debian`` or ``/rhel/9/x86_64/stable/Packages``.
    """

    key: Path
    """The armoured public half of the key that signs."""
    fingerprint: str
    wrong_key: Path
    """Of a key that signs nothing here."""
    url: str = ""
    requests: list[str] = field(default_factory=list)
    """The paths that were asked for, in order."""
    by_proxy: list[str] = field(default_factory=list)
    """The URLs that were asked for as of a proxy: any name leads to the tree then."""
    _behaviours: dict[str, str] = field(default_factory=dict, repr=False)
    _ended: threading.Event = field(default_factory=threading.Event, repr=False)

    def missing(self, path: str = "/") -> None:
        """Answer 404."""
        self._behaviours[path] = "missing"

    def hang(self, path: str = "/") -> None:
        """Take requests and answer nothing, up to the end of the ``with``."""
        self._behaviours[path] = "hang"

    def unsigned(self, path: str = "/") -> None:
        """Serve a Release without a signature, and rpms without one."""
        self._behaviours[path] = "unsigned"

    def slow(self, path: str = "/", bytes_per_s: int = 1_000_000) -> None:
        """Send at this rate."""
        self._behaviours[path] = f"slow {bytes_per_s}"

    def heal(self) -> None:
        """Behave well again everywhere."""
        self._behaviours.clear()

    def behaviour(self, path: str) -> tuple[str, int]:
        """Return what to do for a path, by its longest prefix, and at how many bytes a second."""
        prefixes = [prefix for prefix in self._behaviours if path.startswith(prefix)]
        words = self._behaviours[max(prefixes, key=len)].split() if prefixes else ["", "0"]
        return words[0], int(words[1]) if len(words) > 1 else 0

    def wait_for_the_end(self, timeout_s: float) -> bool:
        """Return when the ``with`` is over, or the time; whether it is over."""
        return self._ended.wait(timeout_s)

    def end(self) -> None:
        """Let those go that hang."""
        self._ended.set()


@contextmanager
def serve(lab: Lab) -> Iterator[Repository]:
    """Serve Docker's repositories at the lab's gateway; the first time they are built."""
    directory = tree()
    if lab.network is None:
        raise LabError(f"lab {lab.name}: is not up, so it has no address to serve at")
    signing = packages.key()
    wrong = packages.key("wrong")
    repository = Repository(signing.public, signing.fingerprint, wrong.public)
    handler = partial(_Handler, repository, directory)
    with _Server((lab.network.gateway, 0), handler) as server:
        repository.url = f"http://{lab.network.gateway}:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield repository
        finally:
            repository.end()
            server.shutdown()
            thread.join()


def tree() -> Path:
    """Return a directory with the trees "signed" and "unsigned"; made on first use."""
    files = {
        f"{release} {version}": {
            signed: packages.package_files(release, version, signed) for signed in (True, False)
        }
        for release, versions in packages.ENGINES.items()
        for version in versions
    }
    signing = packages.key()

    def build(target: Path) -> None:
        for name, signed in (("signed", True), ("unsigned", False)):
            for release, versions in packages.ENGINES.items():
                chosen = [f for version in versions for f in files[f"{release} {version}"][signed]]
                if release == packages.RPM:
                    _rpm_tree(target / name, chosen)
                else:
                    _deb_tree(
                        target / name / "debian", release, chosen, signing if signed else None
                    )
            for family in ("debian", "rhel"):
                (target / name / family / "gpg").write_bytes(signing.public.read_bytes())
            (target / name / "centos").symlink_to("rhel")

    names = [str(file.parent) for both in files.values() for each in both.values() for file in each]
    digest = base.key(sorted(set(names)), signing.fingerprint, Path(__file__).read_text())
    return base.made(f"repository-{digest}", build)


def _deb_tree(root: Path, release: str, files: list[Path], signing: packages.Key | None) -> None:
    dist = root / "dists" / release
    _link(files, dist / "pool/stable/amd64")
    index = dist / "stable/binary-amd64/Packages"
    index.parent.mkdir(parents=True)
    pool = f"dists/{release}/pool/stable/amd64"
    listing = run(["sh", "-c", 'cd "$1" && apt-ftparchive packages "$2"', "sh", str(root), pool])
    index.write_text(listing.stdout)
    fields = {
        "Origin": "Docker",
        "Label": "Docker CE",
        "Suite": release,
        "Codename": release,
        "Architectures": "amd64",
        "Components": "stable",
    }
    options = [f"-oAPT::FTPArchive::Release::{name}={value}" for name, value in fields.items()]
    text = run(["apt-ftparchive", *options, "release", str(dist)]).stdout
    (dist / "Release").write_text(text)
    if signing:
        with packages.gpg_home(signing) as home:
            sign = ["gpg", "--homedir", str(home), "--batch", "--armor", "--output"]
            run([*sign, str(dist / "InRelease"), "--clearsign", str(dist / "Release")])
            run([*sign, str(dist / "Release.gpg"), "--detach-sign", str(dist / "Release")])


def _rpm_tree(root: Path, files: list[Path]) -> None:
    stable = root / "rhel/9/x86_64/stable"
    _link(files, stable / "Packages")
    run(["createrepo_c", "--quiet", str(stable)])


def _link(files: list[Path], directory: Path) -> None:
    directory.mkdir(parents=True)
    for file in files:
        os.link(file, directory / file.name)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # to close it is to wait for them

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore that a client went away; show what is an error of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(SimpleHTTPRequestHandler):
    timeout = 30  # for a client that neither reads nor goes

    def __init__(self, repository: Repository, trees: Path, *arguments: object) -> None:
        self.repository, self.trees, self.bytes_per_s = repository, trees, 0
        super().__init__(*arguments, directory=str(trees / "signed"))  # type: ignore[arg-type]

    def send_head(self) -> object:  # type: ignore[override]
        path = unquote(urlsplit(self.path).path)
        self.repository.requests.append(path)
        if not self.path.startswith("/"):
            self.repository.by_proxy.append(self.path)
            self.path = path
        behaviour, self.bytes_per_s = self.repository.behaviour(path)
        if behaviour == "hang":
            self.repository.wait_for_the_end(HANG_S)
            return None
        if behaviour == "missing":
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        kind = "unsigned" if behaviour == "unsigned" else "signed"
        self.directory = str(self.trees / kind)
        return super().send_head()

    def copyfile(self, source: BinaryIO, outputfile: BinaryIO) -> None:  # type: ignore[override]
        while chunk := source.read(CHUNK_BYTES):
            outputfile.write(chunk)
            if self.bytes_per_s and self.repository.wait_for_the_end(len(chunk) / self.bytes_per_s):
                raise ConnectionAbortedError

    def log_message(self, *arguments: object) -> None:
        """Keep quiet: what was asked for is in Repository.requests."""
