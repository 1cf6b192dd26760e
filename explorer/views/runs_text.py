"""Runs of a store in words, the same in the app and in what `runs` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.contracts.metrics import measure
from explorer.views.counting import listed
from explorer.views.run_names import by_runs
from explorer.views.runs import RunView, SeedView, Spread

_LETTERS = {"layer": "L"}


def way_in_letters(way: tuple[str, ...]) -> str:
    """`L F F`: what was kept at each step."""
    return " ".join(_LETTERS.get(structure, structure[:1].upper()) for structure in way) or "–"


def differs(run: RunView) -> str:
    """What sets a run apart from the newest, but for its seed; where it was forked."""
    apart = ", ".join(f"{name.replace('_', '-')} {value}" for name, value in run.settings.items())
    forked = f"forked from {run.forked_from}" if run.forked_from else ""
    return ", ".join(filter(None, (apart, forked)))


def begun(run: RunView) -> str:
    """When it was begun, to the minute, UTC."""
    return run.created_at[:16].replace("T", " ")


def group_line(group: SeedView) -> str:
    """Which runs are compared, and on how much they agree."""
    agreed = f"{group.num_agreed} of {len(group.steps)} decisions agree"
    if not group.steps:
        agreed = "fewer than two of them have decided anything yet"
    numbers = listed([str(run) for run in group.runs])
    if group.forked_at is None:
        return f"runs {numbers} differ in their seeds only: {agreed}"
    forks = listed([str(run) for run in group.runs[1:]])
    noun, verb = ("run", "is a fork") if len(group.runs) == 2 else ("runs", "are forks")
    return f"{noun} {forks} {verb} of run {group.runs[0]} at {by_runs(group.forked_at)}: {agreed}"


def parting_line(group: SeedView) -> str:
    """Where the runs part first."""
    if (step := group.parts_at) is None:
        return "they have not parted yet"
    by: dict[str, list[int]] = {}
    for run, way in zip(group.runs, group.ways, strict=True):
        if len(way) >= step.step:
            by.setdefault(way[step.step - 1], []).append(run)
    kept = ", ".join(f"{_runs(runs)} kept the {structure}" for structure, runs in by.items())
    return f"they part at decision {step.step}: {kept}"


def _runs(numbers: Sequence[int]) -> str:
    """`run 3`, `runs 1, 2 and 4`."""
    return ("run " if len(numbers) == 1 else "runs ") + listed([str(each) for each in numbers])


def kept_words(kept: Mapping[str, int]) -> str:
    """`layer 2×, filter 1×`."""
    return ", ".join(f"{structure} {count}×" for structure, count in kept.items())


def spread_text(key: str, spread: Spread | None) -> str:
    """`88.40 ± 0.31`."""
    if spread is None:
        return "–"
    mean = measure(key).text(spread.mean)
    return mean if spread.deviation is None else f"{mean} ± {measure(key).text(spread.deviation)}"
