"""Odd and damaged .npz and IDX files: a data set, or words."""

from __future__ import annotations

import gzip
import random
import warnings

import numpy as np
import pytest
from budget import rounds
from data_files import IDX, arrays, idx_bytes
from data_fuzz import accepted, damaged, fuzzed

from engine.data import load

pytestmark = pytest.mark.slow

KEYS = ("x_train", "y_train", "x_test", "y_test")
MORE_KEYS = ("x_val", "y_val", "classes", "flips", "unused", "train_images", "X_TRAIN")
TYPES = [
    "u1",
    "i1",
    "u2",
    "i4",
    "<i8",
    ">i8",
    "u8",
    "f2",
    "f4",
    "f8",
    "c8",
    "?",
    "S3",
    "U4",
    "M8[D]",
]


def any_array(source: random.Random) -> np.ndarray:
    """An array of any type and shape."""
    shape = source.choices((0, 1, 2, 3, 4, 8, 30), k=source.choice((0, 1, 1, 2, 3, 4, 4, 5)))
    while np.prod(shape, dtype=float) > 10**6:
        shape.pop()
    values = np.random.default_rng(source.randrange(2**32)).integers(-3, 300, shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array = values.astype(source.choice(TYPES))
        if array.dtype.kind == "f" and source.random() < 0.5:
            array = array / array.dtype.type(source.choice((255, 0, 3)))
    return array


def usual(source: random.Random) -> dict[str, np.ndarray]:
    """Arrays as they should be, in one of the accepted forms."""
    size, classes, channels = source.choice((1, 4, 8)), source.choice((2, 3)), source.choice((1, 3))
    x, y = arrays(24, size, classes, channels)
    content = {"x_train": x, "y_train": y, "x_test": x[:12], "y_test": y[:12]}
    change = source.randrange(6)
    for key in KEYS:
        if key.startswith("x") and change == 1:
            content[key] = content[key].transpose(0, 3, 1, 2)
        elif key.startswith("x") and change == 2:
            content[key] = content[key] / np.float32(255)
        elif key.startswith("y") and change == 3:
            content[key] = content[key][:, None].astype(np.float64)
        elif key.startswith("y") and change == 4:
            content[key] = np.eye(classes)[content[key]]
    return content


@pytest.mark.filterwarnings("ignore")
def test_any_npz_is_a_data_set_or_words(tmp_path):
    path = tmp_path / "a.npz"

    def one(source: random.Random) -> bool:
        content = usual(source)
        for _ in range(source.choice((0, 0, 1, 1, 2, 4))):
            key = source.choice((*KEYS, *KEYS, *MORE_KEYS))
            content[key] = any_array(source)
        if source.random() < 0.1:
            del content[source.choice(list(content))]
        save = source.choice((np.savez, np.savez_compressed))
        save(path, **content)
        if source.random() < 0.5:
            path.write_bytes(damaged(path.read_bytes(), source))
        return accepted(lambda: load(str(path)))

    report = fuzzed(rounds(20), one, tmp_path / "log")
    assert not report.faults, "\n".join(report.faults)
    assert 0 < report.accepted < report.tries


@pytest.mark.filterwarnings("ignore")
def test_any_idx_folder_is_a_data_set_or_words(tmp_path):
    x, y = arrays(24, 4, 3, 1)
    whole = {"x_train": x[..., 0], "y_train": y, "x_test": x[:12, ..., 0], "y_test": y[:12]}

    def one(source: random.Random) -> bool:
        for key, name in IDX.items():
            content = idx_bytes(whole[key])
            if source.random() < 0.3:
                content = damaged(content, source)
            if source.random() < 0.3:
                content = gzip.compress(content, 1)
                if source.random() < 0.4:
                    content = damaged(content, source)
            (tmp_path / name).write_bytes(content)
        return accepted(lambda: load(str(tmp_path)))

    report = fuzzed(rounds(10), one, tmp_path / "log")
    assert not report.faults, "\n".join(report.faults)
    assert 0 < report.accepted < report.tries
