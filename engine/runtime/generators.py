"""Random generators of their own: what we draw never uses the global random state, and what
networks draw from it (dropout, paths that are dropped) is seeded."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from engine.contracts.seeds import derive


def generator(*parts: object) -> torch.Generator:
    """A CPU generator for these parts, e.g. (seed, "epoch", number)."""
    return torch.Generator().manual_seed(derive(*parts))


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """The global random states of torch (on that device too), NumPy and Python begin at a seed;
    afterwards they are as before."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    on_gpu = [device] if device is not None and device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=on_gpu):
            torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed every GPU
            random.seed(seed)
            np.random.seed(seed % 2**32)
            if on_gpu:
                with torch.cuda.device(device):
                    torch.cuda.manual_seed(seed)
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)
