"""Accuracy before any training without what each criterion finds least important, of the sample."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from engine.checkpoints import load
from engine.contracts.edits import Edit
from engine.contracts.networks import Execution
from engine.contracts.setting_sections import ScoringSettings
from engine.data import load as load_data
from engine.measures.accuracy import evaluate
from engine.pruning import candidates, editing
from engine.pruning.criteria import CRITERIA
from engine.pruning.structure import structure_of
from engine.tasks import ImageTask

PER_CLASS = 30
COUNTS = (16, 32)  # filters
CPU = Execution("cpu", 1, None)


def main() -> None:
    torch.set_num_threads(1)
    sample = Path(__file__).parents[1] / "sample_checkpoints/sample.pt"
    model, task = load(sample).model.eval(), ImageTask(load_data("sample"))
    structure = structure_of(model)

    def accuracy(edit: Edit | None) -> float:
        network: nn.Module = model if edit is None else editing.apply(edit, model)
        return evaluate(network, task, "validation", CPU).accuracy

    print(f"the network itself: {accuracy(None):.1f} %")
    for name, criterion in CRITERIA.items():
        for seed in (0, 1, 2) if name == "random" else (0,):
            items_N = task.sample(PER_CLASS, seed)
            scores = criterion(model, structure, task, items_N, CPU)
            units = candidates.UnitEdits(structure, scores, ScoringSettings(), seed=0)
            edits = [units.of_count(count) for count in COUNTS]
            edits.append(candidates.layer_edit(structure, scores, 2))
            figures = "  ".join(f"{accuracy(edit):5.1f}" for edit in edits)
            print(f"{name:12} seed {seed}: {figures}", flush=True)


if __name__ == "__main__":
    main()
