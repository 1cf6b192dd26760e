"""Fuzzers may go on for longer than other tests: PE_FUZZ_SECONDS each, where it is set."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REST = 300.0  # seconds beside the rounds: what is made first, and the last round of a busy machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here, seconds = Path(__file__).parent, float(os.environ.get("PE_FUZZ_SECONDS") or 0)
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(REST + seconds))
