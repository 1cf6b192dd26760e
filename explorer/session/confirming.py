"""A decision that is too close, looked at again with other seeds of both recoveries.

The interval of a margin tells how far other images would move it, not how far another recovery
would. So both candidates recover again, seed by seed, until their paired differences leave the
point at which the decision would turn, by Student's t, or until no seed is left. Looking after each
seed is looking often: by Bonferroni each look is at 5 % over the number of looks.
"""

from __future__ import annotations

import asyncio
import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from engine.contracts import seeds
from engine.contracts.jobs import Recovered, key_of
from engine.contracts.settings import Settings
from explorer.session.deciding import (
    Confirmed,
    bonus_of,
    champions_of,
    contenders,
    margin_between,
)
from explorer.session.job_runner import JobRunner
from explorer.session.policy import Margin
from store import Node, TreeStore

KIND = "another seed"
LEVEL = 0.05
COMPARES = "cka"  # the policy that decides by similarity


def verdict(differences: Sequence[float], turning: float, looks: int) -> Margin:
    """The mean difference over seeds with its interval, whose level is `LEVEL` over the number of
    looks; too close where that holds the turning point."""
    from scipy.special import stdtrit

    mean, count = statistics.fmean(differences), len(differences)
    if count < 2:
        return Margin(mean, None, None, None)
    quantile = float(stdtrit(count - 1, 1 - LEVEL / (2 * looks)))
    half = quantile * statistics.stdev(differences) / math.sqrt(count)
    return Margin(mean, mean - half, mean + half, mean - half <= turning <= mean + half)


def similarities(store: TreeStore, node: Node) -> dict[int, float]:
    """A candidate's similarity by the number of the seed; 0 is that of its own recovery."""
    found = {0: node.metrics["similarity"]} if "similarity" in node.metrics else {}
    for each in store.evaluations(node.id):
        number = each.settings.get("seed")
        if each.kind == KIND and isinstance(number, int) and "similarity" in each.metrics:
            found[number] = each.metrics["similarity"]
    return found


async def confirm(jobs: JobRunner, measured: Sequence[Node]) -> None:
    """Repeats the recoveries of a decision's two contenders while it is too close and may be.

    What was repeated before counts. Raises JobFailedError.
    """
    settings, store = jobs.document.settings, jobs.store
    if not may_repeat(settings):
        return
    champions = champions_of(measured).values()
    margin = margin_between(champions, settings, lambda n: store.resamples(n.id, "recovered") or ())
    pair = contenders(champions, settings)
    if margin is None or not margin.too_close or pair is None:
        return
    for number in range(1, settings.search.confirm + 1):
        found = confirmed(store, pair, settings)
        if found is not None and not found.margin.too_close:
            return
        missing = [node for node in pair if number not in similarities(store, node)]
        await asyncio.gather(*(_repeat(jobs, node, number) for node in missing))


def confirmed(store: TreeStore, pair: tuple[Node, Node], settings: Settings) -> Confirmed | None:
    """What the repeats of two contenders say; None where there are none."""
    if not may_repeat(settings):
        return None
    ours, theirs = (similarities(store, node) for node in pair)
    common = sorted(ours.keys() & theirs.keys())
    if len(common) < 2:
        return None
    looks = max(settings.search.confirm, len(common) - 1)
    differences = [ours[n] - theirs[n] for n in common]
    margin = verdict(differences, -bonus_of(pair[0], settings), looks)
    means = [statistics.fmean(each[n] for n in common) for each in (ours, theirs)]
    return Confirmed((means[0], means[1]), margin, len(common), looks)


def may_repeat(settings: Settings) -> bool:
    """Whether other seeds are wanted, and would change anything."""
    search, training = settings.search, settings.training
    return search.confirm > 0 and search.policy == COMPARES and training.recovery_epochs > 0


async def _repeat(jobs: JobRunner, node: Node, number: int) -> None:
    """A candidate's recovery with another seed: measured, and its weights forgotten."""
    own = jobs.recover_job(node)
    seed = seeds.derive(jobs.document.run.seed, node.name, "recovered", number)
    job = replace(own, seed=seed)
    key = key_of(job)
    result = cast(Recovered, await jobs.do(job, key, node))
    jobs.store.add_evaluation(node.id, "recovered", KIND, {"seed": number}, result.metrics)
    jobs.artifacts.forget(key, result.snapshot)
