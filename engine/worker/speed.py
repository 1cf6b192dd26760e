"""How quickly the work of a run goes here: each of its parts is begun as its job would do it, and
stopped after a second or two. Nothing of it is kept."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from engine.contracts import seeds
from engine.contracts.jobs import Places
from engine.contracts.networks import Execution
from engine.contracts.references import Factory
from engine.contracts.setting_sections import ScoringSettings
from engine.contracts.speed import CandidateCost, MeasureSpeed, SpeedMeasured
from engine.contracts.structure import NetworkStructure
from engine.measures.accuracy import evaluate
from engine.measures.cost import cost_of
from engine.measures.latency import latency_beside
from engine.measures.similarities import SIMILARITIES, alike, resampled
from engine.pruning import candidates, editing
from engine.pruning.criteria import Scores
from engine.pruning.criteria.ranking import FEWEST_SCORED, scores_of
from engine.pruning.structure import structure_of
from engine.runtime.device import torch_device
from engine.runtime.generators import seeded
from engine.runtime.progress import Monitor, Running
from engine.tasks import Split, Task, examples, num_items
from engine.training.finetune import train
from engine.training.plan import plan_of
from engine.worker.own_criteria import criterion_of
from engine.worker.workbench import Workbench

FEW_ITEMS = 256  # whose features are taken for those of a whole split
ROWS_COMPARED = 2048
RESAMPLES = 4
FEWEST_STEPS = 2  # that are timed after the first
LONGEST = 4  # times the seconds that were asked for, after which nothing is waited for


def measure(
    job: MeasureSpeed, execution: Execution, bench: Workbench, places: Places, monitor: Monitor
) -> SpeedMeasured:
    """The speeds of a job's network. Raises what its work would, and Cancelled."""
    started = time.perf_counter()
    task = bench.task_of(job.data, places, execution, monitor)
    model = bench.network(job.network, places.factory)
    prepared = time.perf_counter() - started
    with seeded(seeds.derive("speed"), torch_device(execution)):
        at = _Bench(job, task, model, execution, monitor, places.criterion)
        found = SpeedMeasured(
            training_items_per_second=at.training(),
            evaluating_items_per_second=at.evaluating(),
            prepare_seconds=round(prepared, 3),
        )
        return found if job.beside_another else at.with_the_rest(found)


class _Enough(Exception):
    """A part was watched for long enough."""


class _Watch(Monitor):
    """Ends work that has told of its steps for so many seconds, after the first step: that one
    warms up."""

    def __init__(self, whole: Monitor, phase: str, seconds: float, device: torch.device) -> None:
        super().__init__()
        self._whole, self._name, self._seconds, self._device = whole, phase, seconds, device
        self.begun = time.perf_counter()
        self.steps: list[tuple[int, float]] = []  # done, and when: the first and the last
        self._num_steps = -1

    def check(self) -> None:
        self._whole.check()

    def step(
        self, phase: str, done: int, total: int, running: Callable[[], Running] | None = None
    ) -> None:
        self.check()
        now = time.perf_counter()
        elapsed = now - (self.steps[0][1] if self.steps else now)
        self._num_steps += 1
        self._whole.step(self._name, min(int(1000 * elapsed / self._seconds), 999), 1000)
        enough = elapsed >= self._seconds and self._num_steps >= FEWEST_STEPS
        enough = enough or elapsed >= LONGEST * self._seconds
        if self.steps and not enough and done < total:
            return
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        self.steps = [*self.steps[:1], (done, time.perf_counter())]
        if enough:
            raise _Enough

    @property
    def rate(self) -> float:
        """Units a second."""
        (first, since), (last, until) = self.steps[0], self.steps[-1]
        if last == first:  # one step was all
            return last / max(until - self.begun, 1e-9)
        return (last - first) / max(until - since, 1e-9)


class _Deadline(Monitor):
    """Ends ranking that takes too long, and remembers how far it came in which time."""

    def __init__(self, whole: Monitor, seconds: float) -> None:
        super().__init__()
        self._whole, self._until = whole, time.perf_counter() + seconds
        self._phase_told = ""
        self._steps: list[tuple[float, float]] = []  # the share done, and when

    def check(self) -> None:
        self._whole.check()
        if len(self._steps) > 1 and time.perf_counter() > self._until:
            raise _Enough

    def step(
        self, phase: str, done: int, total: int, running: Callable[[], Running] | None = None
    ) -> None:
        if phase != self._phase_told:
            self._phase_told, self._steps = phase, []
        self._steps = [*self._steps[:1], (done / max(1, total), time.perf_counter())]
        if done < total:
            self.check()

    @property
    def seconds_of_all(self) -> float:
        """What the whole phase would have taken."""
        (share, since), (more, until) = self._steps[0], self._steps[-1]
        return (until - since) / max(more - share, 1e-9)


@dataclass(frozen=True, eq=False)
class _Bench:
    """What is measured, part by part."""

    job: MeasureSpeed
    task: Task
    model: nn.Module
    execution: Execution
    monitor: Monitor
    criterion: Factory | None  # a person's, which may be called as it is now

    @property
    def device(self) -> torch.device:
        return torch_device(self.execution)

    @property
    def _split(self) -> Split:
        return "validation" if num_items(self.task, "validation") else "test"

    def training(self) -> float:
        """Items a second through fine-tuning."""
        how = replace(self.job.training, learning_rate=1e-6)  # the weights are thrown away
        plan = plan_of(how, range(1), total_epochs=1, seed=0)
        watch = self._watch("training speed")
        with contextlib.suppress(_Enough):
            train(copy.deepcopy(self.model), self.task, plan, self.execution, monitor=watch)
        return watch.rate

    def evaluating(self) -> float:
        """Items a second through an evaluation, which gives accuracy and features."""
        watch = self._watch("evaluation speed")
        with contextlib.suppress(_Enough):
            evaluate(self.model, self.task, self._split, self.execution, monitor=watch)
        return watch.rate

    def _watch(self, phase: str) -> _Watch:
        return _Watch(self.monitor, phase, self.job.seconds, self.device)

    def with_the_rest(self, found: SpeedMeasured) -> SpeedMeasured:
        """The same with what is measured once: ranking, comparing, and what a step removes."""
        structure = self.job.structure or structure_of(self.model)
        self.monitor.step("comparison speed", 0, 1)
        once, resample = self._comparing()
        started = time.perf_counter()
        example = examples(self.task, 1)
        latency_beside(self.model, self.model, example, self.execution)
        latency = time.perf_counter() - started
        self.monitor.step("ranking speed", 0, 1)
        first, each, scores = self._ranking(structure)
        started = time.perf_counter()
        offered = self._candidates(structure, scores)
        return replace(
            found,
            ranking_seconds=first,
            ranking_seconds_per_item=each,
            compare_seconds_per_row=once,
            resample_seconds_per_row=resample,
            latency_seconds=latency,
            edit_seconds=(time.perf_counter() - started) / max(1, len(offered)),
            candidates=offered,
        )

    def _comparing(self) -> tuple[float, float]:
        """Seconds a row of a comparison, and of one resample of it."""
        items = torch.arange(min(FEW_ITEMS, num_items(self.task, self._split)))
        few = evaluate(self.model, self.task, self._split, self.execution, items=items)
        times = -(-ROWS_COMPARED // len(few.features_MD))
        features_MD = few.features_MD.repeat(times, 1)[:ROWS_COMPARED]
        targets_M = few.targets_M.repeat(times)[:ROWS_COMPARED]
        similarity = SIMILARITIES[self.job.similarity.measure]
        alike(similarity, features_MD, features_MD, targets_N=targets_M)
        started = time.perf_counter()
        alike(similarity, features_MD, features_MD, targets_N=targets_M)
        once = time.perf_counter() - started
        started = time.perf_counter()
        resampled(similarity, features_MD, features_MD, RESAMPLES, 0, targets_N=targets_M)
        each = max(0.0, time.perf_counter() - started) / RESAMPLES
        return once / len(features_MD), each / len(features_MD)

    def _ranking(self, structure: NetworkStructure) -> tuple[float, float, Scores | None]:
        """Seconds that ranking takes whatever it looks at, seconds an item, and the scores by those
        few items; None where not even one was through in time."""
        scoring = self.job.scoring
        scores = None
        items_N = self.task.sample(scoring.criterion_samples, 0)
        known: list[tuple[int, float]] = []
        count = 1 if scoring.rank_by == "mean" else min(FEWEST_SCORED, len(items_N))
        while True:
            watch = _Deadline(self.monitor, LONGEST * self.job.seconds)
            started = time.perf_counter()
            try:
                scores = self._scores(scoring, structure, items_N[:count], watch)
            except _Enough:
                each = watch.seconds_of_all / count
                return max(0.0, known[0][1] - each) if known else 0.0, each, scores
            known.append((count, time.perf_counter() - started))
            if count == len(items_N) or (known[-1][1] > self.job.seconds / 2 and len(known) > 2):
                return *_line(known), scores
            if len(known) > 1:  # the first one warmed up
                count = min(4 * count, len(items_N))

    def _scores(
        self,
        scoring: ScoringSettings,
        structure: NetworkStructure,
        items_N: torch.Tensor,
        monitor: Monitor,
    ) -> Scores:
        criterion = criterion_of(scoring.criterion, self.criterion)
        about = (self.model, structure, self.task, items_N, self.execution, monitor)
        return scores_of(scoring, criterion, *about)

    def _candidates(
        self, structure: NetworkStructure, scores: Scores | None
    ) -> tuple[CandidateCost, ...]:
        """What is left of the network by a step, as these scores would have it, or the weights."""
        example = examples(self.task, 1)
        if scores is None:
            scoring = replace(self.job.scoring, criterion="l1")
            scores = self._scores(scoring, structure, torch.arange(1), self.monitor)
        edits = candidates.propose(self.model, structure, scores, self.job.scoring, example, 0)
        found = []
        for edit in edits:
            cost = cost_of(editing.apply(edit, self.model), example)
            found.append(CandidateCost(edit.structure, cost.num_macs, cost.num_params))
        return tuple(found)


def _line(known: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """The seconds at no item, and those an item: by the largest two counts."""
    count, seconds = known[-1]
    before, less = known[-2] if len(known) > 1 else (0, 0.0)
    each = (seconds - less) / (count - before) if count > before else 0.0
    if each <= 0:  # it hardly depends on them, or the clock was disturbed
        return 0.0, seconds / count
    return max(0.0, seconds - each * count), each
