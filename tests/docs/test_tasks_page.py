"""Every command of docs/tasks.md, in order, in a folder with the modules that the page shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_docs import ROOT, blocks

PAGE = ROOT / "docs/tasks.md"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_page_works(tmp_path):
    for source in blocks(PAGE, "python"):
        name = re.match(r"# (\w+\.py)\n", source)
        assert name is not None
        (tmp_path / name[1]).write_text(source)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    lines = [line for block in blocks(PAGE, "sh") for line in block.splitlines() if line]
    assert len(lines) == 4
    for line in lines:
        ended = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert ended.returncode == 0, f"{line}\n{ended.stdout}\n{ended.stderr}"
        assert "Traceback" not in ended.stderr
