"""A program of torch.export as a module: its operations in order, in modules by their paths.

Its nodes are plain values, for they stand in the arguments of a network that a store or a
checkpoint describes: `op` (a name of OPERATIONS or MODULES, or `tensor`), `args` and `kwargs`
(plain values; a mapping {"v": n} is what node n gave, {"v": n, "k": k} the k-th of several), `at`
(the path of the module it stood in) and, where it has weights, `module` and `made` (its path, and
what makes it).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from engine.models.exported.operations import MODULES, OPERATIONS, check_plain

MOST_NODES = 20_000
MOST_ELEMENTS = 2**30
_PATH = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+){0,30}")
IMAGES = -1  # the number of what the program is given


@dataclass
class _Step:
    """One node, or a run of nodes that a module of its own carries out."""

    number: int
    child: str = ""  # the module that does it, by its path here
    op: str = ""
    args: Any = ()
    kwargs: Any = field(default_factory=dict)
    gives: tuple[int, ...] = ()  # of a run of nodes


class Run(nn.Module):
    """Some steps of a program: what they need goes in, what others need comes out."""

    def __init__(self, takes: Sequence[int], gives: Sequence[int]) -> None:
        super().__init__()
        self.takes, self.gives = tuple(takes), tuple(gives)
        self.steps: list[_Step] = []

    def forward(self, *given: Any) -> Any:
        values: dict[int, Any] = dict(zip(self.takes, given, strict=True))
        for step in self.steps:
            args = _with_values(step.args, values)
            if step.op == "tensor":
                path, _, name = step.child.rpartition(".")
                made = getattr(self.get_submodule(path), name)
            elif step.child:
                made = self.get_submodule(step.child)(*args)
            else:
                made = OPERATIONS[step.op](*args, **_with_values(step.kwargs, values))
            if len(step.gives) > 1:
                values.update(zip(step.gives, made, strict=True))
            else:
                values[step.number] = made
        found = [values[number] for number in self.gives]
        return found[0] if len(found) == 1 else tuple(found)


def _with_values(told: Any, values: Mapping[int, Any]) -> Any:
    """Arguments with what nodes gave in the place of their numbers."""
    if isinstance(told, Mapping):
        if "v" not in told:
            return {name: _with_values(value, values) for name, value in told.items()}
        value = values[told["v"]]
        return value[told["k"]] if "k" in told else value
    if isinstance(told, list | tuple):
        return [_with_values(value, values) for value in told]
    return told


class ExportedProgram(Run):
    """A whole program: images in, what node `output` gives out."""

    def __init__(self, *, nodes: Sequence[Mapping[str, Any]], output: int) -> None:
        super().__init__((IMAGES,), (output,))
        _check(nodes, output)
        modules = [node["module"] for node in nodes if "module" in node]
        # A module that runs twice may not stand in two others.
        nested = len(set(modules)) == len(modules)
        _Builder(nodes).fill(self, range(len(nodes)), "", nested)
        for node in nodes:
            if node["op"] == "tensor":
                _place(self, node["module"], _tensor(node["made"]))


def _check(nodes: Sequence[Mapping[str, Any]], output: int) -> None:
    """Raises ValueError for what is no program."""
    if not isinstance(nodes, list | tuple) or not 0 < len(nodes) <= MOST_NODES:
        raise ValueError(f"a program has 1 to {MOST_NODES:,} nodes")
    for number, node in enumerate(nodes):
        check_plain(node)
        op = node["op"]
        if op not in OPERATIONS and op not in MODULES and op != "tensor":
            raise ValueError(f"a program does {str(op)[:80]!r}, which is not known here")
        for path in (node.get("at", ""), node.get("module", "")):
            if path and not _PATH.fullmatch(path):
                raise ValueError(f"a module of a program is called {path[:80]!r}")
        if any(not IMAGES <= used < number for used in _used(node)):
            raise ValueError(f"node {number} of a program uses what is not there yet")
    if type(output) is not int or not 0 <= output < len(nodes):
        raise ValueError("a program gives what none of its nodes does")


def _used(told: Any) -> Iterator[int]:
    """The numbers of the nodes whose values are among arguments."""
    if isinstance(told, Mapping):
        if type(told.get("v")) is int:
            yield told["v"]
            return
        told = list(told.values())
    if isinstance(told, list | tuple):
        for inner in told:
            yield from _used(inner)


class _Builder:
    def __init__(self, nodes: Sequence[Mapping[str, Any]]) -> None:
        self.nodes = nodes
        self.uses: dict[int, list[int]] = {}
        for number, node in enumerate(nodes):
            for used in {*_used(node["args"]), *_used(node.get("kwargs", {}))}:
                self.uses.setdefault(used, []).append(number)

    def fill(self, run: Run, numbers: range, at: str, nested: bool) -> None:
        """Gives a run its steps and modules: nodes of one module that stand together become a run
        of their own below it."""
        for part, span in self._spans(run, numbers, at, nested):
            if not part:
                run.steps.append(self._step(run, span.start, at))
                continue
            takes, gives = self._ends(span, run.gives)
            inner = Run(takes, gives)
            run.steps.append(_Step(gives[0], part, args=[{"v": n} for n in takes], gives=gives))
            _place(run, part, inner)
            self.fill(inner, span, f"{at}.{part}" if at else part, nested)

    def _spans(
        self, run: Run, numbers: range, at: str, nested: bool
    ) -> Iterator[tuple[str, range]]:
        """The nodes one by one, or as runs of the modules right below a path."""
        parts = [self._part(number, at) if nested else "" for number in numbers]
        starts = [k for k in range(len(parts)) if k == 0 or parts[k] != parts[k - 1]]
        times = Counter(parts[k] for k in starts)
        for start, end in zip(starts, [*starts[1:], len(parts)], strict=True):
            part, first = parts[start], numbers[0] + start
            is_run = part and end - start > 1 and times[part] == 1
            if is_run and self._ends(range(first, numbers[0] + end), run.gives)[1]:
                yield part, range(first, numbers[0] + end)
            else:
                yield from (("", range(n, n + 1)) for n in range(first, numbers[0] + end))

    def _part(self, number: int, at: str) -> str:
        path = self.nodes[number].get("at", "")
        if self.nodes[number]["op"] == "tensor" or (at and not path.startswith(f"{at}.")):
            return ""
        return str(path[len(at) + 1 if at else 0 :].partition(".")[0])

    def _ends(self, span: range, gives: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What the nodes of a span use of others, and what others use of them."""
        used = {u for n in span for u in (*_used(self.nodes[n]["args"]),
                                          *_used(self.nodes[n].get("kwargs", {})))}  # fmt: skip
        takes = sorted(number for number in used if number not in span)
        given = [n for n in span if n in gives or any(u not in span for u in self.uses.get(n, ()))]
        return tuple(takes), tuple(given)

    def _step(self, run: Run, number: int, at: str) -> _Step:
        node = self.nodes[number]
        below = at.count(".") + 1 if at else 0
        if node["op"] == "tensor":
            return _Step(number, node["module"], "tensor")
        if "module" not in node:
            return _Step(number, "", node["op"], node["args"], node.get("kwargs", {}))
        path = ".".join(node["module"].split(".")[below:])
        if not _is_there(run, path):
            _place(run, path, MODULES[node["op"]](node["made"]))
        return _Step(number, path, args=node["args"])


def _tensor(made: Mapping[str, Any]) -> Tensor | nn.Parameter:
    shape = [int(size) for size in made["shape"]]
    if any(size < 0 for size in shape) or torch.Size(shape).numel() > MOST_ELEMENTS:
        raise ValueError(f"a tensor of a program has the shape {shape[:8]}")
    if made["is_parameter"]:
        return nn.Parameter(torch.zeros(shape))
    return torch.zeros(shape, dtype=torch.float32 if made["is_float"] else torch.int64)


def _is_there(run: nn.Module, path: str) -> bool:
    try:
        run.get_submodule(path)
    except AttributeError:
        return False
    return True


def _place(run: nn.Module, path: str, what: nn.Module | Tensor) -> None:
    """Puts a module, a parameter or a buffer where its path says."""
    *parents, name = path.split(".")
    parent = run
    for part in parents:
        if part not in dict(parent.named_children()):
            parent.add_module(part, nn.Module())
        parent = parent.get_submodule(part)
    if name in dict(parent.named_children()):
        raise ValueError(f"two modules of a program are called {path[:80]!r}")
    if isinstance(what, nn.Module):
        parent.add_module(name, what)
    elif isinstance(what, nn.Parameter):
        parent.register_parameter(name, what)
    else:
        parent.register_buffer(name, what)
