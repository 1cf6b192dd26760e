"""Bytes changed at random: a checkpoint loads or is refused, and nothing else happens."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from networks import network
from safetensors.torch import save as to_safetensors

from engine.checkpoints import load
from engine.checkpoints.own_metadata import metadata_of
from engine.contracts.errors import CheckpointError
from engine.contracts.networks import Architecture, DataDescription

torch.set_num_threads(1)

NUM_EXAMPLES = 40  # of each kind of file
INTERESTING = np.array([0, 1, 0x2E, 0x4B, 0x52, 0x62, 0x68, 0x72, 0x7F, 0x80, 0xFF], dtype=np.uint8)


def _content() -> dict[str, Any]:
    arguments = {"stem_width": 2, "stage_widths": [2], "inner_widths": [[1]], "num_classes": 2}
    return {"state_dict": dict(network(arguments).state_dict()), "best": np.float64(1.5)}


def _saved(**options: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(_content(), stream, **options)
    return stream.getvalue()


def _mutated(data: bytes, generator: np.random.Generator, end: int | None = None) -> bytes:
    """The bytes with one to four changed before `end`, sometimes with a piece cut out."""
    changed = np.frombuffer(data, dtype=np.uint8).copy()
    for place in generator.integers(0, end or len(data), size=int(generator.integers(1, 5))):
        usual = generator.random() < 0.5
        changed[place] = generator.choice(INTERESTING) if usual else generator.integers(256)
    if generator.random() < 0.1:
        start = int(generator.integers(len(data)))
        changed = np.delete(changed, slice(start, start + int(generator.integers(1, 40))))
    return changed.tobytes()


def zip_file(generator: np.random.Generator) -> bytes:
    return _mutated(_saved(), generator)


def pickle_in_a_sound_zip(generator: np.random.Generator) -> bytes:
    """Past the checksums: the archive is right, its pickle is not."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(_saved())) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            wanted = name.endswith("data.pkl")
            new.writestr(name, _mutated(content, generator) if wanted else content)
    return stream.getvalue()


def legacy_file(generator: np.random.Generator) -> bytes:
    data = _saved(_use_new_zipfile_serialization=False)
    return data[:15] + _mutated(data[15:], generator)


def safetensors_file(generator: np.random.Generator) -> bytes:
    data = to_safetensors(_content()["state_dict"])
    header_end = 8 + int.from_bytes(data[:8], "little")
    return _mutated(data, generator, header_end if generator.random() < 0.7 else None)


def own_safetensors_file(generator: np.random.Generator) -> bytes:
    """One whose metadata name a network of ours; most changes are among those."""
    arguments = {"stem_width": 2, "stage_widths": [2], "inner_widths": [[1]], "num_classes": 2}
    metadata = metadata_of(Architecture("cifar_resnet", arguments), DataDescription(), {"a": 1.0})
    data = to_safetensors(network(arguments).state_dict(), metadata)
    header_end = 8 + int.from_bytes(data[:8], "little")
    return _mutated(data, generator, header_end if generator.random() < 0.7 else None)


KINDS = [zip_file, pickle_in_a_sound_zip, legacy_file, safetensors_file, own_safetensors_file]


def is_refused(path: Path, make: Any, seed: int) -> bool:
    """Whether a file of this kind and seed is refused; anything but a typed error is a failure."""
    path.write_bytes(make(np.random.default_rng(seed)))
    try:
        load(path)
    except CheckpointError as error:
        assert str(error).isprintable(), (seed, error)
        return True
    return False


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
@pytest.mark.filterwarnings("ignore")
def test_changed_bytes(tmp_path: Path, make: Any) -> None:
    refusals = sum(is_refused(tmp_path / "fuzzed.pt", make, seed) for seed in range(NUM_EXAMPLES))
    assert refusals > NUM_EXAMPLES // 4


@pytest.mark.soak
@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
@pytest.mark.filterwarnings("ignore")
def test_changed_bytes_for_a_minute(tmp_path: Path, make: Any) -> None:
    seed, end = int(time.time()), time.monotonic() + 60
    while time.monotonic() < end:
        is_refused(tmp_path / "fuzzed.pt", make, seed)
        seed += 1
