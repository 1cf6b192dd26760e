"""How a candidate is compared with its parent: which layers, by which measures, and what a person
should know of the figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from engine.contracts.jobs import Recover
from engine.contracts.setting_sections import NO_SECOND, SimilaritySettings
from engine.measures.accuracy import Evaluation
from engine.measures.layers import layers_of, pairs_of
from engine.measures.similarities import SIMILARITIES, alike, chance_level, compared
from engine.pruning.structure import structure_of
from engine.runtime.progress import Monitor
from engine.worker.workbench import Workbench

BY_CHANCE = 0.05  # of linear CKA: more than differences between candidates are
FEW_ROWS = 8  # that are enough to see whether a measure applies


@dataclass(frozen=True)
class ComparedLayers:
    """The modules that are compared, by layer; none where it is the input of the classifier."""

    of_parent: Mapping[str, str]
    of_candidate: Mapping[str, str]


def layers_of_job(job: Recover, parent: nn.Module) -> ComparedLayers:
    """The layers of a parent and of what its candidate still has. Raises EngineError."""
    representation = job.similarity.representation
    if representation == "penultimate":
        return ComparedLayers({}, {})
    structure = job.structure or structure_of(parent)
    gone = {*job.edit.blocks, *(removal.path for removal in job.edit.removals)}
    return ComparedLayers(
        layers_of(structure, representation), layers_of(structure, representation, gone)
    )


def check(similarity: SimilaritySettings, parent: Evaluation, candidate: Evaluation) -> None:
    """Raises EngineError where a measure cannot compare the two, before any training."""
    targets_M = parent.targets_M[:FEW_ROWS]
    for x, y in _pairs(parent, candidate):
        rows = min(len(x), len(y), FEW_ROWS)
        for name in _names(similarity):
            alike(SIMILARITIES[name], x[:rows], y[:rows], targets_N=targets_M[:rows])


def compare(
    job: Recover, parent: Evaluation, candidate: Evaluation, bench: Workbench, monitor: Monitor
) -> tuple[dict[str, float], tuple[float, ...]]:
    """The similarity as a metric, with the second opinion where one is asked for, and the
    similarity of each resample."""
    settings, pairs = job.similarity, _pairs(parent, candidate)
    about = (candidate.items_M, candidate.targets_M)
    measure = SIMILARITIES[settings.measure]
    value, resamples = compared(measure, pairs, settings.num_resamples, job.resample_seed, *about)
    found = {"similarity": value}
    if settings.second != NO_SECOND:
        second = SIMILARITIES[settings.second]
        found["similarity_second"] = compared(second, pairs, 0, job.resample_seed, *about)[0]
    if "cka" in _names(settings):
        _tell_bias(pairs, bench, monitor)
    return found, tuple(resamples)


def _pairs(parent: Evaluation, candidate: Evaluation) -> list[tuple[Tensor, Tensor]]:
    if not parent.layers:
        return [(parent.features_MD, candidate.features_MD)]
    return pairs_of(parent.layers, candidate.layers)


def _names(similarity: SimilaritySettings) -> tuple[str, ...]:
    second = similarity.second
    return (similarity.measure,) if second == NO_SECOND else (similarity.measure, second)


def _tell_bias(pairs: list[tuple[Tensor, Tensor]], bench: Workbench, monitor: Monitor) -> None:
    """Says once where linear CKA is high by itself, for so few rows of so wide features."""
    for x, y in pairs:
        num_rows, width = len(x), max(x.shape[1], y.shape[1])
        told = f"{num_rows} rows of {width}"
        if width <= BY_CHANCE * num_rows or told in bench.told:
            continue  # so few features cannot reach it
        chance = chance_level(x, y)
        if chance > BY_CHANCE:
            bench.told.add(told)
            monitor.note(
                f"CKA of {num_rows:,} rows of {width:,} features is biased: these would have "
                f"{chance:.2f} if they were unrelated; --similarity cka-debiased is near 0 there"
            )
