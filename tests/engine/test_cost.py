"""Multiply-accumulates are counted as torch counts them, without its compiler."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
import torchvision
from any_networks import MAKERS, example
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from engine.measures.cost import cost_of
from engine.tasks.images import blank


def networks() -> dict[str, nn.Module]:
    made = {name: example(name)[0] for name in MAKERS}
    made["mobilenet"] = torchvision.models.mobilenet_v3_small()
    made["attention"] = torchvision.models.VisionTransformer(8, 4, 2, 2, 16, 32)
    return {name: model.eval() for name, model in made.items()}


@pytest.mark.parametrize("name", [*MAKERS, "mobilenet", "attention"])
def test_it_is_what_torchs_own_counter_says(name):
    model = networks()[name]
    size = 32 if name == "mobilenet" else 8
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        torch.backends.mha.set_fastpath_enabled(False)
        model(torch.zeros(1, 3, size, size))
        torch.backends.mha.set_fastpath_enabled(True)
    assert cost_of(model, blank((size, size, 3))).num_macs == counter.get_total_flops() // 2 > 0


SEARCH = """
import sys, torch
from any_networks import example
from engine.measures.cost import cost_of
from engine.tasks.images import blank
from engine.measures.folding import foldable_pairs
from engine.pruning.structure.find import find_structure
model, _ = example("ViT with grouped heads")
find_structure(model, torch.randn(2, 3, 8, 8))
foldable_pairs(model, torch.randn(2, 3, 8, 8))
cost_of(model, blank((8, 8, 3)))
print(sorted({"torch._dynamo", "sympy"} & set(sys.modules)))
"""


@pytest.mark.slow  # a process imports torch and torchvision
def test_the_compiler_is_not_imported_for_any_of_it():
    """It takes seconds in every worker."""
    folders = f"import sys; sys.path[:0] = {sys.path!r}\n"
    done = subprocess.run(
        [sys.executable, "-c", folders + SEARCH], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
