"""The hooks in files/drift-hooks/, run by the shell with stand-ins for what they call."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from email import message_from_string, policy
from pathlib import Path as File

import pytest

from roles.drift.document import as_text
from roles.drift.news import News, told
from tests.unit.drift.build import found, report

HOOKS = File(__file__).parents[3] / "files" / "drift-hooks"
FORGED = found("app-2", 'x",\n  "change": "resolved",\n  "report": {\n.\n')
NEWS = as_text(told(News(new=(found(), FORGED)), report(found(), FORGED)))
URL = "https://hooks.example.org/s3cr3t"


@pytest.fixture
def programs(tmp_path: File) -> File:
    """A folder that is all of the path: what the hooks need, and what tests put there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "cat", "sed", "fold", "find"):
        at = shutil.which(name)
        assert at
        (folder / name).symlink_to(at)
    return folder


def stand_in(folder: File, name: str, *lines: str) -> None:
    path = folder / name
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o755)


def settings(folder: File, text: str, mode: int = 0o600) -> File:
    path = folder / "hook.env"
    path.write_text(f"{text}\n")
    path.chmod(mode)
    return path


def run(
    name: str, programs: File, settings: File, text: str = NEWS, **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HOOKS / name],
        input=text,
        env={"PATH": str(programs), "DRIFT_HOOK_ENV": str(settings), **more},
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize("name", ["mail.sh", "webhook.sh"])
def test_they_can_be_run_and_are_plain_shell(name: str) -> None:
    assert os.access(HOOKS / name, os.X_OK)
    assert (HOOKS / name).read_text().startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n", HOOKS / name], check=True)


def test_a_mail(tmp_path: File, programs: File) -> None:
    stand_in(programs, "sendmail", f'echo "$@" >{tmp_path}/args', f"cat >{tmp_path}/mail")
    done = run("mail.sh", programs, settings(tmp_path, "MAIL_TO=ops@example.org"))
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "args").read_text() == "-oi -t\n"
    mail = message_from_string((tmp_path / "mail").read_text(), policy=policy.default)
    assert mail["To"] == "ops@example.org"
    assert mail["Subject"] == "drift: drift: inventories/prod.py"
    body = mail.get_content()
    assert '"path": "proxy.memory_mb"' in body
    assert '"report"' not in [line.strip().partition(":")[0] for line in body.splitlines()]
    assert "checked_again" in body


def test_a_mail_without_sendmail(tmp_path: File, programs: File) -> None:
    stand_in(programs, "mail", f'printf "%s|" "$@" >{tmp_path}/args', f"cat >{tmp_path}/mail")
    done = run("mail.sh", programs, tmp_path / "absent", MAIL_TO="ops@example.org")
    if shutil.which("sendmail", path="/usr/sbin:/usr/lib"):
        pytest.skip("this machine has a sendmail, which goes first")
    assert (done.returncode, done.stderr) == (0, "")
    said = "-s|drift: drift: inventories/prod.py|ops@example.org|"
    assert (tmp_path / "args").read_text() == said
    assert "proxy.memory_mb" in (tmp_path / "mail").read_text()


@pytest.mark.parametrize("text", ["", "MAIL_TO=", "MAIL_TO=-oQ/tmp"])
def test_a_mail_to_nobody(tmp_path: File, programs: File, text: str) -> None:
    stand_in(programs, "sendmail", f"touch {tmp_path}/mail")
    done = run("mail.sh", programs, settings(tmp_path, text))
    assert done.returncode == 64
    assert f"expected an address, found '{text[8:]}'; set it in {tmp_path}/hook.env" in done.stderr
    assert not (tmp_path / "mail").exists()


def test_a_mail_that_can_not_be_sent(tmp_path: File, programs: File) -> None:
    stand_in(programs, "sendmail", "cat >/dev/null", "exit 75")
    assert run("mail.sh", programs, settings(tmp_path, "MAIL_TO=a@example.org")).returncode == 75


def test_the_url_is_on_no_command_line_and_in_no_environment(
    tmp_path: File, programs: File
) -> None:
    stand_in(
        programs,
        "curl",
        f'echo "$@" >{tmp_path}/args',
        f"export -p >{tmp_path}/environment",
        f"cat <&3 >{tmp_path}/config",
        f"cat >{tmp_path}/body",
    )
    file = settings(tmp_path, f"WEBHOOK_URL='{URL}'")
    done = run("webhook.sh", programs, file, WEBHOOK_URL="https://other.example.org/s3cr3t")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "config").read_text() == f'url = "{URL}"\n'
    assert (tmp_path / "body").read_text() == NEWS
    for name in ("args", "environment"):
        assert "s3cr3t" not in (tmp_path / name).read_text()
    assert "--config /dev/fd/3" in (tmp_path / "args").read_text()


@pytest.mark.parametrize(
    "text, mode, words",
    [
        (f"WEBHOOK_URL={URL}", 0o644, "others may read it; run: chmod 600 "),
        (f"WEBHOOK_URL={URL}", 0o640, "others may read it"),
        ("", 0o600, "expected an address that begins with https://"),
        ("WEBHOOK_URL=file:///etc/passwd", 0o600, "expected an address that begins with https://"),
        (f"WEBHOOK_URL='{URL}\"'", 0o600, "without quotes and backslashes"),
        (f"WEBHOOK_URL='{URL}\noutput = x'", 0o600, "without quotes and backslashes"),
    ],
)
def test_a_webhook_that_can_not_be_used(
    tmp_path: File, programs: File, text: str, mode: int, words: str
) -> None:
    stand_in(programs, "curl", f"touch {tmp_path}/called")
    done = run("webhook.sh", programs, settings(tmp_path, text, mode))
    assert done.returncode == 64
    assert words in done.stderr
    assert "s3cr3t" not in done.stderr
    assert not (tmp_path / "called").exists()


def test_a_webhook_without_settings(tmp_path: File, programs: File) -> None:
    done = run("webhook.sh", programs, tmp_path / "absent")
    assert done.returncode == 64
    assert "expected a file with WEBHOOK_URL=..., mode 0600" in done.stderr


LISTEN = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        print(json.dumps([self.path, self.headers["Content-Type"], body]), flush=True)
        self.send_response(int(sys.argv[1]))
        self.send_header("Content-Length", "0")
        self.end_headers()

server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.handle_request()
"""
"""A process of its own: pyinfra makes every thread here a greenlet."""


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("status, code", [(200, 0), (404, 22)])
def test_a_webhook_by_curl_itself(tmp_path: File, programs: File, status: int, code: int) -> None:
    (programs / "curl").symlink_to(str(shutil.which("curl")))
    words = [sys.executable, "-c", LISTEN, str(status)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            assert server.stdout
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/s3cr3t"
            file = settings(tmp_path, f"WEBHOOK_URL={url}")
            done = run("webhook.sh", programs, file, no_proxy="127.0.0.1")
            path, kind, body = json.loads(server.stdout.readline())
        finally:
            server.kill()
    assert done.returncode == code, done.stderr
    assert "s3cr3t" not in done.stderr
    assert (path, kind) == ("/s3cr3t", "application/json")
    assert json.loads(body) == json.loads(NEWS)
