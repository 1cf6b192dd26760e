"""What the finished jobs of a run took, and so what is still to come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.contracts.codec import FormatError, decode
from engine.contracts.json_values import JsonObject
from store import Phase, TreeStore

_MOST_PARENTS = 200  # whose rankings are looked at, the newest


@dataclass(frozen=True)
class Took:
    """So many jobs of a kind (`rank`, `recover`, `tune`), and the mean of their seconds."""

    phase: str
    count: int
    seconds: float

    @property
    def total(self) -> float:
        return self.count * self.seconds


@dataclass(frozen=True)
class _WithSeconds:
    seconds: float = 0.0


_PHASES: dict[Phase, str] = {"recovered": "recover", "tuned": "tune"}


def times_so_far(store: TreeStore, run_id: int) -> tuple[Took, ...]:
    """What the jobs of a run took, by their kinds."""
    parents = dict.fromkeys(each.parent_id for each in store.decisions(run_id))
    ranked = [
        _seconds_of(proposal.content)
        for parent in list(parents)[-_MOST_PARENTS:]
        for proposal in store.proposals(parent)
    ]
    found = [_mean("rank", [each for each in ranked if each > 0])]
    by_phase = store.seconds_by_phase(run_id)
    found += [_mean(name, by_phase.get(phase, [])) for phase, name in _PHASES.items()]
    return tuple(each for each in found if each.count)


def one_decision(took: Sequence[Took], candidates: int, at_once: int) -> float | None:
    """Seconds of a decision, by what others took; None before a first one."""
    mean = {each.phase: each.seconds for each in took}
    if "recover" not in mean:
        return None
    waves = math.ceil(candidates / max(at_once, 1))
    return mean.get("rank", 0.0) + waves * mean["recover"] + mean.get("tune", 0.0)


def _mean(phase: str, seconds: Sequence[float]) -> Took:
    return Took(phase, len(seconds), sum(seconds) / len(seconds) if seconds else 0.0)


def _seconds_of(content: JsonObject) -> float:
    try:
        return decode(_WithSeconds, content, "proposal").seconds
    except FormatError:
        return 0.0
