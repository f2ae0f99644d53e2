from __future__ import annotations

from typing import Any

import pytest

from roles.docker_engine.spec import DockerEngineSpec
from roles.host_check.source import place_of_packages, place_of_proxy

SHA = "0" * 64


@pytest.mark.parametrize(
    "data, place",
    [
        ({}, "distro"),
        ({"source": "vendor"}, "https://download.docker.com:443"),
        (
            {"source": "vendor", "vendor": {"repo_url": "http://packages.example:8080/docker"}},
            "http://packages.example:8080",
        ),
        (
            {"source": "script", "script": {"url": "https://get.example/x.sh", "sha256": SHA}},
            None,
        ),
        ({"source": "script", "script": {"path": "x.sh", "sha256": SHA}}, None),
        ({"source": "files", "files": [{"path": "a.deb", "sha256": SHA}]}, None),
        (
            {
                "source": "files",
                "files": [
                    {"path": "a.deb", "sha256": SHA},
                    {"url": "http://files.example/b.deb", "sha256": SHA},
                ],
            },
            None,
        ),
        ({"source": "present"}, None),
    ],
)
def test_where_packages_come_from(data: dict[str, Any], place: str | None) -> None:
    assert place_of_packages(DockerEngineSpec.model_validate(data)) == place


@pytest.mark.parametrize(
    "proxy, place",
    [
        (None, None),
        ({}, None),
        ({"http": "http://u:secret@proxy.example:3128"}, "proxy.example:3128"),
        ({"http": "http://a.example:1", "https": "http://b.example"}, "b.example:80"),
    ],
)
def test_the_proxy_without_its_password(proxy: dict[str, str] | None, place: str | None) -> None:
    assert place_of_proxy(DockerEngineSpec.model_validate({"proxy": proxy})) == place
