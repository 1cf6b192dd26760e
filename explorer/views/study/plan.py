"""How long a study will take, before it begins and while it goes on. Pure arithmetic."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.contracts.networks import DataDescription
from engine.contracts.settings import Settings
from explorer.session.speed import Speed
from explorer.session.study.runs import Cell, Control
from explorer.views.counting import counted
from explorer.views.plan import QUICKER, SLOWER, Interval, predict
from explorer.views.plan_text import interval_words
from explorer.views.shape_fields import told


@dataclass(frozen=True)
class StudyPlan:
    """What a study takes from here on."""

    ways: int = told("how many ways are compared")
    seeds: int = told("with how many seeds each")
    finished: int = told("how many of these runs are finished already")
    decisions: int = told("how many decisions each run makes")
    epochs: int = told("epochs of training on each way, decisions counted together")
    time: Interval = told(
        "how long the rest takes: at least where ways keep the same nodes, which are grown once; "
        "at most where they part after their first decision"
    )

    def words(self) -> str:
        """The plan in a line."""
        done = f", {self.finished} of them finished" if self.finished else ""
        return (
            f"{counted(self.ways * self.seeds, 'run')} ({counted(self.ways, 'way')}, "
            f"{counted(self.seeds, 'seed')}{done}), each {counted(self.decisions, 'decision')} and "
            f"{counted(self.epochs, 'epoch')}, and the root trained as long: "
            f"{interval_words(self.time)}"
        )


class StudyTime:
    """What each run of a study takes, and how long the rest will at any moment."""

    def __init__(
        self,
        cells: Mapping[Cell, tuple[Settings, int]],
        controls: Iterable[tuple[Control, int]],
        data: DataDescription,
        macs: float,
        speed: Speed,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Of cells with their settings and the decisions that are made, and of the controls that
        are not trained yet, each with its seed."""
        self._clock = clock
        self._began = clock()
        self._ways = len({cell.way.name for cell in cells})
        self._seeds = len({cell.seed for cell in cells})
        self._settings = [settings for settings, _ in cells.values()]
        self._finished = sum(n >= s.search.iterations for s, n in cells.values())
        self.seconds: dict[tuple[str, int], float] = {}
        self._low = self._high = 0.0
        longest: dict[object, float] = {}  # of the ways that have their nodes in common
        for cell, (settings, decided) in cells.items():
            group = (cell.seed, settings.scoring, settings.similarity, settings.training)
            found = predict(settings, data, macs, speed, decided=decided)
            first = found.decision if group in longest and not decided else Interval(0, 0, 0)
            self.seconds[cell.way.name, cell.seed] = found.tree.seconds - first.seconds
            self._high += found.tree.high - first.low
            longest[group] = max(longest.get(group, 0.0), found.tree.low)
        self._low = sum(longest.values())
        for control, seed in controls:
            seconds = self._control_seconds(control, data, speed)
            self.seconds[control.name, seed] = seconds
            self._low += QUICKER * seconds
            self._high += SLOWER * seconds

    def _control_seconds(self, control: Control, data: DataDescription, speed: Speed) -> float:
        items = control.training.total_epochs * data.num_train
        looked_at = data.num_validation + data.num_test
        one = items / speed.alone.training_items_per_second
        one += looked_at / speed.alone.evaluating_items_per_second
        return self._settings[0].search.iterations * one

    @property
    def plan(self) -> StudyPlan:
        settings = self._settings[0]
        steps = settings.search.iterations
        return StudyPlan(
            self._ways,
            self._seeds,
            self._finished,
            steps,
            steps * settings.training.total_epochs,
            Interval((self._low + self._high) / 2, self._low, self._high),
        )

    def left(self, done: Sequence[tuple[str, int]]) -> float:
        """About how many seconds are left once these are done: by what they took, as soon as that
        is a seed's worth; until then by the plan."""
        whole = sum(self.seconds.values())
        if not whole:
            return 0.0
        share = sum(self.seconds.get(each, 0.0) for each in done) / whole
        passed = self._clock() - self._began
        if share >= 1 / max(self._seeds, 2):
            return passed * (1 - share) / share
        return max(self.plan.time.seconds - passed, 0.0)
