from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from store import TreeStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "project.pex.db"


@pytest.fixture
def store(path: Path) -> Iterator[TreeStore]:
    with TreeStore.open(path, create=True) as opened:
        yield opened
