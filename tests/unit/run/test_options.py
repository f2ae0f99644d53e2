"""The question before the first change."""

from __future__ import annotations

import pytest

from roles.run.options import _confirmed


@pytest.mark.parametrize("answer", ["", "y", "Yes", " y "])
def test_enter_or_a_yes_goes_on(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr("builtins.input", lambda: answer)
    assert _confirmed("")


@pytest.mark.parametrize("answer", ["n", "no", "yess", "app-1"])
def test_any_other_word_changes_nothing(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr("builtins.input", lambda: answer)
    with pytest.raises(SystemExit) as exited:
        _confirmed("")
    assert exited.value.code == 1
