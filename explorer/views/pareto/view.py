"""What the Pareto plot shows of a run: own nodes and published results, like with like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from engine.contracts.errors import UsageError
from engine.contracts.near import did_you_mean
from engine.contracts.settings import Settings
from explorer.views.counting import counted
from explorer.views.pareto.axes import AXES, X_AXES, Y_AXES, Axis, called_by
from explorer.views.pareto.figures import Measured, Nodes, Ratio, latencies, values_of
from explorer.views.pareto.frontier import frontier
from explorer.views.published.result import KINDS, PublishedResult
from explorer.views.tree.node import TreeNode

if TYPE_CHECKING:  # what is published is read after the first paint
    from explorer.views.published.fitting import Fitting, Subject

MOST_POINTS = 2_000  # kept ones and others each
Which = Literal["none", "primary", "all"]
WHICH: tuple[Which, ...] = ("none", "primary", "all")
# Kinds of points, those that are drawn over the others last.
OWN_KINDS = ("rejected", "undecided", "kept", "best")
KINDS_DRAWN = ("quoted", "rerun", "primary", *OWN_KINDS)
MARKS: Mapping[str, str] = {
    "best": "★", "kept": "●", "undecided": "◇", "rejected": "○",
    "primary": "▲", "rerun": "△", "quoted": "▵",
}  # fmt: skip
OWN = "own"  # the frontier of one's own nodes; those of published results are called by their kind


@dataclass(frozen=True)
class Choice:
    """What a person wants on the axes, and which published results; y is empty until they say."""

    x: str = "macs"
    y: str = ""
    published: Which = "primary"


@dataclass(frozen=True, slots=True)
class Point:
    """A node, or a published result, at its place."""

    x: float
    y: float
    kind: str  # of KINDS_DRAWN
    name: str
    result: PublishedResult | None = None
    latency: Ratio | None = None

    @property
    def node(self) -> str | None:
        """The node's name, None for a published result."""
        return self.name if self.result is None else None

    @property
    def label(self) -> str:
        """What stands beside it: of a method its name without what is added in brackets."""
        return self.name if self.result is None else self.name.partition(" (")[0].strip()


@dataclass(frozen=True)
class ParetoView:
    """All that is drawn. `frontiers` holds numbers of points by OWN or the kind of published
    results; `notes` is what has to be known of the comparison."""

    choice: Choice
    x: Axis = AXES["macs"]
    y: Axis = AXES["val"]
    points: Sequence[Point] = ()
    frontiers: Mapping[str, Sequence[int]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    subject: Subject | None = None  # that something is published of
    num_nodes: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)  # of points, by kind


def chosen(x: str, y: str, published: str) -> Choice:
    """A choice from words. Raises UsageError."""
    for key, axes in ((x, X_AXES), (y, Y_AXES)):
        known = [axis.key for axis in axes]
        if key and key not in known:
            hint = did_you_mean(key, known)
            raise UsageError(f"there is no axis {key!r}; {hint}known are {', '.join(known)}")
    for which in WHICH:
        if which == published:
            return Choice(x or "macs", y, which)
    raise UsageError(f"published results {published!r}: none, primary or all can be shown")


def pareto_view(
    nodes: Nodes, best: str, measured: Measured, fits: Fitting, choice: Choice, training: str
) -> ParetoView:
    """The plot of a run's nodes. `training` says in words how long a step is trained."""
    x, y = axes_of(choice, fits)
    rows = _published(fits, choice, x, y)
    names = plotted(nodes)
    compared_by = next((nodes[name].similarity_by for name in names), "cka")
    xs, ys = (values_of(axis.key, nodes, measured, names) for axis in (x, y))
    ratios = latencies(nodes, measured) if x.key == "latency" else {}
    own = [
        Point(xs[name], ys[name], kind_of(nodes[name], best), name, latency=ratios.get(name))
        for name in names
        if name in xs and name in ys
    ]
    others = [Point(at[0], at[1], row.kind, row.method, row) for row, at in rows]
    points = tuple(sorted((*others, *own), key=lambda point: KINDS_DRAWN.index(point.kind)))
    view = ParetoView(
        choice, x, called_by(y, compared_by), points, _frontiers(points, x, y),
        subject=fits.subject if fits.results else None, num_nodes=len(nodes),
        counts=Counter(point.kind for point in points),
    )  # fmt: skip
    return replace(view, notes=_notes(view, fits, training))


def training_in_words(settings: Settings) -> str:
    """How long a kept step is trained."""
    training = settings.training
    candidate = counted(training.recovery_epochs, "epoch")
    return f"{candidate} a candidate, {training.total_epochs} a kept step"


def axes_of(choice: Choice, fits: Fitting) -> tuple[Axis, Axis]:
    """The axes of a choice. Where nothing is said of y, it is what published results tell of, if
    there are any, they are wanted, and they can stand over x."""
    x = AXES[choice.x]
    told = fits.results and choice.published != "none" and x.published
    return x, AXES[choice.y or ("test-change" if told else "val")]


def comparable(x: Axis, y: Axis) -> bool:
    """Whether published results have both of these."""
    return x.published is not None and y.published is not None


def with_published(choice: Choice) -> Choice:
    """The next choice of published results, on axes where they can stand; y follows from it, so
    that a network of which nothing is published is shown as ever."""
    x, y = AXES[choice.x], AXES[choice.y or "test-change"]
    which = choice.published
    if which == "none" or comparable(x, y):  # else they were wanted and could not be seen
        which = WHICH[(WHICH.index(which) + 1) % len(WHICH)]
    return Choice(x.key if x.published or which == "none" else "macs", "", which)


def kind_of(node: TreeNode, best: str) -> str:
    """Which kind of point a node is."""
    if node.name == best:
        return "best"
    if node.kept or node.parent is None:
        return "kept"
    return "undecided" if node.kept is None else "rejected"


def plotted(nodes: Nodes) -> list[str]:
    """The names of the nodes that are drawn: of very many the newest ones, and the root."""
    kept = [name for name, node in nodes.items() if node.kept]
    others = [name for name, node in nodes.items() if not node.kept]
    return list(dict.fromkeys(["R", *others[-MOST_POINTS:], *kept[-MOST_POINTS:]]))


def _published(
    fits: Fitting, choice: Choice, x: Axis, y: Axis
) -> list[tuple[PublishedResult, tuple[float, float]]]:
    """The published results that are wanted and have both figures, with their places."""
    if choice.published == "none" or x.published is None or y.published is None:
        return []
    found = []
    for row in fits.results:
        if choice.published == "all" or row.kind == "primary":
            across, up = x.published(row), y.published(row)
            if across is not None and up is not None:
                found.append((row, (across, up)))
    return found


def _frontiers(points: Sequence[Point], x: Axis, y: Axis) -> Mapping[str, Sequence[int]]:
    found = {}
    for kind in (OWN, *KINDS):
        members = [
            number for number, point in enumerate(points)
            if (kind == OWN if point.result is None else kind == point.kind)
        ]  # fmt: skip
        places = [(points[number].x, points[number].y) for number in members]
        if members:
            found[kind] = [members[i] for i in frontier(places, x.better, y.better)]
    return found


# ------------------------------------------------------------ what is to be said


def _notes(view: ParetoView, fits: Fitting, training: str) -> tuple[str, ...]:
    notes = [
        *_own_notes(view, training),
        *_latency_notes(view),
        *_published_notes(view, fits, training),
        *fits.wrong,
    ]
    return tuple(note for note in notes if note)


def _own_notes(view: ParetoView, training: str) -> list[str]:
    num_own = sum(view.counts.get(kind, 0) for kind in OWN_KINDS)
    for axis in (view.y, view.x):
        if num_own <= 1 < view.num_nodes and axis.missing:
            who = "none of the nodes" if not num_own else "no node but the root"
            what = axis.words.partition(" (")[0]
            return [f"{who} has its {what} yet: {axis.missing}"]
    if view.y.missing and num_own < view.num_nodes and view.y.key.startswith("test"):
        return [f"{num_own} of {counted(view.num_nodes, 'node')} here: those that were tested"]
    if view.y.key.startswith("val") and any(view.counts.get(k) for k in ("rejected", "undecided")):
        return [f"○ and ◇ have had their recovery only, ● their fine-tuning too: {training}"]
    return []


def _latency_notes(view: ParetoView) -> list[str]:
    uncertain = [p for p in view.points if p.latency is not None and p.latency.is_uncertain]
    if not uncertain:
        return []
    return [
        f"the latency of {counted(len(uncertain), 'node')} says little: the machine was busy when "
        "it was measured, and its 95 % interval is wide"
    ]


def _published_notes(view: ParetoView, fits: Fitting, training: str) -> list[str]:
    if not fits.results:
        return []
    if view.choice.published == "none":
        return []
    if not comparable(view.x, view.y):
        return [
            "published results are changes of test accuracy by what was removed: they cannot "
            "stand here"
        ]
    num = sum(view.counts.get(kind, 0) for kind in KINDS)
    return [
        f"{num} published of {fits.subject}, each against its own root: roots and lengths of "
        f"training differ, from each other and from yours ({training})"
    ]
