from __future__ import annotations

from hashlib import sha256
from pathlib import Path as File
from typing import Any

import pytest
from pysequoia import Tsk

from roles.docker_engine import materials as module
from roles.docker_engine.materials import Materials, materials
from roles.docker_engine.openpgp import pinned
from roles.run.problems import Problem
from tests.unit.build import bare
from tests.unit.docker_engine.build import files, one, vendors

OURS = Tsk.generate("Packages <packages@vendor.example>").extract_certificate()
FINGERPRINT = OURS.fingerprint.upper()
WRONG = "AB" * 20


@pytest.fixture(autouse=True)
def _anew() -> None:
    module._outcome.cache_clear()


@pytest.fixture
def key(tmp_path: File) -> File:
    path = tmp_path / "key.asc"
    path.write_text(f"{OURS}")
    return path


def brought(**engine: Any) -> Materials | str:
    found = materials(one(bare(), engine))
    return found if isinstance(found, Materials) else str(found)


def file_of(folder: File, name: str) -> dict[str, str]:
    (folder / name).write_bytes(name.encode())
    return {"path": f"{folder}/{name}", "sha256": sha256(name.encode()).hexdigest()}


@pytest.mark.parametrize("source", ["distro", "present"])
def test_nothing_is_to_be_brought(source: str) -> None:
    assert brought(source=source) == Materials()


def test_the_vendors_key(key: File) -> None:
    vendor = {"key": str(key), "fingerprint": FINGERPRINT}
    wanted = Materials(key=pinned(key.read_bytes(), FINGERPRINT))
    assert brought(source="vendor", vendor=vendor) == wanted
    key.unlink()  # it is read once for all hosts
    assert brought(source="vendor", vendor=vendor) == wanted


def test_another_key(key: File) -> None:
    vendor = {"key": str(key), "fingerprint": WRONG}
    assert brought(source="vendor", vendor=vendor) == (
        f"app-1: docker_engine.vendor.fingerprint: {key}: expected the key {WRONG}, found "
        f"{FINGERPRINT}; find out why before you trust another"
    )


def test_no_key(tmp_path: File) -> None:
    vendor = {"key": str(tmp_path / "none.asc"), "fingerprint": WRONG}
    assert brought(source="vendor", vendor=vendor) == (
        f"app-1: docker_engine.vendor.key: {tmp_path}/none.asc can't be read: [Errno 2] No such "
        f"file or directory: '{tmp_path}/none.asc'; mend it there, or here"
    )


def test_files(tmp_path: File) -> None:
    names = ("docker-ce_1-1_amd64.deb", "containerd.io_1-1_amd64.deb")
    given = [file_of(tmp_path, name) for name in names]
    assert brought(source="files", files=given) == Materials(
        packages=[tmp_path / name for name in names]
    )
    given[1]["sha256"] = "0a" * 32
    assert brought(source="files", files=given) == (
        f"app-1: docker_engine.files: {tmp_path}/{names[1]}: expected sha256 {'0a' * 32}, found "
        f"{sha256(names[1].encode()).hexdigest()}; mend it there, or here"
    )


def test_nothing_is_brought_where_neither_packages_nor_their_source_change() -> None:
    names = ("docker-ce_26.1.5-1~debian.12~bookworm_amd64.deb", "containerd.io_1.6.33-1_amd64.deb")
    by_files = {"source": "files", "files": files(*names, folder="/none")}
    by_script = {"source": "script", "script": files("install.sh", folder="/none")[0]}
    for engine in (by_files, by_script):
        assert isinstance(materials(one(bare(), engine)), Problem)
        assert materials(one(vendors(), {**engine, "config": {"a": 1}})) == Materials()


def test_the_vendors_key_for_a_source_that_differs(key: File) -> None:
    vendor = {"key": str(key), "fingerprint": FINGERPRINT}
    found = one(vendors(), {"source": "vendor", "vendor": vendor})
    assert materials(found) == Materials(key=pinned(key.read_bytes(), FINGERPRINT))


def test_what_cannot_be_brought_is_found_out_once(tmp_path: File) -> None:
    given = file_of(tmp_path, "install.sh")
    (tmp_path / "install.sh").rename(tmp_path / "elsewhere")
    first = brought(source="script", script=given)
    (tmp_path / "elsewhere").rename(tmp_path / "install.sh")
    assert brought(source="script", script=given) == first != Materials()


def test_a_script(tmp_path: File) -> None:
    given = file_of(tmp_path, "install.sh")
    assert brought(source="script", script=given) == Materials(script=tmp_path / "install.sh")
    (tmp_path / "install.sh").unlink()
    module._outcome.cache_clear()
    assert brought(source="script", script=given) == (
        f"app-1: docker_engine.script: '{tmp_path}/install.sh' can't be read: No such file or "
        "directory; mend it there, or here"
    )
