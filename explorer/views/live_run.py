"""A run as the app sees it: its nodes, jobs, curves and log, kept up with a session's events.

Listens on every event, but hands out what changed only when asked, so that a screen is painted a
few times a second however much happens. Knows no textual.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from engine.contracts.events import EpochEnded, NetworkRead, Progress, WorkerReady
from explorer.session.documents import UnreadableRowError
from explorer.session.events import (
    Annotated,
    CandidatesProposed,
    Decided,
    DecisionRedone,
    DecisionUndone,
    JobAnswered,
    JobAsked,
    JobTold,
    PhaseFinished,
    SessionEvent,
    StateChanged,
)
from explorer.session.log_payload import payload_of
from explorer.views.event_messages import line_of
from explorer.views.job_view import JobView
from explorer.views.node_view import NodeView
from explorer.views.stored_nodes import epoch_views, macs_reduction, similarity_of, some_node_views
from explorer.views.tree.node import TreeNode
from store import (
    Annotation,
    Node,
    NodeSummary,
    Run,
    TreeStore,
)

Point = tuple[float, float]
LARGE = 50_000  # nodes; of a larger tree the kept path comes first, the rest behind it
MOST = 150_000  # nodes that are shown; of a larger tree the kept path and the newest ones


@dataclass
class Curves:
    """A node's training so far, as points over its epochs: loss, and accuracy in percent."""

    loss: list[Point] = field(default_factory=list)
    accuracy: list[Point] = field(default_factory=list)


@dataclass(frozen=True)
class Changes:
    """What happened since the last time somebody asked."""

    nodes: Sequence[TreeNode] = ()
    jobs: bool = False
    lines: Sequence[tuple[float, str]] = ()  # of the log, with their time in seconds
    events: Sequence[SessionEvent] = ()  # but for progress


class NodesAtLength(Mapping[str, NodeView]):
    """A run's nodes by name, each read from the store when it is first asked for."""

    def __init__(self, live: LiveRun) -> None:
        self._live = live
        self._read: dict[str, NodeView] = {}

    def __getitem__(self, name: str) -> NodeView:
        if name not in self._read:
            live = self._live
            if name not in live.nodes or live.store is None or live.run is None:
                raise KeyError(name)
            (self._read[name],) = some_node_views(live.store, live.run.id, [name])
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._live.nodes)

    def __len__(self) -> int:
        return len(self._live.nodes)

    def __contains__(self, name: object) -> bool:
        return name in self._live.nodes

    def forget(self, names: Iterable[str]) -> None:
        """Reads these anew when they are asked for."""
        for name in names:
            self._read.pop(name, None)


class LiveRun:
    """One run, live. `nodes` holds every node in brief, `objects` at length."""

    def __init__(self, device: str = "") -> None:
        self.store: TreeStore | None = None
        self.run: Run | None = None
        self.nodes: dict[str, TreeNode] = {}  # in the order they came
        self.objects = NodesAtLength(self)
        self.complete = True  # whether all of the run's nodes are here, or as many as are shown
        self.num_stored = 0  # nodes of the run when it was read
        self.jobs: dict[str, JobView] = {}  # by node and kind
        self.curves: dict[str, Curves] = {}
        self.device = device
        self.engine_ready = False  # whether the worker has given a sign of life
        self.network = NetworkRead()  # what is known of the checkpoint before its data are
        self._root_macs: float | None = None
        self._dirty: set[str] = set()
        self._jobs_changed = False
        self._lines: list[tuple[float, str]] = []
        self._events: list[SessionEvent] = []
        self._seen_event = 0

    # ------------------------------------------------------------ reading

    def attach(self, store: TreeStore, run: Run) -> None:
        """Reads a run; of a large one the kept path only, until `adopt` gets what `read_all`
        gives. From then on only what changes is read."""
        self.store, self.run = store, run
        self._seen_event = store.last_event_id(run.id)
        self._root_macs = store.node(run.id, "R").metrics.get("macs")
        self.objects = NodesAtLength(self)
        self.device = self.device or str(run.environment.get("device", ""))
        self._dirty.clear()
        self.num_stored = store.num_nodes(run.id)
        self.complete = self.num_stored <= LARGE
        self.nodes = self.read_all() if self.complete else self._in_brief(store.kept_path(run.id))

    def read_all(self) -> dict[str, TreeNode]:
        """The run's nodes in brief, the newest ones of very many. May be called in a thread."""
        assert self.store is not None and self.run is not None
        if self.complete:
            return self._in_brief(chain.from_iterable(self.store.summaries(self.run.id)))
        # Not over the app's connection, which would make its keys wait.
        with TreeStore.open(self.store.path, read_only=True) as store:
            if self.num_stored <= MOST:
                return self._in_brief(chain.from_iterable(store.summaries(self.run.id)))
            newest = store.newest_summaries(self.run.id, MOST)
            way = {o.id: o for o in store.kept_path(self.run.id)}
            wanted = way | {o.id: o for o in chain.from_iterable(newest)}
        return self._in_brief(wanted[node_id] for node_id in sorted(wanted))

    def adopt(self, nodes: dict[str, TreeNode]) -> None:
        """Takes what `read_all` gave; what has changed meanwhile is newer."""
        self.nodes, self.complete = nodes | self.nodes, True

    def _in_brief(self, summaries: Iterable[NodeSummary]) -> dict[str, TreeNode]:
        assert self.store is not None and self.run is not None
        said = self.store.annotations(self.run.id)
        macs, compared_by = self._root_macs, similarity_of(self.run)
        found: dict[str, TreeNode] = {}
        for o in summaries:
            parent = o.name.rpartition(".")[0] or None
            if (parent not in found) if parent else (o.name != "R" or bool(found)):
                raise UnreadableRowError(
                    f"node {o.id}", f"{o.name[:60]!r} has no place in the tree"
                )
            found[o.name] = TreeNode(
                o.name, parent, o.structure, o.state, o.kept,
                o.similarity, o.val_accuracy, macs_reduction(o.macs, macs),
                o.id in said and bool(said[o.id].tags), similarity_by=compared_by,
            )  # fmt: skip
        return found

    def _brief(self, node: Node, said: Annotation | None) -> TreeNode:
        assert self.run is not None
        metrics = node.metrics
        return TreeNode(
            node.name, node.name.rpartition(".")[0] or None, node.structure, node.state, node.kept,
            metrics.get("similarity"), metrics.get("val_accuracy"),
            macs_reduction(metrics.get("macs"), self._root_macs), bool(said and said.tags),
            self.share(node.name), similarity_of(self.run),
        )  # fmt: skip

    # ------------------------------------------------------------ hearing

    def on_event(self, event: SessionEvent) -> None:
        """Takes in one event of the session."""
        match event:
            case JobAsked(node, job):
                self._jobs_changed = True
                self.jobs[f"{node} {job}"] = JobView(node, job, device=self.device)
            case JobAnswered(node, job):
                self._jobs_changed = True
                self.jobs.pop(f"{node} {job}", None)
                self._dirty.add(node)
            case JobTold(event=Progress() | EpochEnded()):
                self._on_figures(event)
                return
            case JobTold(event=WorkerReady()):
                self.engine_ready = self._jobs_changed = True
                return
            case JobTold(event=NetworkRead() as network):
                self.network = network
                return
            case _:
                self._events.append(event)
                self._touch(event)
        if (line := line_of(event)) is not None:
            self._lines.append((time.time(), line))

    def _touch(self, event: SessionEvent) -> None:
        match event:
            case PhaseFinished(node=node) | StateChanged(node=node) | Annotated(node=node):
                self._dirty.add(node)
            case CandidatesProposed(nodes=nodes):
                self._dirty.update(nodes)
            case Decided(parent=parent) | DecisionUndone(parent=parent):
                self._dirty.update([parent, *self._stored_children(parent)])
            case DecisionRedone(parent=parent):
                self._dirty.update([parent, *self._stored_children(parent)])

    def _on_figures(self, told: JobTold) -> None:
        """Takes in how far a job is."""
        self._jobs_changed = True
        event, node = told.event, told.node
        if isinstance(event, EpochEnded):
            self._put(node, event.epoch + 1.0, event.loss, event.accuracy)
        elif isinstance(event, Progress):
            self.engine_ready = True
            key = f"{node} {told.job}"
            job = self.jobs.get(key) or JobView(node, told.job, device=self.device)
            self.jobs[key] = _progressed(job, event)
            self._dirty.add(node)
            if event.epoch is not None and event.epoch_share is not None:
                epoch = event.epoch - 1 + event.epoch_share
                self._put(node, epoch, event.loss or 0.0, event.accuracy or 0.0)

    def _put(self, node: str, epoch: float, loss: float, accuracy: float) -> None:
        curves = self.curves.setdefault(node, Curves())
        _put(curves.loss, (epoch, loss))
        _put(curves.accuracy, (epoch, accuracy))

    # ------------------------------------------------------------ telling

    def changes(self) -> Changes:
        """What happened since the last call; the changed nodes are read from the store."""
        nodes = self._read_dirty()
        told = Changes(nodes, self._jobs_changed, tuple(self._lines), tuple(self._events))
        self._jobs_changed, self._lines, self._events = False, [], []
        return told

    def poll(self) -> None:
        """Looks for what another process has stored (a store that is open for reading only)."""
        if self.store is None or self.run is None:
            return
        newest = self.store.last_event_id(self.run.id)
        if newest == self._seen_event:
            return
        for event in self.store.events(self.run.id, after=self._seen_event):
            if event.node_id is not None:
                name = self.store.node_by_id(event.node_id).name
                self._dirty.add(name)
            if event.kind == "candidates":
                self._dirty.update(payload_of(event).nodes)
            if event.kind in ("decision", "undo", "redo") and event.node_id is not None:
                children = self.store.children(event.node_id)
                self._dirty.update(child.name for child in children)
        self._seen_event = newest

    def _read_dirty(self) -> list[TreeNode]:
        if not self._dirty or self.store is None or self.run is None:
            self._dirty.clear()
            return []
        store, run_id = self.store, self.run.id
        self.objects.forget(self._dirty)
        # Of a tree that is not shown whole, what is below the rest is not shown either.
        names = {n for n in self._dirty if n in self.nodes or self._is_below(n, self._dirty)}
        nodes = sorted((store.node(run_id, name) for name in names), key=lambda n: n.id)
        self._dirty.clear()
        said = store.annotations(run_id)
        changed = [self._brief(node, said.get(node.id)) for node in nodes]
        self.nodes.update((node.name, node) for node in changed)
        return changed

    def _is_below(self, name: str, others: set[str]) -> bool:
        """Whether a new node's parent is here, or comes with it."""
        parent = name.rpartition(".")[0]
        return parent in self.nodes or (parent in others and self._is_below(parent, others))

    def share(self, name: str) -> float | None:
        """How far a node's running job is, in [0, 1]; None without one."""
        for kind in ("recover", "tune", "propose"):
            if (job := self.jobs.get(f"{name} {kind}")) is not None:
                return job.share
        return None

    def children(self, name: str) -> list[str]:
        """The names of a node's candidates that are here, in the order they came."""
        # The store may be ahead: what changed there is taken over when `changes` is asked for.
        return [child for child in self._stored_children(name) if child in self.nodes]

    def _stored_children(self, name: str) -> list[str]:
        if self.store is None or self.run is None:
            return []
        node = self.store.node(self.run.id, name)
        return [child.name for child in self.store.children(node.id)]

    def tags(self) -> list[str]:
        """Every tag that is in use."""
        if self.store is None or self.run is None:
            return []
        said = self.store.annotations(self.run.id).values()
        return sorted({tag for annotation in said for tag in annotation.tags})

    def curves_of(self, name: str) -> Curves:
        """A node's curves: those that were seen, which are finer, else those in the store."""
        live = self.curves.get(name)
        if live is not None and len(live.loss) > 1:
            return live
        stored = Curves()
        if name in self.nodes and self.store is not None and self.run is not None:
            node = self.store.node(self.run.id, name)
            for each in epoch_views(self.store, node.id):
                if each.epoch is not None and each.loss is not None and each.accuracy is not None:
                    stored.loss.append((each.epoch + 1.0, each.loss))
                    stored.accuracy.append((each.epoch + 1.0, each.accuracy))
        return stored if stored.loss or live is None else live


def _progressed(job: JobView, event: Progress) -> JobView:
    epoch, rate = None, event.images_per_second
    if rate is None and event.phase == job.phase:
        rate = job.images_per_second
    if event.epoch is not None:
        epoch = f"{event.epoch}/{event.last_epoch}" if event.last_epoch else str(event.epoch)
    return replace(
        job,
        state="running",
        phase=event.phase,
        done=event.done,
        total=event.total,
        epoch=epoch,
        images_per_second=rate,
        row=event.row,
        eta_seconds=event.eta_seconds,
        memory_bytes=event.memory_bytes or job.memory_bytes,
    )


def _put(points: list[Point], point: Point) -> None:
    """Adds a point, or replaces the one of its epoch: an attempt after a crash begins anew."""
    while points and points[-1][0] >= point[0]:
        points.pop()
    points.append(point)
