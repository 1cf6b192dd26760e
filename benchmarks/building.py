"""Scoring by magnitude and building the pruned network: ours, and torch-pruning where installed.

Usage: python benchmarks/building.py [CHECKPOINT] [--filters N]
Both score every filter by its weights and take out the same share; the ways take turns, medians.
torch-pruning traces the network to find out what depends on what, and prunes the residual stream
too; ours knows the family, and takes inner filters or whole blocks.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from engine import load
from engine.contracts.setting_sections import ScoringSettings
from engine.data import ImageData, Images
from engine.pruning import candidates
from engine.pruning import editing as edits
from engine.pruning.criteria.magnitude import l1_scores
from engine.pruning.structure import structure_of
from engine.runtime import device
from engine.runtime.progress import SILENT
from engine.tasks import ImageTask

ROUNDS = 9
CHECKPOINT = Path(__file__).parents[1] / "sample_checkpoints" / "resnet56-cifar10.pt"


def timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return 1e3 * (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", nargs="?", type=Path, default=CHECKPOINT)
    parser.add_argument("--filters", type=int, default=100)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    model = load(asked.checkpoint).model.eval()
    execution = device.choose("cpu", 1)
    zeros = torch.zeros(1, 32, 32, 3, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64)
    one = Images(*zeros)
    data = ImageData("", ("a",), (0.5,) * 3, (0.2,) * 3, False, one, one, one, "")
    about = (model, structure_of(model), ImageTask(data), torch.arange(1), execution)
    structure = structure_of(model)
    scores = l1_scores(*about, SILENT)
    edits_of = candidates.UnitEdits(structure, scores, ScoringSettings(), seed=0)
    filters = edits_of.of_count(asked.filters)
    layer = candidates.layer_edit(structure, scores, 2)
    assert filters is not None and layer is not None
    ways: dict[str, Callable[[], object]] = {
        "ours: score by magnitude": lambda: l1_scores(*about),
        f"ours: build without {asked.filters} filters": lambda: edits.apply(filters, model),
        "ours: build without a block": lambda: edits.apply(layer, model),
    }
    share = asked.filters / sum(g.num_units for g in structure.groups)
    if importlib.util.find_spec("torch_pruning") is not None:
        ways |= torch_prunings(model, share)
    else:
        print("torch-pruning is not installed; pip install torch-pruning measures it too")
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            found[name].append(timed(way))
    for name, times in found.items():
        print(f"{name:44} {statistics.median(times):9.1f} ms")


def torch_prunings(model: nn.Module, share: float) -> dict[str, Callable[[], object]]:
    import torch_pruning as tp

    image = torch.zeros(1, 3, 32, 32)

    def pruner(network: nn.Module):
        return tp.pruner.BasePruner(
            network, image, tp.importance.MagnitudeImportance(p=1), pruning_ratio=share,
            ignored_layers=[m for m in network.modules() if isinstance(m, nn.Linear)],
        )  # fmt: skip

    def trace() -> object:
        return pruner(copy.deepcopy(model))

    def whole() -> None:
        pruner(copy.deepcopy(model)).step()

    return {"torch-pruning: trace": trace, "torch-pruning: trace, score and prune": whole}


if __name__ == "__main__":
    main()
