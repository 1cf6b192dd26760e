"""The names of very many images in little room: they are sent to every process that loads them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

_ENCODING, _ERRORS = "utf-8", "surrogatepass"  # names of files may be any bytes


class Names:
    """Strings as one block of bytes; each is taken out by its number."""

    def __init__(self, names: Iterable[str]) -> None:
        encoded = [name.encode(_ENCODING, _ERRORS) for name in names]
        self._block = b"".join(encoded)
        self._ends_N = np.cumsum([0, *map(len, encoded)], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends_N) - 1

    def __getitem__(self, number: int) -> str:
        start, end = int(self._ends_N[number]), int(self._ends_N[number + 1])
        return self._block[start:end].decode(_ENCODING, _ERRORS)
