"""The names of very many images in little room: each process that loads images has them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from engine.data.streaming.shared import SharedArray

_ENCODING, _ERRORS = "utf-8", "surrogatepass"  # names of files may be any bytes


class Names:
    """Strings as one block of bytes; each is taken out by its number."""

    def __init__(self, names: Iterable[str]) -> None:
        encoded = [name.encode(_ENCODING, _ERRORS) for name in names]
        self._block = SharedArray(np.frombuffer(b"".join(encoded), np.uint8))
        self._ends = SharedArray(np.cumsum([0, *map(len, encoded)], dtype=np.int64))

    def __len__(self) -> int:
        return len(self._ends.array) - 1

    def __getitem__(self, number: int) -> str:
        start, end = int(self._ends.array[number]), int(self._ends.array[number + 1])
        return self._block.array[start:end].tobytes().decode(_ENCODING, _ERRORS)
