from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path as File

import pytest

from roles.images import context
from roles.images.context import archive, tag, unusable
from roles.images.spec import ImageSource

BASE = "debian:bookworm-slim"


@pytest.fixture
def folder(tmp_path: File) -> File:
    """A context with a program, a module in a folder, and a folder linked from outside."""
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "common.py").write_text("COMMON = 1\n")
    found = tmp_path / "engine"
    (found / "bin").mkdir(parents=True)
    (found / "Dockerfile").write_text("FROM base\n")
    (found / "bin" / "start.sh").write_text("#!/bin/sh\n")
    (found / "bin" / "start.sh").chmod(0o755)
    (found / "shared").symlink_to("../shared", target_is_directory=True)
    return found


def source(folder: File, name: str = "engine") -> ImageSource:
    return ImageSource(name=name, context=str(folder))


def tag_now(folder: File, base: str = BASE) -> str:
    context._content_hash.cache_clear()
    return tag(source(folder), base)


def members(folder: File) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(archive(source(folder)))) as tar:
        return {entry.name: entry for entry in tar.getmembers()}


def edit(folder: File) -> None:
    (folder / "bin" / "start.sh").write_text("#!/bin/sh\n\n")


def make_executable(folder: File) -> None:
    (folder / "Dockerfile").chmod(0o755)


def add(folder: File) -> None:
    (folder / "empty").touch()


def rename(folder: File) -> None:
    (folder / "bin" / "start.sh").rename(folder / "bin" / "begin.sh")


def move(folder: File) -> None:
    (folder / "bin" / "start.sh").rename(folder / "start.sh")


def remove(folder: File) -> None:
    (folder / "bin" / "start.sh").unlink()


def edit_what_is_linked(folder: File) -> None:
    (folder / "shared" / "common.py").write_text("COMMON = 2\n")


def add_to_what_is_linked(folder: File) -> None:
    (folder.parent / "shared" / "more.py").touch()


def touch(folder: File) -> None:
    os.utime(folder / "Dockerfile", (1, 1))


def change_the_mode_but_not_for_running(folder: File) -> None:
    (folder / "Dockerfile").chmod(0o600)
    (folder / "bin" / "start.sh").chmod(0o700)


def run_python(folder: File) -> None:
    for place in (folder, folder / "bin", folder / "shared"):
        (place / "__pycache__").mkdir()
        (place / "__pycache__" / "module.pyc").write_bytes(b"\0")


def use_tools(folder: File) -> None:
    for name in (".git", ".pytest_cache", ".mypy_cache", ".ruff_cache"):
        (folder / name).mkdir()
        (folder / name / "file").touch()


def copy_what_is_linked(folder: File) -> None:
    (folder / "shared").unlink()
    shutil.copytree(folder.parent / "shared", folder / "shared")


def make_an_empty_folder(folder: File) -> None:
    (folder / "nothing").mkdir()


COUNTS = [
    edit,
    make_executable,
    add,
    rename,
    move,
    remove,
    edit_what_is_linked,
    add_to_what_is_linked,
]
DOES_NOT_COUNT = [
    touch,
    change_the_mode_but_not_for_running,
    run_python,
    use_tools,
    copy_what_is_linked,
    make_an_empty_folder,
]


@pytest.mark.parametrize("action", COUNTS, ids=lambda action: action.__name__)
def test_what_changes_the_tag(folder: File, action: Callable[[File], None]) -> None:
    before, archived = tag_now(folder), archive(source(folder))
    action(folder)
    assert tag_now(folder) != before
    assert archive(source(folder)) != archived


@pytest.mark.parametrize("action", DOES_NOT_COUNT, ids=lambda action: action.__name__)
def test_what_does_not(folder: File, action: Callable[[File], None]) -> None:
    before, archived = tag_now(folder), archive(source(folder))
    action(folder)
    assert tag_now(folder) == before
    assert archive(source(folder)) == archived


def test_the_base_image_counts(folder: File) -> None:
    assert tag_now(folder) != tag_now(folder, "debian:trixie-slim")


def test_where_the_context_lies_does_not_count(folder: File, tmp_path: File) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(folder, copy, symlinks=False)
    assert tag_now(copy) == tag_now(folder)
    assert archive(source(copy)) == archive(source(folder))


def test_the_order_in_which_a_folder_lists_its_files_does_not_count(
    folder: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, archived = tag_now(folder), archive(source(folder))
    listed = File.iterdir
    for backwards in (False, True):
        monkeypatch.setattr(
            File, "iterdir", lambda path, back=backwards: sorted(listed(path), reverse=back)
        )
        assert tag_now(folder) == before
        assert archive(source(folder)) == archived


def test_content_does_not_pass_for_a_name(tmp_path: File) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    (first / "ab").write_text("c")
    (second / "a").write_text("bc")
    assert tag_now(first) != tag_now(second)


def test_the_tag_is_name_and_hash(folder: File) -> None:
    name, _, digest = tag_now(folder).partition(":")
    assert name == "engine"
    assert len(digest) == 12
    assert set(digest) <= set("0123456789abcdef")
    assert tag(source(folder, "other"), BASE) == f"other:{digest}"


def test_the_archive_holds_files_alone_and_what_is_linked(folder: File) -> None:
    run_python(folder)
    found = members(folder)
    assert list(found) == ["Dockerfile", "bin/start.sh", "shared/common.py"]
    assert all(entry.isreg() for entry in found.values())
    assert {name: oct(entry.mode) for name, entry in found.items()} == {
        "Dockerfile": "0o644",
        "bin/start.sh": "0o755",
        "shared/common.py": "0o644",
    }
    assert {(entry.uid, entry.gid, entry.mtime) for entry in found.values()} == {(0, 0, 0)}
    with tarfile.open(fileobj=io.BytesIO(archive(source(folder)))) as tar:
        content = tar.extractfile("shared/common.py")
        assert content
        assert content.read() == b"COMMON = 1\n"


def test_a_context_is_a_folder_with_a_dockerfile(folder: File) -> None:
    needs = "expected a folder with a Dockerfile"
    no_folder = f"does not exist; {needs}"
    assert unusable(source(folder)) is None
    assert unusable(source(folder / "bin")) == f"has no Dockerfile; {needs}"
    assert unusable(source(folder / "absent")) == no_folder
    assert unusable(source(folder / "Dockerfile")) == no_folder


def test_a_link_that_leads_nowhere_or_round_is_told(folder: File) -> None:
    (folder / "nowhere").symlink_to(folder / "absent")
    assert "can't be read: No such file" in str(unusable(source(folder)))
    (folder / "nowhere").unlink()
    context._content_hash.cache_clear()
    (folder / "round").symlink_to(folder, target_is_directory=True)
    assert "can't be read: Too many levels" in str(unusable(source(folder)))
    assert tag(source(folder), BASE) == "engine:unusable"
