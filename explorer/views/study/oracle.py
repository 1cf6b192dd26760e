"""Whether a signal before or at recovery tells which of two candidates will be the better one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from engine.contracts.metrics import measure
from explorer.views.counting import counted
from explorer.views.shape_fields import told
from explorer.views.study.sibling_pairs import (
    RECOVERED,
    TEST,
    TUNED,
    Candidate,
    Siblings,
    siblings_of,
)
from explorer.views.study.statistics import (
    Estimate,
    PairDifference,
    concordance,
    spearman,
    tau,
)
from store import TreeStore

OUTCOMES = {
    RECOVERED: "validation accuracy after recovery",
    TUNED: "validation accuracy after tuning",
    TEST: "test accuracy after tuning (told, never decided by)",
}
_LOWER_IS_BETTER = ("score", "val_loss")
# Bigger networks are more accurate: a signal says something where it does better than their size.
CONTROLS = ("macs", "params", "latency_ratio")
_ORDER = ("score", "val_accuracy_before", "similarity", "similarity_second", "val_loss",
          "val_accuracy", *CONTROLS)  # fmt: skip


@dataclass(frozen=True)
class SignalView:
    """How well one signal orders candidates of the same parent by an outcome."""

    signal: str = told("its key: `similarity:cka`, `score:kl`, `val_accuracy_before`, …")
    name: str = told("what it is, in words")
    is_control: bool = told("whether it is a size, to compare signals with")
    pairs: int = told("pairs of siblings that have it and are not equally good")
    parents: int = told("how many parents they are of, which are what is drawn in the bootstrap")
    ties: int = told("pairs that it does not tell apart, each counted as half a hit")
    picked: Estimate = told("the share of pairs in which it picked the better one")
    tau: Estimate = told("Kendall's tau within parents: the share it orders rightly less the rest")
    spearman: Estimate = told("Spearman's correlation of the gaps of signal and outcome")
    words: str = told("the same in a sentence")


@dataclass(frozen=True)
class OutcomeView:
    """What the signals are held against."""

    outcome: str = told("`recovered`, `tuned` or `test`")
    name: str = told("what it is, in words")
    pairs: int = told("pairs of siblings that both have it")
    equal: int = told("how many of these are equally good, which no signal can order")
    signals: tuple[SignalView, ...] = told("the signals; sizes come last")


@dataclass(frozen=True)
class OracleTold:
    """What `study oracle --json` prints."""

    stores: tuple[str, ...] = told("the stores")
    parents: int = told("how many parents have at least two recovered candidates")
    pairs: int = told("how many pairs of siblings there are")
    outcomes: tuple[OutcomeView, ...] = told("by what becomes of them")


def oracle_told(stores: Sequence[TreeStore]) -> OracleTold:
    """The whole table, from what is stored. Raises UnreadableRowError, StoreError."""
    families = siblings_of(stores)
    outcomes = (_outcome(families, name) for name in OUTCOMES)
    return OracleTold(
        tuple(str(store.path) for store in stores),
        len(families),
        sum(len(family.pairs) for family in families),
        tuple(each for each in outcomes if each.pairs),
    )


def _outcome(families: Sequence[Siblings], outcome: str) -> OutcomeView:
    known = [
        (family.parent, a, b)
        for family in families
        for a, b in family.pairs.values()
        if outcome in a.outcomes and outcome in b.outcomes
    ]
    unequal = [pair for pair in known if pair[1].outcomes[outcome] != pair[2].outcomes[outcome]]
    keys = {key for _, a, b in unequal for key in a.signals.keys() & b.signals.keys()}
    if outcome == RECOVERED:
        keys -= {"val_accuracy"}  # the outcome itself
    signals = (_signal(unequal, key, outcome) for key in sorted(keys, key=_place))
    return OutcomeView(
        outcome, OUTCOMES[outcome], len(known), len(known) - len(unequal), tuple(signals)
    )


def _place(key: str) -> tuple[int, str]:
    return _ORDER.index(key.partition(":")[0]), key


def _signal(
    pairs: Iterable[tuple[str, Candidate, Candidate]], key: str, outcome: str
) -> SignalView:
    found = list(_differences(pairs, key, outcome))
    picked = concordance(found)
    parents = len({pair.cluster for pair in found})
    name = _name(key)
    return SignalView(
        key,
        name,
        key in CONTROLS,
        len(found),
        parents,
        sum(pair.signal == 0 for pair in found),
        picked,
        tau(picked),
        spearman(found),
        f"{name} picked the better of two in {share_words(picked)} of "
        f"{counted(len(found), 'pair')} of {counted(parents, 'parent')}; a coin does 50 %",
    )


def _differences(
    pairs: Iterable[tuple[str, Candidate, Candidate]], key: str, outcome: str
) -> Iterator[PairDifference]:
    sign = -1 if key.partition(":")[0] in _LOWER_IS_BETTER else 1
    for parent, a, b in pairs:
        if key in a.signals and key in b.signals:
            yield PairDifference(
                parent,
                sign * (a.signals[key] - b.signals[key]),
                a.outcomes[outcome] - b.outcomes[outcome],
            )


def _name(key: str) -> str:
    kind, _, method = key.partition(":")
    if kind == "score":
        return f"the lower {method} score of what was removed"
    if kind == "similarity":
        return f"the higher {method.upper() if method == 'cka' else method} to the parent"
    which = "lower" if kind in _LOWER_IS_BETTER else "higher"
    at = " after recovery" if kind in ("val_loss", "val_accuracy") else ""
    if kind in CONTROLS:
        return {"macs": "more MACs left", "params": "more parameters left",
                "latency_ratio": "the slower one"}[kind]  # fmt: skip
    return f"the {which} {measure(kind).name}{at}"


def share_words(share: Estimate) -> str:
    """`61 % [52, 70]`."""
    if share.value is None:
        return "none"
    text = f"{100 * share.value:.0f} %"
    if share.low is None or share.high is None:
        return text
    return f"{text} [{100 * share.low:.0f}, {100 * share.high:.0f}]"
