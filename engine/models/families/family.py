"""A family of networks for small images: how one is built, and recognised by its tensors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from torch import nn

from engine.contracts.json_values import JsonObject, JsonValue

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
Arguments: TypeAlias = dict[str, JsonValue]
# The last part of a tensor's name, in patterns of names.
LEAF = r"\.(weight|bias|running_mean|running_var|num_batches_tracked)"
WIDEST, MOST_BLOCKS, MOST_CLASSES = 2**16, 500, 100_000


class NotOfFamilyError(ValueError):
    """Tensors that look like a family's and are not; `remedy` where there is a better one."""

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(why)
        self.remedy = remedy


@dataclass(frozen=True)
class Variant:
    """Arguments that tensors do not show, as public code has them; the first one is the usual."""

    changes: tuple[tuple[str, JsonValue], ...] = ()
    words: str = "the usual layout"
    bn_eps: float = 1e-5

    def arguments(self) -> dict[str, JsonValue]:
        """What differs from the usual layout."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in self.changes}

    def describe(self) -> str:
        """The variant in a few words."""
        return self.words


@dataclass(frozen=True)
class Family:
    """All that is known of a family.

    `rename` gives the names of `make`'s tensors by those of a file that it knows; `looks` tells
    from shapes by our names whether they are a network of this family or meant as one, `infer` its
    arguments. `open` are arguments that no short name tells.
    """

    words: str
    make: Callable[..., nn.Module]
    rename: Callable[[Sequence[str]], dict[str, str]]
    looks: Callable[[Shapes], bool]
    infer: Callable[[Shapes], Arguments]  # raises NotOfFamilyError
    variants: Callable[[JsonObject], Sequence[Variant]]
    describe: Callable[[JsonObject], str]
    open: tuple[str, ...] = ()


# ------------------------------------------------------------ what families share


def check_whole(name: str, value: object, low: int, high: int) -> None:
    """Raises ValueError for an argument that is no whole number within bounds: it may come out of
    a file."""
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; it must be a whole number from {low} to {high:,}")


def check_widths(name: str, values: Sequence[int], low: int = 1, most: int = MOST_BLOCKS) -> None:
    """Raises ValueError for what is no list of widths."""
    if not isinstance(values, list | tuple) or len(values) > most:
        raise ValueError(f"{name} must be a list of at most {most} whole numbers")
    for value in values:
        check_whole(name, value, low, WIDEST)


def check_word(name: str, value: object, known: Sequence[object]) -> None:
    """Raises ValueError for a value that is none of the known ones."""
    if value not in known or type(value) not in map(type, known):
        told = ", ".join(map(repr, known))
        raise ValueError(f"{name} is {value!r}; it must be one of {told}")


def check_ends(num_classes: int, in_channels: int) -> None:
    """Raises ValueError for numbers of classes or channels out of bounds."""
    check_whole("num_classes", num_classes, 1, MOST_CLASSES)
    check_whole("in_channels", in_channels, 1, 4096)


def initialise(module: nn.Module) -> None:
    """Random weights that training begins well with."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def size(shapes: Shapes, name: str, axis: int = 0) -> int:
    """The length of a tensor's axis. Raises NotOfFamilyError where there is none."""
    shape = shapes.get(name)
    if shape is None:
        raise NotOfFamilyError(f"{name} is missing")
    if len(shape) <= axis or 0 in shape:
        told = "×".join(map(str, shape)) or "a single number"
        raise NotOfFamilyError(f"{name} is {told}")
    return shape[axis]


def renamed(names: Sequence[str], patterns: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The names that patterns match as a whole, with what the first such makes of them."""
    compiled = [(re.compile(pattern), ours) for pattern, ours in patterns]
    found = {}
    for name in names:
        for pattern, ours in compiled:
            match = pattern.fullmatch(name)
            if match is not None:
                found[name] = match.expand(ours)
                break
    return found


def numbers_behind(shapes: Shapes, prefix: str) -> list[int]:
    """The numbers that follow a prefix in the names, in order."""
    found = {re.match(re.escape(prefix) + r"(\d{1,4})\.", name) for name in shapes}
    return sorted({int(match[1]) for match in found if match is not None})


def in_a_row(numbers: Sequence[int], first: int, what: str) -> int:
    """How many there are. Raises NotOfFamilyError for gaps."""
    if list(numbers) != list(range(first, first + len(numbers))) or not numbers:
        told = ", ".join(map(str, numbers)) or "none"
        raise NotOfFamilyError(f"of its {what} {told} are there, not all from {first} on")
    return len(numbers)
