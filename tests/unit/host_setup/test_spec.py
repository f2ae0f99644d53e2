from __future__ import annotations

from pathlib import Path as File
from typing import Any

import pytest
from pydantic import ValidationError

from roles.host_setup.spec import HostSetupSpec
from tests.unit.host_setup.build import ANN, ANN_BLOB, BOB, user


def refusal(said: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as refused:
        HostSetupSpec.model_validate(said)
    return str(refused.value.errors()[0]["msg"])


@pytest.mark.parametrize(
    "key, expected",
    [
        ("", "found no such type in front"),
        ("hello", "found no such type in front"),
        (f"no-pty {ANN}", "found no such type in front"),
        ("ssh-ed25519", "found 'ssh-ed25519' and what is no such key"),
        (f"ssh-ed25519 {ANN_BLOB[:-4]}", "found 'ssh-ed25519' and what is no such key"),
        (f"ssh-rsa {ANN_BLOB}", "found 'ssh-rsa' and what is no such key"),
        (f"{ANN}\n{BOB}", "found 'ssh-ed25519' and what is no such key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "found a private one"),
    ],
)
def test_what_is_no_key_is_refused_and_not_shown(key: str, expected: str) -> None:
    said = refusal(user(keys=[key]))
    assert "expected a public key, 'TYPE BASE64 [COMMENT]' in one line" in said
    assert expected in said
    assert "AAAAC3" not in said


def test_keys_come_from_files_of_this_machine(tmp_path: File) -> None:
    (tmp_path / "a.pub").write_text(f"# ours\n\n{ANN}\n")
    (tmp_path / "b.pub").write_text(f"{BOB}\n")
    files = [str(tmp_path / name) for name in ("a.pub", "b.pub")]
    found = HostSetupSpec.model_validate(user(keys={"files": files}))
    assert found.user
    assert found.user.keys == [ANN, BOB]


def test_a_path_starts_in_the_folder_of_the_run(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ops.pub").write_text(f"{ANN}\n")
    monkeypatch.chdir(tmp_path)
    found = HostSetupSpec.model_validate(user(keys={"files": ["ops.pub"]}))
    assert found.user
    assert found.user.keys == [ANN]


@pytest.mark.parametrize("path", ["~/.ssh/id_ed25519.pub", "~ann/ops.pub"])
def test_a_path_in_a_home_is_refused(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519.pub").write_text(f"{ANN}\n")
    said = refusal(user(keys={"files": [path]}))
    assert f"such as 'files/ops.pub', found '{path}': whose home `~` is" in said
    assert "write the key itself into the list, or copy the file" in said


@pytest.mark.parametrize(
    "text, expected",
    [
        (None, "expected a file of public keys, found {path}: No such file or directory"),
        ("# nobody\n", "expected a file of public keys, found none in {path}"),
        (f"{ANN}\nhello\n", "{path}, line 2: expected a public key"),
    ],
)
def test_a_file_without_keys_is_named(tmp_path: File, text: str | None, expected: str) -> None:
    path = tmp_path / "keys.pub"
    if text is not None:
        path.write_text(text)
    said = refusal(user(keys={"files": [str(path)]}))
    assert expected.format(path=path) in said


@pytest.mark.parametrize(
    "said, expected",
    [
        (user(keys=[]), "at least 1 item"),
        (user(keys={"file": "x"}), "expected a list of keys, or {'files': [...]}"),
        (user(name="Ops Team"), "String should match pattern"),
        (user(uid=0), "greater than or equal to 1"),
        ({"timezone": "../etc/passwd"}, "expected a timezone such as 'Europe/Berlin'"),
        ({"timezone": "Europe Berlin"}, "expected a timezone such as 'Europe/Berlin'"),
        ({"sysctls": {"net/ipv4/ip_forward": 1}}, "String should match pattern"),
        ({"sysctls": {"net.ipv4.ip_forward": True}}, "expected a number, or a text"),
        ({"sysctls": {"a.b": "1\x00"}}, "expected a number, or a text of one line"),
        ({"modules": ["nf_conntrack; reboot"]}, "String should match pattern"),
        ({"time_sync": {"servers": ["-x"]}}, "String should match pattern"),
        ({"journald": {"max_use_mb": 1}}, "greater than or equal to 8"),
        ({"hostname": "x"}, "Extra inputs are not permitted"),
    ],
)
def test_what_is_refused(said: dict[str, Any], expected: str) -> None:
    assert expected in refusal(said)


@pytest.mark.parametrize("name", ["10.0.0.1", "-x", "a_b", "a..b", "x" * 65, False])
def test_what_is_no_host_name(name: Any) -> None:
    with pytest.raises(ValidationError):
        HostSetupSpec.model_validate({"name": name})


def test_none_takes_a_setting_out_and_names_are_the_kernels() -> None:
    said = {"sysctls": {"a.b": 1, "c.d": None, "e.f": "1  2"}, "modules": ["br-netfilter"]}
    found = HostSetupSpec.model_validate(said)
    assert found.wanted_sysctls == {"a.b": "1", "e.f": "1 2"}
    assert found.wanted_modules == ["br_netfilter"]
    assert HostSetupSpec().wanted_sysctls == {}
    assert HostSetupSpec().wanted_modules == []
