"""A network of a person's by its name: grown, resumed with leave, exported, made again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small import write_data

PROGRAM = Path(sys.executable).parent / "pe-explore"
GROWING = ["--data=bars.npz", "--criterion=l1", "--recovery-epochs=1", "--tune-epochs=2",
           "--batch-size=16", "--num-resamples=20"]  # fmt: skip
SOURCE = """
from torch import nn

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(6), nn.Conv2d(6, 6, 3, padding=1)
        self.bn2, self.conv2 = nn.BatchNorm2d(6), nn.Conv2d(6, 6, 3, padding=1)

    def forward(self, x):
        return x + self.conv2(self.bn2(self.conv1(self.bn1(x).relu())).relu())

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.blocks = nn.Conv2d(1, 6, 3, padding=1), nn.Sequential(Block(), Block())
        self.head = nn.Linear(6, 3)

    def forward(self, images):
        return self.head(self.blocks(self.stem(images)).mean((2, 3)))

def make():
    return Net()
"""


def ran(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), *words], cwd=folder, capture_output=True, text=True, timeout=240
    )


@pytest.mark.slow
def test_a_persons_network_goes_all_the_way_and_only_with_leave(tmp_path):
    write_data(tmp_path)
    (tmp_path / "mynets.py").write_text(SOURCE)
    grown = ran(tmp_path, "auto", "mynets:make", "--random-weights", *GROWING, "-n1", "--json")
    assert grown.returncode == 0, grown.stderr
    told = json.loads(grown.stdout)
    assert [doubt["code"] for doubt in told["doubts"]] == ["untrained"]
    assert len(told["nodes"]) == 3 and Path(told["store"]).name == "make.pex.db"
    leave = "--allow-factory=mynets:make"
    for words in (["auto", "make.pex.db", "-n2"], ["export", "make.pex.db", "best", "best.pt"]):
        refused = ran(tmp_path, *words)
        assert refused.returncode == 1 and "--allow-factory mynets:make" in refused.stderr
        assert ran(tmp_path, *words, leave).returncode == 0
    opened = ran(tmp_path, "auto", "best.pt", "--arch=mynets:make", *GROWING, "-n1", "--yes")
    assert opened.returncode == 0, opened.stderr
    again = ran(tmp_path, "verify", "make.pex.db", "--reexecute", "R.L", leave)
    assert "identical, bit for bit" in again.stdout
