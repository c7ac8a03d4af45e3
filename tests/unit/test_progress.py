from __future__ import annotations

import pytest

from aml_infra import progress
from aml_infra.progress import Progress

MEBIBYTE = 2**20


def test_it_says_how_much_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """In mebibytes, of the whole."""
    monkeypatch.setattr(progress, "NEWS_SECONDS", 0.0)
    said: list[str] = []
    copy = Progress("copying a layer", 3 * MEBIBYTE, said.append)

    copy.add(MEBIBYTE)
    copy.add(MEBIBYTE // 2)

    assert said == ["copying a layer: 1.0 of 3.0 MiB", "copying a layer: 1.5 of 3.0 MiB"]


def test_what_is_over_soon_says_nothing() -> None:
    """Nobody wants to read of it."""
    said: list[str] = []

    Progress("copying a layer", MEBIBYTE, said.append).add(MEBIBYTE)

    assert said == []
