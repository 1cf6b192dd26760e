"""The pictures of the README are those that the real app makes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_tour_makes_every_picture_that_the_readme_shows(tmp_path):
    command = [sys.executable, str(ROOT / "docs" / "tour" / "make.py"), str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    made = {path.name for path in tmp_path.glob("*.svg")}
    shown = set(re.findall(r"docs/tour/([\w-]+\.svg)", (ROOT / "README.md").read_text()))
    assert shown <= made == {path.name for path in (ROOT / "docs" / "tour").glob("*.svg")}
    assert all("<svg" in (tmp_path / name).read_text() for name in made)
