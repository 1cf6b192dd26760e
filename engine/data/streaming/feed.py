"""Batches of pixels out of processes that read and decode ahead. Shape legend: B images of a batch.

What a batch holds follows from what was asked for, not from who prepares it or how many there are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from engine.contracts import seeds
from engine.contracts.errors import DataError, EngineError, SettingsError
from engine.contracts.loaders import MOST_WORKERS, WORKERS_VARIABLE
from engine.contracts.message_text import shown
from engine.contracts.with_parent import end_with
from engine.data.sources.raster import NotAnImage
from engine.data.sources.source import Place
from engine.data.streaming.contents import Contents, checksum
from engine.data.streaming.names import Names
from engine.data.streaming.preparing import Draws, Preparation, check_shape

AHEAD = 2  # batches that each process prepares before they are asked for
USUAL_MOST = 16  # processes, where nobody says how many


def num_workers_here() -> int:
    """How many processes load images: as a person says, else half of the cores; the others compute.

    Raises SettingsError.
    """
    said = os.environ.get(WORKERS_VARIABLE)
    if not said:
        return max(1, min(USUAL_MOST, (os.cpu_count() or 2) // 2))
    if not (said.isascii() and said.isdecimal() and int(said[:9]) <= MOST_WORKERS):
        raise SettingsError(
            f"{WORKERS_VARIABLE} is {shown(said)}; it must be a whole number from 0 to "
            f"{MOST_WORKERS}"
        )
    return int(said)


@dataclass(frozen=True, eq=False)
class Wanted:
    """Images of one batch by their numbers in a split; trained on where there is a seed."""

    split: str
    numbers_B: np.ndarray
    seed: int | None = None
    fill: tuple[int, ...] = ()

    def draws(self, number: int) -> Draws | None:
        """What is drawn for one image: by its number, not by its place in a batch."""
        return None if self.seed is None else Draws(seeds.derive(self.seed, number), self.fill)


@dataclass(frozen=True, eq=False)
class Encoded:
    """The images of one split: what they are called, what is known of each, and where they lie
    unless that is where all others do."""

    names: Names
    contents: Contents
    place: Place | None = None


@dataclass(frozen=True)
class _Failure:
    """What went wrong with an image, told across processes."""

    words: str


class Batches(Dataset[np.ndarray]):
    """Prepares one batch; what a loading process holds."""

    def __init__(
        self,
        place: Place,
        splits: Mapping[str, Encoded],
        preparation: Preparation,
        shape_HWC: tuple[int, int, int],
    ) -> None:
        self.place, self.splits = place, splits
        self.preparation, self.shape_HWC = preparation, shape_HWC

    def prepared(self, wanted: Wanted) -> np.ndarray:
        """The pixels of a batch (B, H, W, C). Raises DataError naming the image."""
        pixels_BHWC = np.empty((len(wanted.numbers_B), *self.shape_HWC), np.uint8)
        split = self.splits[wanted.split]
        for position, number in enumerate(wanted.numbers_B.tolist()):
            pixels_BHWC[position] = self._one(split, number, wanted.draws(number))
        return pixels_BHWC

    def _one(self, split: Encoded, number: int, draws: Draws | None) -> np.ndarray:
        name = split.names[number]
        content = (split.place or self.place).read(name)
        if checksum(content) != split.contents.checksum(number):
            raise DataError(
                f"{shown(name)} has changed since the images were looked through; bring back what "
                "it was (what an image changes to is only seen where its size or time changes too)"
            )
        try:
            pixels_HWC = self.preparation(content, draws)
            check_shape(pixels_HWC, self.shape_HWC)
        except NotAnImage as error:
            raise DataError(
                f"{shown(name)} cannot be read as an image: it {error}; remove or replace it"
            ) from error
        except DataError as error:
            raise DataError(f"{shown(name)}: {error}") from error
        return pixels_HWC

    def __getitem__(self, wanted: Wanted) -> np.ndarray | _Failure:  # type: ignore[override]
        try:
            return self.prepared(wanted)
        except DataError as error:
            return _Failure(str(error))  # as an error it would cross with a traceback in its words


class _Plan(Sampler[Wanted]):
    """What the next pass through the loader asks for."""

    def __init__(self) -> None:
        self.wanted: Iterable[Wanted] = ()

    def __iter__(self) -> Iterator[Wanted]:
        return iter(self.wanted)


def _as_it_is(batch: Any) -> Any:
    """Arrays go through a pipe, not through /dev/shm, which containers keep small."""
    return batch


def _begin(parent: int, _: int) -> None:
    end_with(parent)


class Feed:
    """Processes that prepare batches, from the first one that is asked for until it is dropped."""

    def __init__(self, batches: Batches, num_workers: int) -> None:
        self._batches, self._num_workers = batches, num_workers
        self._plan = _Plan()
        self._passes = 0
        self._loader: DataLoader[np.ndarray] | None = None

    def now(self, wanted: Wanted) -> torch.Tensor:
        """The pixels of one batch, prepared in this process. Raises DataError."""
        return torch.from_numpy(self._batches.prepared(wanted))

    def __call__(self, wanted: Iterable[Wanted]) -> Iterator[torch.Tensor]:
        """The pixels of these batches in their order, one pass at a time.

        Raises DataError naming an image, EngineError where a process was killed.
        """
        self._plan.wanted = wanted
        self._passes += 1
        this_pass = self._passes
        if self._loader is None:
            self._loader = self._made()
        batches = iter(self._loader)
        while True:
            assert this_pass == self._passes, "a pass was begun in the middle of another"
            try:
                batch = next(batches)
            except StopIteration:
                return
            except RuntimeError as error:
                if "DataLoader worker" not in str(error):
                    raise
                self._loader = None
                raise EngineError(
                    "a process that loads images was killed, out of memory it may be; try again "
                    "with fewer of them (--loader-workers), 0 for none"
                ) from error
            if isinstance(batch, _Failure):
                raise DataError(batch.words)
            yield torch.from_numpy(batch)

    def _made(self) -> DataLoader[np.ndarray]:
        """This process has threads, so none of the others is a copy of it (fork)."""
        several = self._num_workers > 0
        return DataLoader(
            self._batches,
            batch_size=None,
            sampler=self._plan,
            num_workers=self._num_workers,
            collate_fn=_as_it_is,
            multiprocessing_context="spawn" if several else None,
            persistent_workers=several,
            prefetch_factor=AHEAD if several else None,
            worker_init_fn=partial(_begin, os.getpid()),
            generator=torch.Generator(),  # else it draws from the global one
        )
