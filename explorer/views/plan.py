"""How long a run will take, from how quickly its parts went here. Pure arithmetic.

Later networks are smaller. How much time that saves depends on the machine: at least nothing, at
most as much as it saves multiply-accumulates; so a prediction is an interval, with its middle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from engine.contracts.methods import name_in, share_in
from engine.contracts.networks import DataDescription
from engine.contracts.setting_sections import TrainingSettings
from engine.contracts.settings import Settings
from explorer.session.policy import POLICIES, Question
from explorer.session.speed import Speed
from explorer.views.counting import counted
from explorer.views.shape_fields import told

# How far a speed that was measured for a second may be from that of hours.
QUICKER, SLOWER = 0.85, 1.2
PHASES = ("start", "rank", "recover", "compare", "tune", "measure")
SMALLEST = 0.05  # of the root's multiply-accumulates that a network is believed to come down to


@dataclass(frozen=True)
class Interval:
    """About how many seconds, and between which."""

    seconds: float = told("about so many seconds")
    low: float = told("at least about so many")
    high: float = told("at most about so many")


@dataclass(frozen=True)
class PhaseTime:
    """A part of the work, and what it takes."""

    phase: str = told("`start`, `rank`, `recover`, `compare`, `tune` or `measure`")
    items: int = told("how many images (items) go through networks, each time counted")
    epochs: int = told("epochs of training")
    seconds: float = told("about so many seconds")


@dataclass(frozen=True)
class Prediction:
    """What one decision and the whole tree take."""

    candidates: int = told("how many candidates are grown for a decision")
    at_once: int = told("how many of them at a time")
    decision: Interval = told("the first decision, from ranking to the kept node's tuning")
    phases: tuple[PhaseTime, ...] = told("its parts")
    decisions: int = told("how many decisions are made")
    until: str = told("what ends the tree, in words")
    step: float | None = told("the share of the root's multiply-accumulates that a step removes")
    tree: Interval = told("the whole tree")
    tree_phases: tuple[PhaseTime, ...] = told("its parts, with the start")


@dataclass(frozen=True)
class _Parts:
    """Seconds of a decision about a network of the root's size."""

    of_parent: Sequence[PhaseTime]
    of_candidates: Sequence[PhaseTime]

    def at(self, parent: float, child: float) -> list[PhaseTime]:
        """Of networks of these shares of the root's size."""
        return [_scaled(part, parent) for part in self.of_parent] + [
            _scaled(part, child) for part in self.of_candidates
        ]


def predict(
    settings: Settings,
    data: DataDescription,
    macs: float,
    speed: Speed,
    *,
    start_seconds: float = 0.0,
    decided: int = 0,
    grows_all: bool = False,
) -> Prediction:
    """What a run takes from here on, `decided` decisions being made; `grows_all`: candidates that
    the policy would not look at too."""
    step, num_candidates = _step(settings, macs, speed, grows_all)
    count, until = _decisions(settings, step)
    count = max(count - decided, 0)
    at_once = min(speed.at_once, max(num_candidates, 1))
    parts = _parts(settings, data, speed, num_candidates, at_once)
    sizes = [max(1 - (decided + k) * (step or 0.0), SMALLEST) for k in range(count + 1)]
    smaller = [parts.at(a, b) for a, b in pairwise(sizes)]
    as_large = [parts.at(1.0, 1.0) for _ in range(count)]
    start = [PhaseTime("start", 0, 0, start_seconds)] if start_seconds else []
    one = smaller[0] if smaller else []
    return Prediction(
        candidates=num_candidates,
        at_once=at_once,
        decision=_interval(one, as_large[0] if as_large else []),
        phases=_together(one),
        decisions=count,
        until=until,
        step=step,
        tree=_interval(
            [*start, *(p for each in smaller for p in each)],
            [*start, *(p for each in as_large for p in each)],
        ),
        tree_phases=_together([*start, *(p for each in smaller for p in each)]),
    )


def _step(
    settings: Settings, macs: float, speed: Speed, grows_all: bool
) -> tuple[float | None, int]:
    """The share of the root that a step removes, and how many candidates are grown for it."""
    offered = {each.structure: each.macs for each in speed.alone.candidates}
    if not offered or not macs:
        return None, 0
    question = Question("R", dict.fromkeys(offered), settings)
    wanted = POLICIES[settings.search.policy].wanted(question)
    grown = tuple(offered) if grows_all else wanted
    left = [offered[structure] / macs for structure in wanted or grown]
    return (1 - sum(left) / len(left) if left else None), len(grown)


def _decisions(settings: Settings, step: float | None) -> tuple[int, str]:
    """How many decisions there will be, and why no more."""
    search = settings.search
    if step is None:
        return 0, "nothing is left that may be removed"
    count = search.iterations
    until = f"after {counted(count, 'decision')} (--iterations)"
    if search.target_macs is not None and step > 0:
        needed = math.ceil(search.target_macs / 100 / step)
        if needed <= count:
            count = needed
            until = (
                f"after about {counted(count, 'decision')}, when {search.target_macs:g} % of the "
                "multiply-accumulates are gone (--target-macs)"
            )
    if search.max_drop is not None:
        until += (
            f", or once validation accuracy is {search.max_drop:g} points below the root's "
            "(--max-drop), which cannot be known yet"
        )
    return count, until


def _parts(
    settings: Settings, data: DataDescription, speed: Speed, candidates: int, at_once: int
) -> _Parts:
    training, similarity = settings.training, settings.similarity
    alone, beside = speed.alone, speed.beside if at_once > 1 else speed.alone
    waves = math.ceil(candidates / at_once) if at_once else 0
    scored = _scored(settings, data)
    compared = data.num_test if similarity.split == "test" else data.num_validation
    extra = data.num_test if similarity.split == "test" else 0
    looked_at = 2 * data.num_validation + extra
    recovered, chosen = _recovered(training, data)
    tuning = training.total_epochs - training.recovery_epochs
    tuned = tuning * data.num_train
    taught = training.teacher != "none"  # each item goes through the teacher too
    rows = alone.compare_seconds_per_row + similarity.num_resamples * (
        alone.resample_seconds_per_row
    )
    comparing = compared * rows + alone.latency_seconds + alone.edit_seconds
    rank = alone.ranking_seconds + scored * alone.ranking_seconds_per_item
    rate, looking = beside.training_items_per_second, beside.evaluating_items_per_second
    at_the_end = data.num_validation + data.num_test
    return _Parts(
        of_parent=[
            PhaseTime("rank", scored, 0, rank),
            PhaseTime("compare", compared * at_once, 0, compared / looking),
        ],
        of_candidates=[
            PhaseTime(
                "recover",
                recovered * candidates,
                training.recovery_epochs * candidates,
                waves * (recovered / rate + (chosen + recovered * taught) / looking),
            ),
            PhaseTime(
                "compare", looked_at * candidates, 0, waves * (looked_at / looking + comparing)
            ),
            PhaseTime(
                "tune",
                tuned,
                tuning,
                tuned / alone.training_items_per_second
                + tuned * taught / alone.evaluating_items_per_second,
            ),
            PhaseTime("measure", at_the_end, 0, at_the_end / alone.evaluating_items_per_second),
        ],
    )


def _recovered(training: TrainingSettings, data: DataDescription) -> tuple[int, int]:
    """How many items a candidate is trained on, and on how many its parent is asked for it."""
    items = training.recovery_epochs * round(data.num_train * share_in(training.train_subset))
    if training.recovery_steps is not None:
        items = min(items, training.recovery_steps * training.batch_size)
    is_asked = training.train_subset is not None and name_in(training.train_subset) == "el2n"
    return items, data.num_train if is_asked else 0


def _scored(settings: Settings, data: DataDescription) -> int:
    """How many training items structures are ranked on."""
    classes = len(data.classes) or 1
    return min(settings.scoring.criterion_samples * classes, data.num_train)


def _scaled(part: PhaseTime, size: float) -> PhaseTime:
    return PhaseTime(part.phase, part.items, part.epochs, part.seconds * size)


def _interval(smaller: Sequence[PhaseTime], as_large: Sequence[PhaseTime]) -> Interval:
    low, high = (sum(part.seconds for part in parts) for parts in (smaller, as_large))
    return Interval((low + high) / 2, QUICKER * low, SLOWER * high)


def _together(parts: Sequence[PhaseTime]) -> tuple[PhaseTime, ...]:
    """Parts of one phase as one, in the order in which the work is done."""
    found: dict[str, PhaseTime] = {}
    for part in parts:
        before = found.get(part.phase, PhaseTime(part.phase, 0, 0, 0.0))
        found[part.phase] = PhaseTime(
            part.phase,
            before.items + part.items,
            before.epochs + part.epochs,
            before.seconds + part.seconds,
        )
    return tuple(found[phase] for phase in PHASES if phase in found)
