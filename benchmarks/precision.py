"""Would TF32 or bfloat16 rank structures as float32 does? Emulated bit by bit, on any machine.

Usage: python benchmarks/precision.py CHECKPOINT DATA [--images N] [--seed S] [--threads T]
A GPU's tensor cores multiply TF32 (10 bits of mantissa) or bfloat16 (7) and add up in float32; here
the inputs and weights of every convolution are rounded so, and then convolved in float32. Scores
every structure exactly with each, and prints how well the ranking agrees with float32's.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from scoring import agreement
from torch import Tensor, nn

from engine import load as load_network
from engine.data import load
from engine.data.splits import sample_per_class
from engine.pruning.criteria.kl import kl_scores
from engine.pruning.scores import Scores
from engine.pruning.structure import structure_of
from engine.runtime import device
from engine.runtime.progress import SILENT
from engine.tasks import ImageTask

MANTISSA_BITS = {"TF32": 10, "bfloat16": 7}
_convolve = nn.Conv2d._conv_forward


def rounded(values: Tensor, bits: int) -> Tensor:
    """float32 values to that many bits of mantissa, ties away from zero, as tensor cores do."""
    dropped = 23 - bits
    return (
        (values.view(torch.int32) + (1 << dropped - 1)) & ~((1 << dropped) - 1)
    ).view(torch.float32)  # fmt: skip


def convolve_in(bits: int | None) -> None:
    """From now on convolutions see inputs and weights of so many bits (None: all of them)."""

    def convolve(self: nn.Conv2d, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        assert bits is not None
        return _convolve(self, rounded(images, bits), rounded(weight, bits), bias)

    nn.Conv2d._conv_forward = _convolve if bits is None else convolve  # type: ignore[method-assign]


def flat(scores: Scores) -> np.ndarray:
    return np.array([value for values in scores.units.values() for value in values])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("data")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument("--threads", type=int)
    asked = parser.parse_args()
    execution = device.choose("cpu", asked.threads)
    device.apply(execution)
    model = load_network(asked.checkpoint).model.eval()
    data = load(asked.data)
    each = max(1, asked.images // len(data.classes))
    ids_N = sample_per_class(data.train.labels_N.numpy(), each, asked.seed)
    about = (ImageTask(data), torch.from_numpy(ids_N), execution, SILENT)
    exact = kl_scores(model, structure_of(model), *about)
    for name, bits in MANTISSA_BITS.items():
        convolve_in(bits)
        scores = kl_scores(model, structure_of(model), *about)
        convolve_in(None)
        spearman, overlap = agreement(exact, scores)
        some = flat(exact) > 1e-9
        off = np.median(np.abs(flat(scores) - flat(exact))[some] / flat(exact)[some])
        order = sorted(exact.blocks, key=exact.blocks.__getitem__)
        same = order == sorted(scores.blocks, key=scores.blocks.__getitem__)
        print(
            f"{name:8}: filters Spearman {spearman:.6f}, lowest tenth {overlap:.3f}, "
            f"off by {off:.1e} (median); blocks in {'the same' if same else 'another'} order"
        )


if __name__ == "__main__":
    main()
