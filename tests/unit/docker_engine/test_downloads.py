"""Files from a server of the test's own, on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path as File
from socket import socket
from threading import Thread

import pytest

from roles.docker_engine import downloads
from roles.docker_engine.downloads import Unusable, key_material, local
from roles.docker_engine.spec import Download

CONTENT = b"package " * 300_000
SUM = sha256(CONTENT).hexdigest()
WRONG = "0a" * 32


class Server:
    """What is served by path, and what was asked for."""

    def __init__(self) -> None:
        self.files = {"/a.deb": CONTENT, "/key.asc": b"key"}
        self.asked: list[str] = []
        self.port = 0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


class Answers(BaseHTTPRequestHandler):
    def __init__(self, server: Server, *args: object) -> None:
        self.served = server
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.served.asked.append(self.path)
        if self.path == "/no-http":
            self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
            return
        content = self.served.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Answers, told)) as http:
        told.port = http.server_address[1]
        thread = Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield told
        http.shutdown()


@pytest.fixture(autouse=True)
def kept(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> File:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "dockyard"


def files(folder: File) -> list[str]:
    return sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())


def refused(download: Download) -> str:
    with pytest.raises(Unusable) as caught:
        local(download)
    return str(caught.value)


def test_a_url_is_fetched_once(server: Server, kept: File) -> None:
    download = Download(url=server.url("/a.deb"), sha256=SUM)
    found = local(download)
    assert found == kept / SUM / "a.deb"
    assert found.read_bytes() == CONTENT
    assert local(download) == found
    assert server.asked == ["/a.deb"]
    assert files(kept) == [f"{SUM}/a.deb"]


def test_the_same_content_under_another_name_is_another_file(server: Server, kept: File) -> None:
    server.files["/b.deb"] = CONTENT
    for name in ("a.deb", "b.deb"):
        assert local(Download(url=server.url(f"/{name}"), sha256=SUM)).name == name
    assert files(kept) == [f"{SUM}/a.deb", f"{SUM}/b.deb"]


def test_another_content_is_not_kept(server: Server, kept: File) -> None:
    url = server.url("/a.deb")
    assert refused(Download(url=url, sha256=WRONG)) == (
        f"{url}: expected sha256 {WRONG}, found {SUM}"
    )
    assert files(kept) == []


def test_what_is_mended_there_is_fetched_again(server: Server, kept: File) -> None:
    download = Download(url=server.url("/a.deb"), sha256=SUM)
    server.files["/a.deb"] = b"half of it"
    refused(download)
    server.files["/a.deb"] = CONTENT
    assert local(download).read_bytes() == CONTENT
    assert server.asked == ["/a.deb", "/a.deb"]


def test_what_is_not_there(server: Server, kept: File) -> None:
    url = server.url("/none.deb")
    assert refused(Download(url=url, sha256=SUM)) == (
        f"{url} can't be fetched: HTTP Error 404: Not Found"
    )
    assert files(kept) == []


def test_nobody_serves_there(kept: File) -> None:
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/a.deb"
        assert refused(Download(url=url, sha256=SUM)).startswith(
            f"{url} can't be fetched: <urlopen error [Errno 111] Connection refused"
        )
    assert files(kept) == []


@pytest.mark.parametrize(
    "url", ["http://a.example:port/a.deb", "http://.example/a.deb", "http://127.0.0.1/\u00fc.deb"]
)
def test_a_url_that_names_no_place(url: str, kept: File) -> None:
    assert refused(Download(url=url, sha256=SUM)).startswith(f"{url} can't be fetched: ")
    with pytest.raises(Unusable, match="can't be read: "):
        key_material(url)
    assert files(kept) == []


def test_what_speaks_no_http(server: Server, kept: File) -> None:
    url = server.url("/no-http")
    assert refused(Download(url=url, sha256=SUM)).startswith(f"{url} can't be fetched: ")
    with pytest.raises(Unusable, match="can't be read: "):
        key_material(url)
    assert files(kept) == []


def test_a_file_of_this_machine_is_used_where_it_is(tmp_path: File, kept: File) -> None:
    path = tmp_path / "a.deb"
    path.write_bytes(CONTENT)
    assert local(Download(path=str(path), sha256=SUM)) == path
    assert refused(Download(path=str(path), sha256=WRONG)) == (
        f"{path}: expected sha256 {WRONG}, found {SUM}"
    )
    assert not kept.exists()


def test_a_file_that_cannot_be_read(tmp_path: File) -> None:
    path = tmp_path / "none.deb"
    assert refused(Download(path=str(path), sha256=SUM)) == (
        f"'{path}' can't be read: No such file or directory"
    )
    assert refused(Download(path=str(tmp_path), sha256=SUM)) == (
        f"'{tmp_path}' can't be read: Is a directory"
    )


def test_without_xdg_the_cache_is_in_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/operator")
    for value in ("", None):
        if value is None:
            monkeypatch.delenv("XDG_CACHE_HOME")
        else:
            monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert downloads.cache() == File("/home/operator/.cache/dockyard")


def test_a_key(server: Server, tmp_path: File, kept: File) -> None:
    (tmp_path / "key.asc").write_bytes(b"key here")
    assert key_material(str(tmp_path / "key.asc")) == b"key here"
    assert key_material(server.url("/key.asc")) == b"key"
    assert not kept.exists()


def test_a_key_that_cannot_be_read(server: Server, tmp_path: File) -> None:
    for place, why in (
        (server.url("/none.asc"), "HTTP Error 404: Not Found"),
        (str(tmp_path / "none.asc"), "[Errno 2] No such file or directory: "),
    ):
        with pytest.raises(Unusable) as caught:
            key_material(place)
        assert str(caught.value).startswith(f"{place} can't be read: {why}")


def test_a_key_is_not_read_without_end(server: Server) -> None:
    server.files["/key.asc"] = bytes(downloads.MOST_KEY_BYTES + 1)
    assert len(key_material(server.url("/key.asc"))) == downloads.MOST_KEY_BYTES
