"""Cards and jobs for the tests of the panes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from plain_app import PlainApp

from engine.contracts.edits import Edit
from explorer.session.policy import Margin
from explorer.views.decide_card import Card
from explorer.views.job_view import JobView
from explorer.views.node_view import NodeView


def node(name, *, metrics=(), **more):
    """A node, ready and undecided."""
    last = name.rpartition(".")[2][0]
    structure = {"L": "layer", "F": "filter"}.get(last, "root")
    values = {"parent": name.rpartition(".")[0] or None, "structure": structure, "state": "ready"}
    return NodeView(name, metrics=dict(metrics), **{**values, **more})


def measured(node, **metrics):
    """The node with other measures."""
    return replace(node, metrics={**node.metrics, **metrics})


ROOT = node("R", kept=True, metrics={"val_accuracy": 93.2, "macs": 125_486_000, "params": 853_000,
                                      "macs_reduction": 0.0, "latency_ms": 4.0})  # fmt: skip
LAYER = node("R.L", metrics={"similarity": 0.9565, "val_accuracy": 92.8,
                             "val_accuracy_before": 81.27, "macs": 116_600_000, "params": 779_000,
                             "latency_ms": 3.71, "latency_ratio": 0.93,
                             "latency_ratio_low": 0.91, "latency_ratio_high": 0.95})  # fmt: skip
FILTER = node("R.F", metrics={"similarity": 0.9733, "val_accuracy": 92.55,
                              "val_accuracy_before": 90.1, "macs": 115_900_000, "params": 801_000,
                              "latency_ms": 3.98, "latency_ratio": 0.99,
                              "latency_ratio_low": 0.97, "latency_ratio_high": 1.02})  # fmt: skip
EDITS = {
    "R.L": Edit("layer", blocks=("layer3.5",)),
    "R.F": Edit("filter", units=tuple((f"layer1.{i}.conv1", (0, 1, 2)) for i in range(8))),
}
MARGIN = Margin(-0.0168, -0.0206, -0.0121, False)


def card(**more):
    """Both candidates measured, filters suggested, not yet decided."""
    values = {
        "parent": ROOT,
        "root": ROOT,
        "candidates": (LAYER, FILTER),
        "edits": EDITS,
        "margin": MARGIN,
        "suggested": "R.F",
        "reason": "CKA 0.9565 < 0.9733",
        "step": 1,
    }
    return Card(**{**values, **more})


def job(node="R.L", kind="recover", **more):
    values = {
        "state": "running", "phase": "recovery", "done": 55, "total": 100, "epoch": "3/10",
        "images_per_second": 1240.0, "eta_seconds": 100.0, "device": "cpu",
        "memory_bytes": 900_000_000,
    }  # fmt: skip
    return JobView(node, kind, **{**values, **more})


def plain(lines):
    """Lines of pieces as text."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines) + "\n"


def frame(widget):
    """What a widget shows, as text."""
    lines = [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]
    return "\n".join(lines).rstrip() + "\n"


class PaneApp(PlainApp):
    """An app that holds one widget; `said` are the widget's messages."""

    def __init__(self, widget):
        super().__init__()
        self.widget = widget
        self.said = []

    def compose(self):
        yield self.widget

    def on_ranking_pane_block_chosen(self, message):
        self.said.append(message.path)

    def on_timeline_moved(self, message):
        self.said.append(message.position)


def drive(widget, play, size=(80, 24)):
    """Runs `play(pilot, app)` in an app of this size that holds the widget."""

    async def run():
        app = PaneApp(widget)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await play(pilot, app)

    asyncio.run(run())
