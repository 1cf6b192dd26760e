"""A run as the app sees it: its nodes, jobs, curves and log, kept up with a session's events.

Listens on every event, but hands out what changed only when asked, so that a screen is painted a
few times a second however much happens. Knows no textual.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from explorer.nodes import node_objects, some_objects
from explorer.sentences import line_of
from explorer.views import JobView
from store import Run, TreeStore

Point = tuple[float, float]


@dataclass
class Curves:
    """A node's training so far, as points over its epochs: loss, and accuracy in percent."""

    loss: list[Point] = field(default_factory=list)
    accuracy: list[Point] = field(default_factory=list)


@dataclass(frozen=True)
class Changes:
    """What happened since the last time somebody asked."""

    nodes: Sequence[Mapping[str, Any]] = ()
    jobs: bool = False
    lines: Sequence[tuple[float, str]] = ()  # of the log, with their time in seconds
    events: Sequence[Mapping[str, Any]] = ()  # but for progress


class LiveView:
    """One run, live."""

    def __init__(self, device: str = "") -> None:
        self.store: TreeStore | None = None
        self.run: Run | None = None
        self.objects: dict[str, dict[str, Any]] = {}  # NODEs by name, in the order they came
        self.jobs: dict[str, JobView] = {}  # by node and kind
        self.curves: dict[str, Curves] = {}
        self.device = device
        self.engine_ready = False  # whether the worker has given a sign of life
        self._children: dict[str, list[str]] = {}
        self._dirty: set[str] = set()
        self._jobs_changed = False
        self._lines: list[tuple[float, str]] = []
        self._events: list[Mapping[str, Any]] = []
        self._seen_event = 0

    def attach(self, store: TreeStore, run: Run) -> None:
        """Reads a run whole; from then on only what changes is read."""
        self.store, self.run = store, run
        self._seen_event = store.last_event_id(run.id)
        self.objects, self._children = {}, {}
        self._take(node_objects(store, run.id))
        self.device = self.device or str(run.environment.get("device", ""))
        self._dirty.clear()

    # ------------------------------------------------------------ hearing

    def hear(self, event: Mapping[str, Any]) -> None:
        """Takes in one event of the session."""
        kind = event["event"]
        if kind in ("asked", "answered", "progress"):
            self._hear_job(event)
            return
        if kind == "epoch":
            self._hear_epoch(event)
            return
        self._events.append(event)
        self._touch(event)
        if (line := line_of(event)) is not None:
            self._lines.append((time.time(), line))

    def _touch(self, event: Mapping[str, Any]) -> None:
        kind = event["event"]
        if kind in ("recovered", "tuned", "state", "annotated"):
            self._dirty.add(event["node"])
        elif kind == "proposed":
            self._dirty.update(event["nodes"])
        elif kind in ("decided", "undo", "redo"):
            self._dirty.add(event["parent"])
            self._dirty.update(self.children(event["parent"]))

    def _hear_job(self, event: Mapping[str, Any]) -> None:
        self._jobs_changed = True
        node, kind = event.get("node", ""), event.get("kind", "")
        key = f"{node} {kind}"
        if event["event"] == "answered":
            self.jobs.pop(key, None)
            self._dirty.add(node)
            return
        job = self.jobs.get(key) or JobView(node, kind, device=self.device)
        if event["event"] == "progress":
            self.engine_ready = True
            job = _progressed(job, event)
            self._dirty.add(node)
            if "epoch_share" in event:
                self._put(event, event["epoch"] - 1 + event["epoch_share"])
        self.jobs[key] = job

    def _hear_epoch(self, event: Mapping[str, Any]) -> None:
        self._put(event, event["epoch"] + 1.0)
        self._jobs_changed = True

    def _put(self, event: Mapping[str, Any], epoch: float) -> None:
        curves = self.curves.setdefault(event.get("node", ""), Curves())
        _put(curves.loss, (epoch, event["loss"]))
        _put(curves.accuracy, (epoch, event["accuracy"]))

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
            self._dirty.update(event.payload.get("nodes", ()))
            if event.kind in ("decision", "undo", "redo") and event.node_id is not None:
                children = self.store.children(event.node_id)
                self._dirty.update(child.name for child in children)
        self._seen_event = newest

    def _read_dirty(self) -> list[Mapping[str, Any]]:
        if not self._dirty or self.store is None or self.run is None:
            self._dirty.clear()
            return []
        names = list(self._dirty)
        self._dirty.clear()
        changed = some_objects(self.store, self.run.id, names)
        self._take(changed)
        return [self.with_progress(value) for value in changed]

    def _take(self, values: Sequence[dict[str, Any]]) -> None:
        for value in values:
            if value["name"] not in self.objects and value["parent"] is not None:
                self._children.setdefault(value["parent"], []).append(value["name"])
            self.objects[value["name"]] = value

    def with_progress(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """A NODE with how far its running job is."""
        jobs = [j for kind in ("recover", "tune", "propose")
                if (j := self.jobs.get(f"{value['name']} {kind}"))]  # fmt: skip
        share = jobs[0].share if jobs else None
        return {**value, "running_share": share, "tagged": bool(value.get("tags"))}

    def children(self, name: str) -> list[str]:
        """The names of a node's candidates, in the order they came."""
        return list(self._children.get(name, ()))

    def curves_of(self, name: str) -> Curves:
        """A node's curves: those that were seen, which are finer, else those in the store."""
        live = self.curves.get(name)
        if live is not None and len(live.loss) > 1:
            return live
        stored = Curves()
        value = self.objects.get(name)
        if value is not None and self.store is not None and self.run is not None:
            node = self.store.node(self.run.id, name)
            for row in self.store.epochs(node.id):
                epoch = row.values["epoch"] + 1.0
                stored.loss.append((epoch, row.values["loss"]))
                stored.accuracy.append((epoch, row.values["accuracy"]))
        return stored if stored.loss or live is None else live


def _progressed(job: JobView, event: Mapping[str, Any]) -> JobView:
    epoch, last = event.get("epoch"), event.get("last_epoch")
    return replace(
        job,
        state="running",
        phase=event["phase"],
        done=event["done"],
        total=event["total"],
        epoch=None if epoch is None else f"{epoch}/{last}" if last else str(epoch),
        images_per_second=event.get("images_per_second", job.images_per_second),
        eta_seconds=event.get("eta_seconds"),
        memory_bytes=event.get("memory_bytes", job.memory_bytes),
    )


def _put(points: list[Point], point: Point) -> None:
    """Adds a point, or replaces the one of its epoch: an attempt after a crash begins anew."""
    while points and points[-1][0] >= point[0]:
        points.pop()
    points.append(point)
