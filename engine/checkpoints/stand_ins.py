"""What a surveyed pickle's objects become: descriptions that do nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch


class Inert:
    """Stands for an object of a class that is not known to be harmless; takes in anything."""

    __slots__ = ("class_name",)

    def __init__(self, class_name: str) -> None:
        self.class_name = class_name

    def append(self, _: Any) -> None:
        """Ignored."""

    extend = add = update = append

    def __setitem__(self, _: Any, __: Any) -> None:
        """Ignored."""


@dataclass(frozen=True)
class Unsupported:
    """Stands for a tensor of a kind that is no weight here (`what`: "a sparse tensor")."""

    what: str


@dataclass(frozen=True)
class Elements:
    """What a storage or a tensor consists of; `dtype` is None for what is no weight here."""

    itemsize: int
    dtype: torch.dtype | None = None


@dataclass(frozen=True)
class Storage:
    """Stands for the storage of one or more tensors."""

    elements: Elements
    num_bytes: int
    key: str


@dataclass(frozen=True)
class PlainTensor:
    """Stands for a dense tensor whose elements all lie in its storage, each but once."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    key: str
    dtype: torch.dtype
