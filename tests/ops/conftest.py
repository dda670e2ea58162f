"""A sandbox for everything that ops writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops import paths


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which a test's build/ and secrets/ are."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    return tmp_path
