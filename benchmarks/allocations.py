"""Allocations at equal multiply-accumulates: the accuracy before any recovery.

Usage: python benchmarks/allocations.py [CHECKPOINT DATA] [--criteria kl l1] [--left 80 60]
                                        [--images N] [--seeds N] [--threads T]
Of each allocation the smallest count of units is taken by which at most so many percent of the
multiply-accumulates are left. Prints validation accuracy, percent; of what is drawn (uniform's
remainder, zeroth's directions) the mean over seeds and its standard deviation.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from engine import load as load_network
from engine.contracts.networks import Execution
from engine.contracts.setting_sections import ScoringSettings
from engine.data import load
from engine.measures.accuracy import evaluate
from engine.measures.cost import cost_of
from engine.pruning import candidates, editing
from engine.pruning.allocations import ALLOCATIONS, Probe
from engine.pruning.criteria import CRITERIA
from engine.pruning.structure import structure_of
from engine.tasks import ImageTask, examples

DRAWN = ("uniform", "zeroth")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint", nargs="?", default="sample_checkpoints/sample.pt")
    parser.add_argument("data", nargs="?", default="sample")
    parser.add_argument("--criteria", nargs="+", default=["kl", "l1"])
    parser.add_argument("--left", type=float, nargs="+", default=[80, 60])
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    model = load_network(given.checkpoint).model.eval()
    task, structure = ImageTask(load(given.data)), structure_of(model)
    execution, one = Execution("cpu", given.threads, None), examples(task, 1)
    whole = cost_of(model, one).num_macs
    print(f"unpruned: {evaluate(model, task, 'validation', execution).accuracy:.2f} %")

    def smallest(edits: candidates.UnitEdits, most_macs: float) -> tuple[float, float]:
        """Accuracy, and the share of multiply-accumulates that is left."""
        low, high = 1, edits.most

        def made(count: int) -> torch.nn.Module:
            edit = edits.of_count(count)
            assert edit is not None
            return editing.apply(edit, model)

        while low < high:
            middle = (low + high) // 2
            enough = cost_of(made(middle), one).num_macs <= most_macs
            low, high = (low, middle) if enough else (middle + 1, high)
        network = made(low)
        accuracy = evaluate(network, task, "validation", execution).accuracy
        return accuracy, 100 * cost_of(network, one).num_macs / whole

    for criterion in given.criteria:
        items_N = task.sample(given.images, 0)
        scores = CRITERIA[criterion](model, structure, task, items_N, execution)
        for name in ALLOCATIONS:
            cells, started = [], time.perf_counter()
            for left in given.left:
                found = []
                for seed in range(given.seeds if name in DRAWN else 1):
                    edits = candidates.UnitEdits(
                        structure, scores, ScoringSettings(allocation=name), seed,
                        shapes=candidates.shapes_of(model),
                        probe=Probe(model, task, execution, seed),
                    )  # fmt: skip
                    found.append(smallest(edits, left / 100 * whole))
                accuracies = [accuracy for accuracy, _ in found]
                spread = f" ± {statistics.stdev(accuracies):.2f}" if len(found) > 1 else ""
                macs = statistics.mean(macs for _, macs in found)
                cells.append(f"{statistics.mean(accuracies):.2f}{spread} ({macs:.1f} %)")
            seconds = time.perf_counter() - started
            print(f"{criterion} {name}: {' | '.join(cells)} [{seconds:.1f} s]", flush=True)


if __name__ == "__main__":
    main()
