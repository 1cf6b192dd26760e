"""What every checkpoint file must come to, however it was made: a network or a typed error."""

from __future__ import annotations

import io
import random
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.checkpoints import load
from engine.contracts.errors import CheckpointError, UnknownFamilyError
from engine.models import build

MOST_SECONDS = 5.0  # of this process's work, whatever else the machine does
MOST_BYTES = 10**9
ARGUMENTS = {"stem_width": 2, "stage_widths": [2], "inner_widths": [[1]], "num_classes": 2}
CANARY = "a_module_that_nobody_imports"


def content() -> dict[str, Any]:
    """A small sound checkpoint with numbers beside its weights."""
    state = dict(build("cifar_resnet", ARGUMENTS).state_dict())
    return {"state_dict": state, "best_prec1": np.float64(91.5), "epoch": 3}


def saved(value: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream, **options)
    return stream.getvalue()


class Oracle:
    """Loads files and holds them to what is promised; counts what became of them."""

    def __init__(self, folder: Path, monkeypatch: Any) -> None:
        self.path = folder / "fuzzed.pt"
        self.marker = folder / "marker"
        modules = folder / "modules"
        modules.mkdir()
        write = f"import pathlib; pathlib.Path({str(self.marker)!r}).touch()\n"
        fire = "def fire(*a, **k):\n    " + write
        (modules / f"{CANARY}.py").write_text(write + fire)
        monkeypatch.syspath_prepend(str(modules))
        self.loaded = self.refused = 0
        self._memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    def check(self, data: bytes, suffix: str = ".pt") -> None:
        """Loads a file; anything but a network or a typed error within the bounds is a fault."""
        path = self.path.with_suffix(suffix)
        path.write_bytes(data)
        started = time.process_time()
        try:
            network = load(path)
        except (CheckpointError, UnknownFamilyError) as error:
            assert str(error).isprintable(), error
            self.refused += 1
        else:
            assert all(torch.isfinite(p).all() for p in network.model.parameters())
            self.loaded += 1
        assert time.process_time() - started < MOST_SECONDS
        assert not self.marker.exists(), "code of the file was run"

    def check_memory(self) -> None:
        """To be asked at the end: the peak is the whole process's."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        assert peak - self._memory < MOST_BYTES
        print(f"{self.loaded + self.refused:,} files: {self.loaded:,} loaded, "
              f"{self.refused:,} refused")  # fmt: skip


def with_changed_bytes(data: bytes, chance: random.Random, end: int | None = None) -> bytes:
    """One to four bytes changed before `end`, sometimes a piece cut out or put in."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        usual = chance.random() < 0.5
        value = chance.choice(b"\0\1.KRbhr\x7f\x80\xff") if usual else chance.randrange(256)
        changed[chance.randrange(end or len(data))] = value
    if chance.random() < 0.1:
        start = chance.randrange(len(changed))
        del changed[start : start + chance.randint(1, 40)]
    if chance.random() < 0.05:
        start = chance.randrange(len(changed) + 1)
        changed[start:start] = chance.randbytes(chance.randint(1, 40))
    return bytes(changed)
