from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from roles.docker_engine.spec import DockerEngineSpec, Download
from tests.unit.build import wanted

SUM = "0a" * 32
FINGERPRINT = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"


def spec(**engine: Any) -> DockerEngineSpec:
    return wanted(docker_engine=engine).docker_engine


def test_what_is_not_said() -> None:
    found = spec()
    assert (found.source, found.version, found.hold, found.allow_downgrade) == (
        "distro",
        None,
        True,
        False,
    )
    assert found.vendor.repo_url == "https://download.docker.com/linux"
    assert (found.vendor.channel, found.vendor.key, found.vendor.fingerprint) == (
        "stable",
        None,
        None,
    )
    assert (found.files, found.script, found.config, found.proxy) == ([], None, {}, None)
    assert (found.install_timeout_s, found.lock_timeout_s) == (900, 300)


@pytest.mark.parametrize(
    "engine, key, text",
    [
        (
            {"source": "files"},
            "",
            "Value error, 'files' is empty; name the engine's packages, or take another source",
        ),
        (
            {"source": "script"},
            "",
            "Value error, 'script' is missing; name the script's url and sha256",
        ),
        (
            {"config": {"hosts": ["tcp://0.0.0.0:2375"]}},
            "config",
            "Value error, 'hosts', found here, is the service unit's own: no TCP socket is opened",
        ),
        (
            {"files": [{"sha256": SUM}]},
            "files.0",
            "Value error, expected either 'url' or 'path'",
        ),
        (
            {"files": [{"sha256": SUM, "url": "https://files.example/a.deb", "path": "a.deb"}]},
            "files.0",
            "Value error, expected either 'url' or 'path'",
        ),
        (
            {"script": {"url": "https://get.example/", "sha256": "0A" * 31}},
            "script.sha256",
            f"Value error, expected 64 hexadecimal digits, found '{'0A' * 31}'",
        ),
        (
            {"script": {"url": "https://get.example/", "sha256": "xy" * 32}},
            "script.sha256",
            f"Value error, expected 64 hexadecimal digits, found '{'xy' * 32}'",
        ),
        (
            {"script": {"url": "ftp://get.example/", "sha256": SUM}},
            "script.url",
            "Value error, expected 'http://...' or 'https://...', found 'ftp://get.example/'",
        ),
        (
            {"script": {"path": "-x", "sha256": SUM}},
            "script.path",
            "Value error, expected one word that does not start with '-', found '-x'",
        ),
        (
            {"vendor": {"repo_url": "https://"}},
            "vendor.repo_url",
            "Value error, expected 'http://...' or 'https://...', found 'https://'",
        ),
        (
            {"vendor": {"fingerprint": "0EBFCD88"}},
            "vendor.fingerprint",
            "Value error, expected a whole fingerprint (40 or 64 hexadecimal digits), "
            "found '0EBFCD88'",
        ),
        (
            {"vendor": {"channel": "stable test"}},
            "vendor.channel",
            "Value error, expected one word that does not start with '-', found 'stable test'",
        ),
        (
            {"proxy": {"http": 'http://proxy.example:3128"'}},
            "proxy.http",
            "Value error, expected 'http://...' or 'https://...', "
            "found 'http://proxy.example:3128\"'",
        ),
        ({"version": ""}, "version", "String should have at least 1 character"),
        (
            {"version": "26.1.5 -y"},
            "version",
            "Value error, expected one word that does not start with '-', found '26.1.5 -y'",
        ),
        ({"lock_timeout_s": 0}, "lock_timeout_s", "Input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_value(engine: dict[str, Any], key: str, text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        spec(**engine)
    (error,) = caught.value.errors()
    assert ".".join(map(str, error["loc"])) == f"docker_engine.{key}".rstrip(".")
    assert error["msg"] == text


@pytest.mark.parametrize(
    "url", ["http://", "https:///x", "https://a b", "https://a.example/x y", "HTTPS://a.example"]
)
def test_a_bad_url(url: str) -> None:
    with pytest.raises(ValidationError, match=r"expected 'http://\.\.\.' or"):
        spec(vendor={"repo_url": url})


@pytest.mark.parametrize(
    "given, expected",
    [
        ("https://packages.example/linux/", "https://packages.example/linux"),
        ("http://[2001:db8::1]:8080", "http://[2001:db8::1]:8080"),
        ("http://user:p%40ss@proxy.example:3128", "http://user:p%40ss@proxy.example:3128"),
    ],
)
def test_a_url(given: str, expected: str) -> None:
    assert spec(vendor={"repo_url": given}).vendor.repo_url == expected


@pytest.mark.parametrize(
    "given, expected",
    [
        (FINGERPRINT, FINGERPRINT),
        (FINGERPRINT.lower(), FINGERPRINT),
        ("9DC8 5822 9FC7 DD38 854A  E2D8 8D81 803C 0EBF CD88", FINGERPRINT),
        ("ab" * 32, "AB" * 32),
    ],
    ids=["plain", "lower-case", "as-gpg-prints-it", "version-6"],
)
def test_a_fingerprint(given: str, expected: str) -> None:
    assert spec(vendor={"fingerprint": given}).vendor.fingerprint == expected


@pytest.mark.parametrize(
    "given, place, name",
    [
        (
            {"url": "https://files.example/pool/docker-ce_1_amd64.deb"},
            "https://files.example/pool/docker-ce_1_amd64.deb",
            "docker-ce_1_amd64.deb",
        ),
        ({"path": "packages/a.deb"}, "packages/a.deb", "a.deb"),
        ({"path": "a.deb"}, "a.deb", "a.deb"),
    ],
    ids=["url", "path", "beside"],
)
def test_a_download(given: dict[str, str], place: str, name: str) -> None:
    found = Download(**given, sha256=SUM.upper())  # type: ignore[arg-type]
    assert (found.place, found.name, found.sha256) == (place, name, SUM)
