"""What the tests of ops share: a valid wish, and a place of their own for everything that ops writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops import paths


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that build/ and secrets/ lie in for the length of a test."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    return tmp_path
