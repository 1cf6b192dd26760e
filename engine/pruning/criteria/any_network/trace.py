"""The order of a network's module calls, and what a run from one of them on needs of the others.

Operations are numbered as they run; a call knows how many ran before it began and before it ended.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from engine.models.outputs import output_of
from engine.pruning.criteria.any_network.values import first_tensor, tensors_in
from engine.runtime.dispatch import OperationMode
from engine.tasks import Inputs
from engine.tasks.batch import run_on, taken, tensors_of

Place = tuple[str, int]  # a module's path, and which of its calls within a forward pass


@dataclass(eq=False)
class Call:
    """One call of a module within a forward pass."""

    place: Place
    parent: Call | None
    start: int
    input_shape: tuple[int, ...] = ()  # of its first tensor
    input_bytes: int = 0
    end: int = -1
    order: int = -1  # in which calls end
    results: list[int] = field(default_factory=list)  # the numbers of its tensors
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    num_bytes: int = 0


@dataclass(frozen=True, eq=False)
class Cut:
    """A run from a call on: the outermost calls that are over by then (they give what they gave),
    those of them whose results are read again, and whether the inputs are."""

    place: Place
    over: tuple[Place, ...]
    needed: frozenset[Place]
    reads_inputs: bool
    largest_bytes: int  # of what one operation behind gives, for one item


class _Operations(OperationMode):
    """Numbers operations, and notes which values each reads.

    A value is a tensor until it is overwritten; then the tensor holds another one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.reads: dict[int, list[int]] = defaultdict(list)
        self.num_bytes: list[int] = []  # that each operation allocates
        self._numbers: Any = WeakTensorKeyDictionary()
        self._num_values = 0

    def number(self, tensor: Tensor, anew: bool = False) -> int:
        if anew or tensor not in self._numbers:
            self._numbers[tensor] = self._num_values
            self._num_values += 1
        return int(self._numbers[tensor])

    def read(self, tensor: Tensor) -> None:
        self.reads[self.number(tensor)].append(self.count)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        for value in given:
            self.read(value)
        out = func(*args, **kwargs)
        old = {value.untyped_storage().data_ptr() for value in given}
        made = [value for value in tree_leaves(out) if isinstance(value, Tensor)]
        storages = {value.untyped_storage().data_ptr(): value.untyped_storage() for value in made}
        self.num_bytes.append(sum(s.nbytes() for key, s in storages.items() if key not in old))
        for value, argument in zip(args, func._schema.arguments, strict=False):
            overwritten = argument.alias_info is not None and argument.alias_info.is_write
            if overwritten and isinstance(value, Tensor):
                self.number(value, anew=True)
        self.count += 1
        return out


class _Pass:
    """One forward pass, watched."""

    def __init__(self, network: nn.Module, inputs: Inputs) -> None:
        self.calls: list[Call] = []
        self.operations = _Operations()
        self._stack: list[Call] = []
        self._numbers: Counter[str] = Counter()
        with torch.no_grad(), self._hooks(network), self.operations:
            output = run_on(network, inputs)
            self.operations.read(output_of(output))
        self.inputs = [self.operations.number(tensor) for tensor in tensors_of(inputs)]

    @contextmanager
    def _hooks(self, network: nn.Module) -> Iterator[None]:
        handles = []
        for path, module in network.named_modules():

            def before(
                _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], path: str = path
            ) -> None:
                call = Call((path, self._numbers[path]), self._parent, self.operations.count)
                tensor = first_tensor(args, kwargs)
                if tensor is not None:
                    call.input_shape = tuple(tensor.shape)
                    call.input_bytes = tensor.numel() * tensor.element_size()
                self._numbers[path] += 1
                self._stack.append(call)

            handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
            handles.append(module.register_forward_hook(self._after))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @property
    def _parent(self) -> Call | None:
        return self._stack[-1] if self._stack else None

    def _after(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        call = self._stack.pop()
        call.end, call.order = self.operations.count, len(self.calls)
        for tensor in tensors_in(output):
            call.results.append(self.operations.number(tensor))
            call.shapes.append(tuple(tensor.shape))
            call.num_bytes += tensor.numel() * tensor.element_size()
        self.calls.append(call)


class Trace:
    """What a network's forward pass does, learnt from two of them, with two items and with three.

    Whatever the network's code raises comes through.
    """

    NUM_ITEMS = 3

    def __init__(self, network: nn.Module, three_items: Inputs) -> None:
        two, three = (_Pass(network, taken(three_items, slice(count))) for count in (2, 3))
        self._operations, self._inputs, self.calls = three.operations, three.inputs, three.calls
        self.by_place = {call.place: call for call in self.calls}
        self.num_calls = Counter(call.place[0] for call in self.calls)
        self.output_axes: dict[Place, list[int | None]] = {}
        self.input_axes: dict[Place, int | None] = {}
        before = {call.place: call for call in two.calls}
        for call in self.calls:
            twin = before.get(call.place)
            shapes = [] if twin is None else list(zip(twin.shapes, call.shapes, strict=False))
            axes = [_axis_of_items(*pair) for pair in shapes]
            self.output_axes[call.place] = axes
            self.input_axes[call.place] = (
                None if twin is None else _axis_of_items(twin.input_shape, call.input_shape)
            )

    @property
    def bytes_an_item(self) -> int:
        """That all operations allocate."""
        return sum(self._operations.num_bytes) // self.NUM_ITEMS

    def bytes_of(self, place: Place) -> int:
        """Of a call's results, for one item."""
        return self.by_place[place].num_bytes // self.NUM_ITEMS

    def input_bytes(self, place: Place) -> int:
        """Of a call's first tensor, for one item."""
        return self.by_place[place].input_bytes // self.NUM_ITEMS

    def first_call(self, paths: Sequence[str]) -> Place | None:
        """The first call of any of these modules; None where one of them is never called."""
        if not all(self.num_calls[path] for path in paths):
            return None
        places = [(path, number) for path in paths for number in range(self.num_calls[path])]
        return min(places, key=lambda place: self.by_place[place].start, default=None)

    def cut(self, place: Place, given: bool = False) -> Cut:
        """The run from a call on; `given`: what that call itself gives is known too."""
        here = self.by_place[place]
        open_calls, above = set(), here.parent
        while above is not None:
            open_calls.add(above)
            above = above.parent
        over = [
            call
            for call in self.calls
            if call.order < here.order and call.parent in open_calls and call not in open_calls
        ]
        not_run = _Spans([*over, here] if given else over)
        needed = {
            call.place for call in over if any(self._is_read(r, not_run) for r in call.results)
        }
        return Cut(
            place,
            tuple(call.place for call in over),
            frozenset(needed),
            any(self._is_read(number, not_run) for number in self._inputs),
            max(self._operations.num_bytes[here.start :], default=0) // self.NUM_ITEMS,
        )

    def _is_read(self, value: int, not_run: _Spans) -> bool:
        return any(operation not in not_run for operation in self._operations.reads.get(value, ()))


class _Spans:
    """The operations of some calls, none within another."""

    def __init__(self, calls: Sequence[Call]) -> None:
        spans = sorted((call.start, call.end) for call in calls if call.end > call.start)
        self._starts, self._ends = [s for s, _ in spans], [e for _, e in spans]

    def __contains__(self, operation: int) -> bool:
        position = bisect_right(self._starts, operation) - 1
        return position >= 0 and operation < self._ends[position]


def _axis_of_items(two: tuple[int, ...], three: tuple[int, ...]) -> int | None:
    """The one axis whose size follows the number of items."""
    if len(two) != len(three):
        return None
    axes = [axis for axis, (a, b) in enumerate(zip(two, three, strict=True)) if a != b]
    return axes[0] if len(axes) == 1 and two[axes[0]] * 3 == three[axes[0]] * 2 else None
