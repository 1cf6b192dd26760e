"""Arrays that go to other processes as a file which has no name: held once, however many read it.

Through the pipe that starts a process they would have whoever starts several wait for each in turn,
until it has imported torch and reads on.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from multiprocessing.context import get_spawning_popen
from multiprocessing.reduction import DupFd
from typing import IO, Any

import numpy as np


class SharedArray:
    """An array that nobody changes."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = np.ascontiguousarray(array)
        self._file: IO[bytes] | None = None

    def __getstate__(self) -> tuple[Any, ...]:
        if get_spawning_popen() is None:
            return (self.array,)
        try:
            if self._file is None:
                self._file = self._written()
        except OSError:  # no room there: through the pipe after all
            return (self.array,)
        return DupFd(self._file.fileno()), self.array.dtype, self.array.shape

    def _written(self) -> IO[bytes]:
        """Open as long as this is there: processes may start later."""
        file = tempfile.TemporaryFile()  # noqa: SIM115
        file.write(self.array.tobytes())
        file.flush()
        return file

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._file = None
        if len(state) == 1:
            (self.array,) = state
            return
        duplicate, dtype, shape = state
        descriptor = duplicate.detach()
        try:
            size = os.fstat(descriptor).st_size
            content = mmap.mmap(descriptor, size, prot=mmap.PROT_READ) if size else b""
        finally:
            os.close(descriptor)
        self.array = np.frombuffer(content, dtype=dtype).reshape(shape)
