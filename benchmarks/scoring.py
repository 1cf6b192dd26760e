"""Scoring every structure of a network: one forward a structure, exact KL, and kl-fast.

Usage: python benchmarks/scoring.py CHECKPOINT DATA [--images N] [--seed S] [--threads T]
                                    [--rounds R]
The plain way is timed on few images and one in twenty structures, and scaled; the others on all.
Prints milliseconds an image, the ratio to the plain way, how well the rankings agree, and how much
memory scoring took at most.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from engine import load as load_network
from engine.data import Images, load, normalise
from engine.data.splits import sample_per_class
from engine.pruning.criteria.kl import kl_scores
from engine.pruning.criteria.kl_fast import kl_fast_scores
from engine.pruning.scores import Scores
from engine.pruning.structure import structure_of
from engine.runtime import device
from engine.runtime.progress import SILENT
from engine.tasks import ImageTask

ONE_IN = 20


def plain_milliseconds(model: nn.Module, images_BCHW: torch.Tensor) -> float:
    """One full forward a structure, as the authors do it: milliseconds an image for all of them."""
    groups = structure_of(model).groups
    structures = [(g.path, i) for g in groups for i in range(g.num_units)]
    asked = structures[::ONE_IN]
    started = time.perf_counter()
    with torch.inference_mode():
        for path, index in asked:
            silenced = copy.deepcopy(model)
            norm = silenced.get_submodule(path.replace("conv1", "bn1"))
            norm.weight[index] = 0
            norm.bias[index] = 0
            silenced(images_BCHW).softmax(1)
    seconds = time.perf_counter() - started
    everything = len(structures) + len(structure_of(model).blocks)
    return 1000 * seconds * everything / len(asked) / len(images_BCHW)


def ranks(values: np.ndarray) -> np.ndarray:
    return values.argsort(kind="stable").argsort(kind="stable").astype(float)


def agreement(exact: Scores, fast: Scores) -> tuple[float, float]:
    """Spearman's correlation over all filters, and the overlap of the least important tenth."""
    a, b = (np.array([v for vs in s.units.values() for v in vs]) for s in (exact, fast))
    spearman = float(np.corrcoef(ranks(a), ranks(b))[0, 1])
    count = max(1, len(a) // 10)
    lowest = [set(np.argsort(x, kind="stable")[:count].tolist()) for x in (a, b)]
    return spearman, len(lowest[0] & lowest[1]) / count


def peak_megabytes(anew: bool = False) -> float:
    """The most memory that was resident (Linux), `anew`: from now on."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("data")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plain", type=int, default=32)
    parser.add_argument("--seed", type=int, default=12345)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    execution = device.choose(asked.device, asked.threads)
    device.apply(execution)
    model = load_network(asked.checkpoint).model.eval()
    data = load(asked.data)
    labels_N = data.train.labels_N.numpy()
    ids_N = sample_per_class(labels_N, max(1, asked.images // len(data.classes)), asked.seed)
    task, items_N = ImageTask(data), torch.from_numpy(ids_N)
    images: Images = data.train.take(items_N)
    few = normalise(images.pixels_NHWC[: asked.plain], data.mean, data.std)
    times: dict[str, list[float]] = {"plain": [], "kl": [], "kl-fast": []}
    before = peak_megabytes(anew=True)
    for _ in range(asked.rounds):
        times["plain"].append(plain_milliseconds(model, few))
        for name, criterion in (("kl", kl_scores), ("kl-fast", kl_fast_scores)):
            started = time.perf_counter()
            scores = criterion(model, structure_of(model), task, items_N, execution, SILENT)
            times[name].append(1000 * (time.perf_counter() - started) / len(images))
            if name == "kl":
                exact = scores
            else:
                fast = scores
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name:8} {median:9.2f} ms an image   {medians['plain'] / median:7.1f} x")
    spearman, overlap = agreement(exact, fast)
    print(f"kl-fast against kl on {len(images)} images: Spearman {spearman:.5f}, "
          f"overlap of the lowest tenth {overlap:.3f}")  # fmt: skip
    print(f"at most {peak_megabytes() - before:.0f} MB above what the process held before")


if __name__ == "__main__":
    main()
