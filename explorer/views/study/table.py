"""What a study found: each way's figures over seeds, and its differences to the first way."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.contracts.json_values import JsonValue
from explorer.session.documents import RunDocument
from explorer.session.study.growing import Grown
from explorer.session.study.runs import Cell, Control, StudyRuns
from explorer.views.kept_path import kept_path
from explorer.views.node_view import NodeView
from explorer.views.runs import Spread
from explorer.views.shape_fields import told
from explorer.views.stored_nodes import node_views
from explorer.views.study.statistics import Difference, paired

ACCURACIES: tuple[str, ...] = ("val_accuracy", "test_accuracy")
MEASURES = (*ACCURACIES, "macs_left", "params_left")


@dataclass(frozen=True)
class WayRow:
    """One way, or the unpruned root with the same further training."""

    way: str = told("its name")
    is_control: bool = told("whether it is the unpruned root, trained on")
    settings: Mapping[str, JsonValue] = told("what sets it apart from the other ways")
    runs: tuple[str, ...] = told("the names of its runs, by seed")
    seeds: tuple[int, ...] = told("the seeds that are finished, over which the figures are")
    decisions: Spread | None = told("decisions made; null where nothing is finished")
    measures: Mapping[str, Spread] = told(
        "of the last kept node, tuned: `val_accuracy` and `test_accuracy` in percent, `macs_left` "
        "and `params_left` in percent of the root's"
    )
    epochs: Spread | None = told("epochs of training along the kept path")
    epochs_in_all: Spread | None = told(
        "epochs with those of candidates that were not kept, whichever run has trained them"
    )
    differences: Mapping[str, Difference] = told(
        "to the first way with the same seeds, in pairs, with Student's 95 % interval (each "
        "interval on its own, not corrected for the number of ways): `val_accuracy`, "
        "`test_accuracy`, `macs_left`, `params_left`"
    )
    why_not: str | None = told("why it was given up, or ended early")


@dataclass(frozen=True)
class StudyTold:
    """What `study --json` prints."""

    study: str = told("its name")
    about: str = told("what it compares")
    store: str = told("the store's path")
    seeds: tuple[int, ...] = told("the seeds")
    root: Mapping[str, float] = told("accuracies of the root as it was, percent")
    against: str | None = told("the way that the others are held against")
    rows: tuple[WayRow, ...] = told("the ways in their order, then the unpruned root")


@dataclass
class _Figures:
    """Of one way, by seed."""

    values: dict[int, dict[str, float]] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)

    def spread(self, key: str) -> Spread | None:
        """Of a figure over seeds; None where none has it."""
        found = [each[key] for each in self.values.values() if key in each]
        if not found:
            return None
        deviation = statistics.stdev(found) if len(found) > 1 else None
        return Spread(statistics.fmean(found), deviation, len(found))


def study_told(runs: StudyRuns, grown: Grown | None = None) -> StudyTold:
    """The table of the runs that are finished, or have ended early for a reason."""
    grown = grown or Grown()
    ended = grown.ended
    found: dict[str, _Figures] = {}
    for cell in runs.cells:
        figures = found.setdefault(cell.way.name, _Figures())
        if (document := runs.document(cell)) is None:
            continue
        figures.runs.append(document.run.name)
        if cell in ended or runs.is_finished(cell):
            steps = runs.settings(cell).search.iterations
            figures.values[cell.seed] = _of_run(runs, document, steps, grown.tips.get(cell))
    first = next((name for name, figures in found.items() if figures.values), None)
    against = found[first] if first is not None else _Figures()
    why = {**{cell.way.name: reason for cell, reason in ended.items()}, **grown.failed}
    rows = [
        _row(way.name, dict(way.settings), found[way.name], against, why) for way in runs.study.ways
    ]
    for each in runs.controls:
        rows.append(_row(each.name, None, _of_control(runs, each), against, why))
    root = runs.store.node(runs.root.run.id, "R").metrics
    accuracies = {key: root[key] for key in ACCURACIES if key in root}
    return StudyTold(
        runs.study.name, runs.study.about, str(runs.store.path), runs.seeds, accuracies, first,
        tuple(rows),
    )  # fmt: skip


def _of_run(
    runs: StudyRuns, document: RunDocument, steps: int, tip_name: str | None
) -> dict[str, float]:
    """A run's figures after so many steps (it may have been grown on) on the way to the node at
    which its search ended; to the end of the kept path, where that is not known."""
    nodes = node_views(runs.store, document.run.id)
    if tip_name is None:
        path = kept_path(nodes)[: steps + 1]
    else:
        path = [n for n in nodes if f"{tip_name}.".startswith(f"{n.name}.")][: steps + 1]
    trained = runs.store.epochs_trained(document.run.id)
    tip, root = path[-1], nodes[0]
    found = {
        "decisions": float(len(path) - 1),
        "epochs": float(sum(trained.get(node.name, 0) for node in path)),
        "epochs_in_all": float(
            sum(count for name, count in trained.items() if name.count(".") <= steps)
        ),
    }
    for key in ACCURACIES:
        if (value := tip.metrics.get(key)) is not None:
            found[key] = value
    return found | _sizes(tip, root)


def _sizes(tip: NodeView, root: NodeView) -> dict[str, float]:
    found = {}
    for key in ("macs", "params"):
        ours, whole = tip.metrics.get(key), root.metrics.get(key)
        if ours is not None and whole:
            found[f"{key}_left"] = 100 * ours / whole
    return found


def _of_control(runs: StudyRuns, each: Control) -> _Figures:
    """The root after as many steps as the ways have decisions."""
    figures = _Figures()
    for seed in runs.seeds:
        cell = Cell(each.way, seed)
        steps = runs.trained(each, seed)
        if (last := steps.get(runs.settings(cell).search.iterations)) is None:
            continue
        if (document := runs.document(cell)) is not None:
            figures.runs.append(document.run.name)
        kept = {key: last.metrics[key] for key in ACCURACIES if key in last.metrics}
        figures.values[seed] = {
            "decisions": 0.0, "epochs": float(last.epochs), "epochs_in_all": float(last.epochs),
            "macs_left": 100.0, "params_left": 100.0, **kept,
        }  # fmt: skip
    return figures


def _row(
    name: str,
    settings: Mapping[str, JsonValue] | None,
    figures: _Figures,
    against: _Figures,
    why: Mapping[str, str],
) -> WayRow:
    spread = figures.spread
    return WayRow(
        way=name,
        is_control=settings is None,
        settings=settings or {},
        runs=tuple(figures.runs),
        seeds=tuple(figures.values),
        decisions=spread("decisions"),
        measures={key: found for key in MEASURES if (found := spread(key)) is not None},
        epochs=spread("epochs"),
        epochs_in_all=spread("epochs_in_all"),
        differences={} if figures is against else _differences(figures, against),
        why_not=why.get(name),
    )


def _differences(figures: _Figures, against: _Figures) -> dict[str, Difference]:
    found = {}
    for key in MEASURES:
        both = [
            (ours[key], against.values[seed][key])
            for seed, ours in figures.values.items()
            if key in ours and key in against.values.get(seed, {})
        ]
        if both and (difference := paired(*zip(*both, strict=True))) is not None:
            found[key] = difference
    return found
