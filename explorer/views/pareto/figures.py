"""The figures of a run's nodes for an axis, by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from explorer.views.disturbed import disturbed
from explorer.views.node_view import NodeView
from explorer.views.tree.node import TreeNode
from store import TreeStore

Values = Mapping[str, float]
_MOST_VALUES = 600_000  # of a measure: those of the newest nodes
_ENOUGH = 16_000  # where only nodes that are drawn are asked for, which are the newest ones
_WIDTH_95 = 2 * 1.959964  # standard deviations between the ends of a 95 % interval


class Measured(Protocol):
    """Where figures come from: all of a measure at once, by the names of the nodes."""

    def of(self, key: str, most: int = ...) -> Values: ...

    def epochs(self) -> Mapping[str, int]: ...


class StoredFigures:
    """Figures of a run as its store has them now."""

    def __init__(self, store: TreeStore, run_id: int) -> None:
        self._store, self._run_id = store, run_id

    def of(self, key: str, most: int = _MOST_VALUES) -> Values:
        found = dict(self._store.measured(self._run_id, key, most))
        root = self._store.node(self._run_id, "R").metrics.get(key)
        return found if root is None else {"R": root, **found}

    def epochs(self) -> Mapping[str, int]:
        return self._store.epochs_trained(self._run_id)


class ShownFigures:
    """Figures of nodes as they are shown, such as at a moment of the past; how long they were
    trained is known for now only."""

    def __init__(self, shown: Iterable[NodeView], epochs: Callable[[], Mapping[str, int]]) -> None:
        self._shown, self._epochs = tuple(shown), epochs

    def of(self, key: str, most: int = _MOST_VALUES) -> Values:
        found = ((node.name, node.metrics.get(key)) for node in self._shown)
        return {name: value for name, value in found if value is not None}

    def epochs(self) -> Mapping[str, int]:
        return self._epochs()


class Ratio(NamedTuple):
    """A latency over the root's, with its 95 % interval where every step has one."""

    value: float
    low: float | None
    high: float | None
    steps: int

    @property
    def is_uncertain(self) -> bool:
        """Whether the ends of the interval are so far apart that the value says little."""
        return disturbed(self.low, self.high)


Nodes = Mapping[str, TreeNode]  # in the order they came, parents first


def values_of(axis: str, nodes: Nodes, measured: Measured, names: Iterable[str] = ()) -> Values:
    """The figures of the nodes that have one on this axis; where names are given, of these at
    least."""
    wanted = nodes if axis in _ALONG else {name: nodes[name] for name in names} or nodes
    found = _OF[axis](wanted, measured)
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _brief(key: str) -> Callable[[Nodes, Measured], Values]:
    def read(nodes: Nodes, measured: Measured) -> Values:
        pairs = ((name, node.measure(key)) for name, node in nodes.items())
        return {name: value for name, value in pairs if value is not None}

    return read


def _stored(key: str) -> Callable[[Nodes, Measured], Values]:
    return lambda nodes, measured: measured.of(key, _ENOUGH)


def _change(read: Callable[[Nodes, Measured], Values]) -> Callable[[Nodes, Measured], Values]:
    """How much a figure differs from the root's; nothing where the root has none."""

    def changed(nodes: Nodes, measured: Measured) -> Values:
        values = read(nodes, measured)
        root = values.get("R")
        return {} if root is None else {name: value - root for name, value in values.items()}

    return changed


def _params_removed(nodes: Nodes, measured: Measured) -> Values:
    values = measured.of("params", _ENOUGH)
    root = values.get("R")
    return {} if not root else {name: 100 * (1 - v / root) for name, v in values.items()}


def _latency(nodes: Nodes, measured: Measured) -> Values:
    return {name: ratio.value for name, ratio in latencies(nodes, measured).items()}


def latencies(nodes: Nodes, measured: Measured) -> Mapping[str, Ratio]:
    """Each node's latency over the root's: the product of the ratios of the steps down to it.

    A node is measured in turns with its parent only. Both networks of a step are the same on either
    side of the product whatever their weights, so ratios multiply; the errors of their logarithms
    add up, and the interval says so. A step without a ratio has no node below it compared.
    """
    ratio, low, high = (measured.of(f"latency_ratio{end}") for end in ("", "_low", "_high"))
    found: dict[str, tuple[float, float | None, int]] = {}  # logarithm, its variance, steps
    for name, node in nodes.items():
        if node.parent is None:
            found[name] = (0.0, 0.0, 0)
            continue
        above, own = found.get(node.parent), ratio.get(name)
        if above is None or own is None or not 0 < own < math.inf:
            continue
        variance = _variance(low.get(name), high.get(name))
        total = None if above[1] is None or variance is None else above[1] + variance
        found[name] = (above[0] + math.log(own), total, above[2] + 1)
    return {name: _ratio(*each) for name, each in found.items()}


def _variance(low: float | None, high: float | None) -> float | None:
    """That of a ratio's logarithm, from the ends of its interval."""
    if low is None or high is None or not 0 < low <= high < math.inf:
        return None
    return ((math.log(high) - math.log(low)) / _WIDTH_95) ** 2


def _ratio(logarithm: float, variance: float | None, steps: int) -> Ratio:
    value = math.exp(logarithm)
    if variance is None:
        return Ratio(value, None, None, steps)
    reach = math.exp(math.sqrt(variance) * _WIDTH_95 / 2)
    return Ratio(value, value / reach, value * reach, steps)


def _epochs(nodes: Nodes, measured: Measured) -> Values:
    """Epochs along the way from the root; its own training, which made it what it is, is no part
    of them."""
    own, found = measured.epochs(), {}
    for name, node in nodes.items():
        if node.parent is None:
            found[name] = 0.0
        elif node.parent in found and (name in own or node.val_accuracy is not None):
            found[name] = found[node.parent] + own.get(name, 0)
    return found


def _depth(nodes: Nodes, measured: Measured) -> Values:
    found: dict[str, float] = {}
    for name, node in nodes.items():
        found[name] = 0.0 if node.parent is None else found.get(node.parent, 0.0) + 1
    return found


_OF: Mapping[str, Callable[[Nodes, Measured], Values]] = {
    "test-change": _change(_stored("test_accuracy")),
    "test": _stored("test_accuracy"),
    "val": _brief("val_accuracy"),
    "val-change": _change(_brief("val_accuracy")),
    "similarity": _brief("similarity"),
    "macs": _brief("macs_reduction"),
    "params": _params_removed,
    "latency": _latency,
    "epochs": _epochs,
    "depth": _depth,
}
_ALONG = ("latency", "epochs", "depth")  # what a node has follows from those above it
