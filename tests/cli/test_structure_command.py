"""`structure MODEL`: what can be removed is told before any tree is grown."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).parent / "pe-explore"
NETS = """
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.layers = nn.Sequential(BasicBlock(8, 8), BasicBlock(8, 8))
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        assert x.shape[-1] == 48, 'only 48 pixels'
        return self.head(self.layers(self.stem(x)).mean((2, 3)))

class Dropping(Net):
    def forward(self, x):
        return F.dropout(super().forward(x))
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "nets.py").write_text(NETS)
    return tmp_path


def ran(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [str(PROGRAM), "structure", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)


def test_a_network_of_ones_own_is_told_as_a_table_and_as_json(folder):
    shown = ran(folder, "nets:Net", "--input", "3x48x48")
    assert shown.returncode == 0, shown.stderr
    assert "Net on images of 3×48×48; its classifier is head" in shown.stdout
    assert re.search(r"^layers +layers\.0 +BasicBlock +16 +can go", shown.stdout, re.M)
    assert "16 filters in 2 groups inside of blocks" in shown.stdout
    assert "stays: head: the network's output" in shown.stdout
    printed = json.loads(ran(folder, "nets:Net", "--input", "3x48x48", "--json").stdout)
    assert [block["path"] for block in printed["blocks"]] == ["layers.0", "layers.1"]
    inside = [group for group in printed["groups"] if not group["crosses_blocks"]]
    assert [(g["path"], g["num_units"]) for g in inside] == [
        ("layers.0.conv1", 8),
        ("layers.1.conv1", 8),
    ]
    assert "layers.0.bn1.running_mean" in inside[0]["tensors"]
    assert list(folder.glob("*.db")) == []


def slowly(arguments: list[str], words: str):
    """A case in which a process imports torch, as others do before it."""
    return pytest.param(arguments, words, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        slowly(["nets:Net"], "runs on no images of 3 channels and 224.*--input CxHxW"),
        slowly(["nets:Net", "--input", "3x32x32"], "AssertionError: only 48 pixels.*--input CxHxW"),
        (["nets:Net", "--input", "48"], "CxHxW, channels, height and width.*got '48'"),
        (["nets:Net", "--input", "3x0x8"], "got '3x0x8'"),
        (["nets:Net", "--input", "3x48x48", "--data", "sample"], "leave --input out"),
        (["nets:Dropping", "--input", "3x48x48"], "another output each time"),
        slowly(["nets:Nest"], "did you mean 'nets:Net'"),
        (["nets.pt"], "nets.pt"),
    ],
)
def test_what_cannot_be_told_says_why_in_one_line(folder, arguments, words):
    ended = ran(folder, *arguments)
    assert ended.returncode in (1, 2) and not ended.stdout
    assert re.search(words, ended.stderr), ended.stderr
    assert "Traceback" not in ended.stderr
