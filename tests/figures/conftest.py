"""Definitions of figures that a test may spoil."""

from pathlib import Path
from shutil import copytree

import pytest

from app.services.figures import definitions


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the definitions, to spoil."""
    copy = tmp_path / "figures"
    copytree(definitions.FOLDER, copy)
    monkeypatch.setattr(definitions, "FOLDER", copy)
    return copy
