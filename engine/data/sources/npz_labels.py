"""Labels as people keep them, as one integer an image. Shape legend: N images, K classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.contracts.errors import DataError

Labels = dict[str, np.ndarray]
NEEDED = "labels must be one integer an image"


def as_labels(file: str, found: Mapping[str, np.ndarray]) -> tuple[Labels, tuple[str, ...]]:
    """Integer labels of each split, and what was done to have them. Raises DataError."""
    labels, done = {}, set()
    for name, array in found.items():
        if array.size == 0:
            raise DataError(f"{name} in {file} is empty (shape {array.shape}); {NEEDED}")
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        elif array.ndim == 2 and _is_one_hot(array):
            array = array.argmax(axis=1)
            done.add("one-hot labels are read as the classes that they mark")
        if array.ndim != 1 or array.dtype.kind not in "iufb":
            raise _refused(file, name, found[name])
        labels[name] = _integers(file, name, array, done)
    return labels, tuple(sorted(done))


def shifted_to_zero(file: str, labels: Labels, num_classes: int) -> tuple[Labels, tuple[str, ...]]:
    """Labels of 1 to K as 0 to K - 1, where there are K names."""
    low = min(int(labels_N.min()) for labels_N in labels.values())
    high = max(int(labels_N.max()) for labels_N in labels.values())
    if (low, high) != (1, num_classes):
        return labels, ()
    told = f"labels count from 1 to {num_classes}: 1 was subtracted"
    return {name: labels_N - 1 for name, labels_N in labels.items()}, (told,)


def _is_one_hot(array_NK: np.ndarray) -> bool:
    """Whether each row has a single one among zeros."""
    if array_NK.shape[1] < 2 or array_NK.dtype.kind not in "iufb":
        return False
    values_ok = bool(((array_NK == 0) | (array_NK == 1)).all())
    return values_ok and bool((array_NK.sum(axis=1, dtype=np.int64) == 1).all())


def _integers(file: str, name: str, array_N: np.ndarray, done: set[str]) -> np.ndarray:
    if array_N.dtype.kind == "f":
        if not np.isfinite(array_N).all() or (array_N != np.rint(array_N)).any():
            raise _refused(file, name, array_N)
        done.add("labels of floating point are read as integers")
    low, high = array_N.min(), array_N.max()
    if low < -(2**62) or high > 2**62:
        raise DataError(f"{name} in {file} goes from {low} to {high}; {NEEDED}, from 0 on")
    return array_N.astype(np.int64)


def _refused(file: str, name: str, array: np.ndarray) -> DataError:
    remedy = ""
    if array.dtype.kind == "f" and array.ndim == 1:
        good = np.isfinite(array) & (array == np.rint(array))
        remedy = f", and {np.count_nonzero(~good):,} are none, {array[~good][0]} among them"
    elif array.dtype.kind in "US":
        remedy = f": classes, {name} = np.unique({name}, return_inverse=True)"
    elif array.ndim == 2:
        remedy = "; images with several labels each are not handled"
    return DataError(f"{name} in {file} is {array.dtype} of shape {array.shape}; {NEEDED}{remedy}")
