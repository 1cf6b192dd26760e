"""How the cost grows with depth, width, images and the nodes of the store: times and exponents.

Usage: python benchmarks/growth.py [--threads T]
One thread and untrained networks: times depend on shapes alone, but for dead filters, of which
untrained networks have none. Each figure is the best of three; the exponent is the slope of the
logarithms.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from million import make_store
from torch import nn

from engine.contracts.networks import Execution
from engine.data import ImageData, Images
from engine.measures.accuracy import evaluate
from engine.models import build
from engine.models.cifar_resnet import arguments_of_depth
from engine.pruning.criteria.kl import kl_scores
from engine.pruning.criteria.kl_fast import kl_fast_scores
from engine.pruning.structure import structure_of
from engine.runtime import device
from engine.runtime.progress import SILENT
from engine.tasks import ImageTask
from engine.training.finetune import train
from engine.training.plan import TrainPlan
from store import TreeStore

ROUNDS = 3
NODES = (1_000, 10_000, 100_000)


def data_of(count: int) -> ImageData:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 32, 32, 3), dtype=torch.uint8, generator=generator)
    images = Images(pixels, torch.arange(count) % 10)
    return ImageData(
        "noise", tuple("0123456789"), (0.5,) * 3, (0.25,) * 3, True, *3 * (images,), ""
    )


def best_of(action: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def tell(what: str, along: str, seconds: Mapping[int, float]) -> None:
    slope = np.polyfit(np.log(list(seconds)), np.log(list(seconds.values())), 1)[0]
    figures = ", ".join(f"{size:,}: {value:.3g}" for size, value in seconds.items())
    print(f"{what:14} by {along:7} exponent {slope:5.2f}   seconds {figures}", flush=True)


def network(depth: int = 20, width: int = 16):
    return build("cifar_resnet", arguments_of_depth(depth, width=width), seed=0).eval()


def computing(execution: Execution) -> None:
    def kl(model: nn.Module, data: ImageData) -> object:
        return kl_scores(
            model,
            structure_of(model),
            ImageTask(data),
            torch.arange(len(data.train)),
            execution,
            SILENT,
        )

    def kl_fast(model: nn.Module, data: ImageData) -> object:
        return kl_fast_scores(
            model,
            structure_of(model),
            ImageTask(data),
            torch.arange(len(data.train)),
            execution,
            SILENT,
        )

    def epoch(model: nn.Module, data: ImageData) -> object:
        return train(model, ImageTask(data), TrainPlan(0, 1, 9, 0), execution)

    def evaluation(model: nn.Module, data: ImageData) -> object:
        return evaluate(model, ImageTask(data), "test", execution)

    grow("kl", kl, data_of(2), (20, 32, 44), (4, 8, 16), (2, 4, 8))
    grow("kl-fast", kl_fast, data_of(10), (20, 32, 56), (4, 8, 16), (10, 20, 40))
    grow("one epoch", epoch, data_of(128), (20, 56, 110), (8, 16, 32), (128, 256, 512))
    grow("evaluating", evaluation, data_of(128), (20, 56, 110), (8, 16, 32), (128, 256, 512))


def grow(
    name: str,
    way: Callable[[nn.Module, ImageData], object],
    data: ImageData,
    depths: Sequence[int],
    widths: Sequence[int],
    images: Sequence[int],
) -> None:
    """Measures a way along each dimension, the other two as they are for ResNet20 and `data`."""
    tell(name, "depth", {d: best_of(partial(way, network(d), data)) for d in depths})
    tell(name, "width", {w: best_of(partial(way, network(20, w), data)) for w in widths})
    tell(name, "images", {n: best_of(partial(way, network(), data_of(n))) for n in images})


def storing() -> None:
    """A candidate pair, their results and the decision, in stores of more and more nodes."""
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in NODES:
            path = Path(folder) / f"{count}.pex.db"
            make_store(path, count)
            with TreeStore.open(path) as store:
                leaf = store.newest(1, 1)[0]
                seconds[count] = best_of(partial(store_a_pair, store, leaf.id))
    tell("storing a pair", "nodes", seconds)


def store_a_pair(store: TreeStore, parent_id: int) -> None:
    edits = [{"structure": "layer", "blocks": ["layer1.1"]},
             {"structure": "filter", "filters": {"layer1.0.conv1": [1]}}]  # fmt: skip
    pair = store.add_candidates(parent_id, proposal={}, edits=edits)
    for node in pair:
        store.finish(node.id, "recovered", snapshot=bytes(100_000), metrics={"similarity": 0.9},
                     epochs=[], resamples=None, seconds=1.0)  # fmt: skip
    store.decide(parent_id, kept=[pair[0].id], suggested=pair[0].id, actor="cka", reason="so")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    execution = device.choose("cpu", parser.parse_args().threads)
    device.apply(execution)
    storing()
    computing(execution)


if __name__ == "__main__":
    main()
