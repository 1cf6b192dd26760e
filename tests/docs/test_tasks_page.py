"""The commands of docs/tasks.md in a folder with the modules that the page shows: a network is
trained, its tree is grown without a doubt, and goes on with leave. (The other examples:
tests/session/test_own_tasks.py.)"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_docs import ROOT, blocks

PAGE = ROOT / "docs/tasks.md"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_network_is_trained_on_the_page_s_task_and_its_tree_is_grown_and_goes_on(tmp_path):
    for source in blocks(PAGE, "python"):
        name = re.match(r"# (\w+\.py)\n", source)
        assert name is not None
        (tmp_path / name[1]).write_text(source)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    lines = [line for block in blocks(PAGE, "sh") for line in block.splitlines() if line]
    of_sensors = [line for line in lines if "sensors" in line]
    assert [line.split()[1] for line in of_sensors] == ["structure", "train", "auto", "auto"]
    for line in of_sensors:
        ended = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert ended.returncode == 0, f"{line}\n{ended.stdout}\n{ended.stderr}"
        assert "Traceback" not in ended.stderr
    told = subprocess.run(
        ["pe-explore", "log", "Network.pex.db", "--json"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(told.stdout)["doubts"] == []
