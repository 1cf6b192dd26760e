"""torch's fast path of attention, which passes modules by: nothing sees what it computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def attention_in_the_open() -> Iterator[None]:
    """Without the fast path: hooks hear every module, and every operation is counted."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
