from __future__ import annotations

import pytest
from pysequoia import Cert, Tsk

from roles.docker_engine.openpgp import WrongKey, pinned

SECRET = Tsk.generate("Packages <packages@vendor.example>")
OURS = SECRET.extract_certificate()
THEIRS = Tsk.generate("Somebody <somebody@else.example>").extract_certificate()
FINGERPRINT, OTHER = OURS.fingerprint.upper(), THEIRS.fingerprint.upper()


def armoured(*keys: Cert) -> bytes:
    return b"".join(f"{key}".encode() for key in keys)


def binary(*keys: Cert) -> bytes:
    return b"".join(bytes(key) for key in keys)


@pytest.mark.parametrize(
    "material",
    [
        armoured(OURS),
        armoured(THEIRS, OURS),
        armoured(OURS, THEIRS),
        binary(OURS),
        binary(THEIRS, OURS),
        f"{SECRET}".encode(),
    ],
    ids=["armoured", "second", "first", "binary", "second-in-binary", "with-its-secret"],
)
def test_the_key_alone_is_taken(material: bytes) -> None:
    found = pinned(material, FINGERPRINT)
    assert found.startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n")
    assert found.endswith(b"-----END PGP PUBLIC KEY BLOCK-----\n")
    (key,) = Cert.split_bytes(found)
    assert key.fingerprint.upper() == FINGERPRINT


def test_the_same_key_is_the_same_text_wherever_it_came_from() -> None:
    assert pinned(armoured(THEIRS, OURS), FINGERPRINT) == pinned(binary(OURS), FINGERPRINT)


@pytest.mark.parametrize(
    "material, text",
    [
        (armoured(THEIRS), f"expected the key {FINGERPRINT}, found {OTHER}"),
        (armoured(THEIRS, THEIRS), f"expected the key {FINGERPRINT}, found {OTHER}, {OTHER}"),
        (b"", f"expected the key {FINGERPRINT}, found no key"),
    ],
    ids=["another", "others", "nothing"],
)
def test_the_key_is_not_in_it(material: bytes, text: str) -> None:
    with pytest.raises(WrongKey) as caught:
        pinned(material, FINGERPRINT)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "material",
    [b"<html>not found</html>\n", b"\x00\xff" * 50, armoured(OURS)[:300], binary(OURS)[:100]],
    ids=["html", "binary", "cut-off", "cut-off-in-binary"],
)
def test_what_is_no_key(material: bytes) -> None:
    with pytest.raises(WrongKey) as caught:
        pinned(material, FINGERPRINT)
    assert str(caught.value).startswith("holds no OpenPGP key: ")
    assert "\n" not in str(caught.value)
    assert "backtrace" not in str(caught.value)


@pytest.mark.parametrize("fingerprint", [FINGERPRINT.lower(), FINGERPRINT[-16:], ""])
def test_a_part_of_the_fingerprint_is_not_enough(fingerprint: str) -> None:
    with pytest.raises(WrongKey):
        pinned(armoured(OURS), fingerprint)
