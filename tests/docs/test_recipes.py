"""Every command of the recipes, in order, in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_docs import ROOT, blocks

LINES = [
    line
    for block in blocks(ROOT / "docs/recipes.md", "sh")
    for line in block.splitlines()
    if line.strip()
]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_recipes_work(tmp_path):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for line in LINES:
        ended = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert ended.returncode == 0, f"{line}\n{ended.stdout}\n{ended.stderr}"
        assert "Traceback" not in ended.stderr
    assert (tmp_path / "best.pt").exists()
