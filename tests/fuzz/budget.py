"""How long a fuzzer goes on, and the seed of each of its rounds."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator


def rounds(seconds: float, seed: int = 0) -> Iterator[random.Random]:
    """A source of chance for each round, seeded by (seed, index), until the time is over.

    PE_FUZZ_SECONDS, where it is set, is the time instead.
    """
    end = time.monotonic() + float(os.environ.get("PE_FUZZ_SECONDS") or seconds)
    index = 0
    while time.monotonic() < end:
        yield random.Random(f"{seed} {index}")
        index += 1
