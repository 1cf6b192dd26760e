"""What rules do with labels: the state of one run, and the ways in which labels meet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from engine.pruning.structure.labels.call import Call
from engine.pruning.structure.labels.planes import (
    NOTHING,
    Info,
    along,
    compact,
    of_rank,
    varied,
)
from engine.pruning.structure.labels.union import Axis, Labels

NOT_MADE = "it meets values that no parameter has made"
SHARED = "the same numbers serve several units"
Rule = Callable[["Carrier", Call], list[Tensor]]


@dataclass
class Running:
    """A module that is being called, and how many calls within it have named sizes."""

    path: str
    num_sized: int = 0


class Carrier:
    """Which labels each tensor carries, and what became of them so far."""

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.stack: list[Running] = []
        self.batch = 0  # of the network's first input
        self.consumers: dict[Axis, list[str]] = defaultdict(list)  # -> modules that use it
        self.producers: dict[Axis, str] = {}  # -> conv, linear or table
        self.attention: list[Tensor] = []  # labels that were summed over in products of values
        self.aside: list[tuple[Tensor, Tensor]] = []  # see `meet`
        self.splits: list[Tensor] = []  # planes of axes that became several
        self.picked: list[tuple[Tensor, int]] = []  # planes of which one index was picked by number
        self._infos = WeakTensorKeyDictionary()

    def info(self, tensor: Tensor) -> Info:
        found: Info = self._infos.get(tensor, NOTHING)
        return found

    def planes(self, *tensors: Tensor) -> list[Tensor]:
        return [plane for tensor in tensors for plane in self.info(tensor).planes]

    def tell(self, tensor: Tensor, info: Info) -> None:
        self._infos[tensor] = info

    def freeze(self, planes: Iterable[Tensor], why: str) -> None:
        for plane in planes:
            self.labels.freeze(plane, why)

    # ---------------------------------------------------------------- labels meet

    def join(self, planes: Iterable[Tensor], rank: int) -> list[Tensor]:
        """The planes of a point-wise result: those that vary on a common axis become one."""
        joined: list[Tensor] = []
        for plane in planes:
            plane = of_rank(plane, rank)
            position = 0
            while position < len(joined):
                other = joined[position]
                if plane.numel() == other.numel() == 1 or varied(plane) & varied(other):
                    joined.pop(position)
                    plane, position = self._united(other, plane), 0
                else:
                    position += 1
            if (small := compact(plane)) is not None:
                joined.append(small)
        return joined

    def _united(self, a: Tensor, b: Tensor) -> Tensor:
        a, b = torch.broadcast_tensors(a, b)
        self.labels.unite(a, b)
        half = (a == 0) != (b == 0)
        if bool(half.any()):
            self.labels.freeze((a + b)[half], NOT_MADE)
        return torch.where(a != 0, a, b)

    def meet(self, tensors: Sequence[Tensor], rank: int) -> list[Tensor]:
        """The planes that meet in a point-wise operation.

        A constant (rotary angles, the weight of a norm inside heads) that is the same for several
        units is set aside: whether it is sliced with one of them or stays whole is known at the
        end (`settle`).
        """
        infos = [self.info(tensor) for tensor in tensors]
        dynamic = [of_rank(p, rank) for info in infos if info.is_dynamic for p in info.planes]
        kept = list(dynamic)
        for plane in (of_rank(p, rank) for i in infos if not i.is_dynamic for p in i.planes):
            axes = varied(plane)
            finer = [values for values in dynamic if axes < varied(values)]
            if axes and finer:
                self.aside += [(values, plane) for values in finer]
            else:
                kept.append(plane)
        return kept

    def mix(
        self, planes: Iterable[Tensor], axes: Iterable[int], why: str, keep: bool = False
    ) -> list[Tensor]:
        """The planes after an operation that mixes everything along these axes: what is mixed goes
        together or not at all (a whole head with its own norm; no channel of a layer norm)."""
        axes = list(axes)
        mixed = [(plane, self._mixed(plane, axes, why, keep)) for plane in planes]
        # A label that is left alone stood for all of its kind: it has no others to be told from.
        return [after for plane, after in mixed if after.numel() > 1 or plane.numel() == 1]

    def _mixed(self, plane: Tensor, axes: list[int], why: str, keep: bool) -> Tensor:
        for axis in axes:
            if plane.shape[axis] == 1:
                continue
            first = plane.narrow(axis, 0, 1)
            highest = plane.amax(axis, keepdim=True)
            self.labels.unite(plane, highest)
            self.labels.note(plane, why)
            bare = (plane == 0).any(axis, keepdim=True)
            if bool(bare.any()):  # mixed with what has no label
                self.labels.freeze(plane.masked_fill(~bare, 0), why)
            if not keep:  # the axis is reduced
                plane = torch.where(first != 0, first, highest)
        return plane

    def hold(self, out: Tensor, planes: Iterable[Tensor], why: str) -> None:
        """One number was made of all values: they are mixed only if values are made of it in turn.
        A network that looks whether its values are finite mixes nothing."""
        self.tell(out, Info(held=[(plane, why) for plane in planes]))

    def release(self, held: Iterable[tuple[Tensor, str]]) -> None:
        for plane, why in held:
            self._mixed(plane, sorted(varied(plane)), why, keep=True)

    # ---------------------------------------------------------------- products with weights

    def consume(
        self, weights: Sequence[Tensor], weight_axis: int, values: Sequence[Tensor], axis: int
    ) -> None:
        """A weight's input axis meets the labels of what it reads."""
        for plane in weights:
            columns = along(plane, weight_axis)[:, 0]
            if not values:
                self.labels.freeze(columns, NOT_MADE)
                continue
            user = self.stack[-1].path if self.stack else ""
            for name in dict.fromkeys(self.labels.axis_of(c) for c in columns.tolist() if c):
                self.consumers[name].append(user)
            for met in values:
                lines = along(met, axis)
                self.labels.unite(columns[:, None], lines)
                self.labels.freeze(columns[(lines == 0).any(1)], NOT_MADE)
        if not weights:
            self.freeze(values, "it is multiplied by a weight without an axis for it")

    def produce(self, planes: Iterable[Tensor], kind: str) -> None:
        for plane in planes:
            self.producers.setdefault(self.labels.axis_of(int(plane.max())), kind)

    # ---------------------------------------------------------------- the end of the run

    def settle(self) -> None:
        """What can be decided only when all labels have met."""
        before = -1
        while before != self.labels.num_unions:
            before = self.labels.num_unions
            for values, constant in self.aside:
                pairs, is_of_one = self._pairs(values, constant)
                self.labels.unite(pairs[is_of_one, 0], pairs[is_of_one, 1])
            for plane in self.splits:
                self._straighten(plane)
        for values, constant in self.aside:
            pairs, is_of_one = self._pairs(values, constant)
            self.labels.freeze(pairs[~is_of_one, 1], SHARED)
        for plane, axis in self.picked:
            roots = self.labels.find(plane)
            if bool((roots != roots.narrow(axis, 0, 1)).any()):
                self.labels.freeze(roots, "one of them is picked by its number")

    def _pairs(self, values: Tensor, constant: Tensor) -> tuple[Tensor, Tensor]:
        """Units and constants that met, and whether the constant is that of one unit alone."""
        a, b = torch.broadcast_tensors(self.labels.find(values), self.labels.find(constant))
        num_labels = len(self.labels.parents)
        coded = torch.unique(a.reshape(-1) * num_labels + b.reshape(-1))
        pairs = torch.stack([coded // num_labels, coded % num_labels], 1)
        pairs = pairs[(pairs != 0).all(1)]
        constants, counts = torch.unique(pairs[:, 1], return_counts=True)
        return pairs, torch.isin(pairs[:, 1], constants[counts == 1])

    def _straighten(self, plane: Tensor) -> None:
        """An axis became several (heads and their width, a shuffle of channels): what remains must
        be a rectangle again, so whole rows or whole columns go."""
        roots = compact(self.labels.find(plane))
        if roots is None or len(axes := varied(roots)) < 2:
            return
        *shorter, _ = sorted(axes, key=lambda axis: roots.shape[axis])
        for axis in shorter:
            self.labels.unite(roots, roots.narrow(axis, 0, 1))
            self.labels.note(roots, "a reshape needs as many of each")
