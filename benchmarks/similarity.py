"""Linear CKA of 10,000 images with 64 features: ours, and the plain ways; and 200 resamples.

Usage: python benchmarks/similarity.py [--images N] [--features D] [--threads T] [--measures]
With --measures: every measure of similarity instead, its time and that of 200 resamples, of narrow
and of wide features; and what linear and debiased CKA say of unrelated features.
The ways take turns (those that take a second three times only); medians, and how far each is from
float64. Public packages are measured too where they are installed (pip install ckatorch pytorch-cka
torch-cka tqdm): the first two take whole features; torch-cka makes an unbiased estimate in batches
of 256, for which another value is right.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from engine.measures.similarities import SIMILARITIES, alike, chance_level, compared, resampled
from engine.measures.similarities.cka import cka

ROUNDS, SLOW_ROUNDS = 7, 3


def by_features(x_ND: Tensor, y_NE: Tensor) -> float:
    """The feature form in float64, as in the notebook of Kornblith et al."""
    x_ND, y_NE = x_ND.double(), y_NE.double()
    x_ND, y_NE = x_ND - x_ND.mean(0), y_NE - y_NE.mean(0)
    cross = (x_ND.T @ y_NE).square().sum()
    return float(cross / ((x_ND.T @ x_ND).norm() * (y_NE.T @ y_NE).norm()))


def by_grams(x_ND: Tensor, y_NE: Tensor) -> float:
    """The Gram form with centring, Eq. 1 and 2 of the paper as most repositories write them."""
    k_NN, l_NN = _centred(x_ND @ x_ND.T), _centred(y_NE @ y_NE.T)
    return float((k_NN * l_NN).sum() / (k_NN.norm() * l_NN.norm()))


def _centred(gram_NN: Tensor) -> Tensor:
    return gram_NN - gram_NN.mean(0) - gram_NN.mean(1)[:, None] + gram_NN.mean()


def packages() -> dict[str, Callable[[Tensor, Tensor], float]]:
    """The public packages that are here."""
    ways: dict[str, Callable[[Tensor, Tensor], float]] = {}
    if base := _found("ckatorch.core", "cka_base"):
        ways["ckatorch 1.0"] = lambda x, y: float(base(x, y))
    if whole := _found("cka", "cka_from_features"):
        ways["pytorch-cka 1.1"] = lambda x, y: float(whole(x, y))
    if package := _found("torch_cka", "CKA"):
        ways["torch-cka 0.21, batches"] = lambda x, y: in_batches(package._HSIC, x, y)
    return ways


def _found(module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        print(f"{module} is left out: {error}")
        return None


def in_batches(hsic: Any, x_ND: Tensor, y_NE: Tensor) -> float:
    """As torch-cka's `compare` adds up its batches."""
    here, sums = SimpleNamespace(device="cpu"), [0.0, 0.0, 0.0]
    for x_BD, y_BE in zip(x_ND.split(256), y_NE.split(256), strict=True):
        k_BB, l_BB = ((z @ z.T).fill_diagonal_(0) for z in (x_BD, y_BE))
        for index, (a, b) in enumerate(((k_BB, l_BB), (k_BB, k_BB), (l_BB, l_BB))):
            sums[index] += abs(hsic(here, a, b))
    return sums[0] / (sums[1] * sums[2]) ** 0.5


def every_measure() -> None:
    """Times of each; those of resamples from some of them where a measure is slow."""
    generator = torch.Generator().manual_seed(0)
    for rows, width, num in ((5000, 64, 40), (2000, 2048, 2)):
        x_ND = torch.randn(rows, width, generator=generator).relu()
        y_ND = (x_ND + torch.randn(rows, width, generator=generator)).relu()
        targets_N = torch.randint(10, (rows,), generator=generator)
        for name, measure in SIMILARITIES.items():
            found = []
            for resamples in (0, num):
                started = time.perf_counter()
                value, _ = compared(measure, [(x_ND, y_ND)], resamples, 0, None, targets_N)
                found.append(time.perf_counter() - started)
            once, each = found[0], max(0.0, found[1] - found[0]) / num
            if each < 0.5 and num < 40:  # quick enough for more of them
                started = time.perf_counter()
                compared(measure, [(x_ND, y_ND)], 200, 0, None, targets_N)
                each = max(0.0, time.perf_counter() - started - once) / 200
            print(f"{rows:,} x {width:,} {name:20} {value:.4f} {once:8.2f} s, 200 resamples "
                  f"{200 * each:8.1f} s", flush=True)  # fmt: skip


def bias() -> None:
    """Of unrelated features."""
    for rows, width in ((5000, 64), (1000, 64), (2000, 512), (2000, 2048), (500, 2048)):
        generator = torch.Generator().manual_seed(0)
        x_ND, y_ND = (torch.randn(rows, width, generator=generator) for _ in range(2))
        both = [alike(SIMILARITIES[name], x_ND, y_ND) for name in ("cka", "cka-debiased")]
        print(f"{rows:,} x {width:,}: cka {both[0]:.4f} (chance level "
              f"{chance_level(x_ND, y_ND):.4f}), debiased {both[1]:.4f}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--measures", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    if asked.measures:
        bias()
        every_measure()
        return
    generator = torch.Generator().manual_seed(0)
    x_ND = torch.randn(asked.images, asked.features, generator=generator).relu()
    y_ND = (x_ND + torch.randn(asked.images, asked.features, generator=generator)).relu()
    ways: dict[str, Callable[[Tensor, Tensor], float]] = {
        "ours": lambda x, y: alike(cka, x, y),
        "features, float64": by_features, "Gram matrices, float32": by_grams,
        **packages(),
    }  # fmt: skip
    found: dict[str, list[float]] = {name: [] for name in ways}
    values = {}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            if len(found[name]) == SLOW_ROUNDS and min(found[name]) > 1e3:
                continue
            started = time.perf_counter()
            values[name] = way(x_ND, y_ND)
            found[name].append(1e3 * (time.perf_counter() - started))
    exact, first = values["features, float64"], statistics.median(found["ours"])
    for name, times in found.items():
        median = statistics.median(times)
        print(
            f"{name:26} {median:9.2f} ms {median / first:8.1f}x  off by {values[name] - exact:.1e}"
        )
    started = time.perf_counter()
    resampled(cka, x_ND[:5000], y_ND[:5000], 200, seed=0)
    print(f"200 resamples of 5,000 images: {time.perf_counter() - started:.2f} s")


if __name__ == "__main__":
    main()
