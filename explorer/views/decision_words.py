"""A decision in words: what a colleague would say of a parent's candidates, before the numbers.

What to keep and by how much, whether accuracy agrees, what each one saves, and what stands against
it. Pure. Sources: Eq. 3 of arXiv 2506.04513 for what is suggested; that another training seed alone
moves CKA by about .005 was measured on ResNet20 (README.md, "How it decides").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.contracts.edits import LAYER
from engine.contracts.methods import similarity_called
from engine.contracts.setting_sections import NO_SECOND
from explorer.session.policy import Margin
from explorer.views.counting import listed
from explorer.views.decide_card import Card
from explorer.views.job_view import JobView
from explorer.views.measured_text import number
from explorer.views.node_view import NodeView

Tone = Literal["lead", "plain", "warning", "bad", "aside"]
SEED_NOISE, _SEED_NOISE = 0.005, ".005"  # of CKA
SAME_SAVING = 0.5  # points of the root's MACs below which two candidates save alike
UNEQUAL = 1.25  # times as much is an unequal cut


@dataclass(frozen=True)
class Sentence:
    """One sentence, and how it is meant."""

    text: str
    tone: Tone = "plain"


def decision_words(card: Card) -> list[Sentence]:
    """What is to be said of a card's candidates, the most important first."""
    if not card.candidates:
        return []
    if card.kept is not None:
        return [_decided(card), *_agreement_of(card), *_protected(card)]
    if card.awaited:
        return [_waiting(card), *_measured_already(card), *_failed(card)]
    if card.suggested is None:
        return _failed(card)
    return [*_suggestion(card), *_agreement_of(card), *_failed(card), *_protected(card)]


def called(card: Card, node: NodeView) -> str:
    """`the layer candidate`; by its name where there are several of its structure."""
    same = [other for other in card.candidates if other.structure == node.structure]
    return node.name if len(same) > 1 else f"the {node.structure} candidate"


# ------------------------------------------------------------ what is suggested


@dataclass(frozen=True)
class _Pair:
    """The candidate that is suggested (or was kept), and the one that it is compared with."""

    best: NodeView
    other: NodeView

    def difference(self, key: str) -> float | None:
        """The first one's measure less the other's; None where one lacks it."""
        first, second = (number(node.measure(key)) for node in (self.best, self.other))
        return None if first is None or second is None else first - second


def _pair(card: Card, best_name: str | None) -> _Pair | None:
    """The candidate of that name and the most similar one of the others."""
    ready = [node for node in card.candidates if node.state == "ready"]
    best = next((node for node in ready if node.name == best_name), None)
    others = [node for node in ready if node.name != best_name]
    if best is None or not others:
        return None
    elsewhere = [node for node in others if node.structure != best.structure] or others
    return _Pair(best, max(elsewhere, key=lambda node: number(node.similarity) or -math.inf))


def _suggestion(card: Card) -> list[Sentence]:
    best = next(node for node in card.candidates if node.name == card.suggested)
    pair = _pair(card, card.suggested)
    if pair is None:
        why = f": {card.reason}" if card.reason else ""
        return [Sentence(f"Keep {called(card, best)}{why}.", "lead")]
    difference = pair.difference("similarity")
    if card.run.policy != "cka":
        said = Sentence(f"The policy {card.run.policy} keeps {called(card, best)}.", "lead")
        return [said, *_by_similarity(card, pair, difference)]
    if difference is None or (difference < 0 and not card.run.layer_bonus):
        return [Sentence(f"Keep {called(card, best)}: {card.reason}.", "lead")]
    if card.margin is not None and card.margin.too_close:
        return [_too_close(card, pair, difference)]
    return [_clear(card, pair, difference), *_seed_doubt(card, difference)]


def _clear(card: Card, pair: _Pair, difference: float) -> Sentence:
    margin = card.margin
    if difference == 0:
        reason = f"both have the same {_measure(card)}, and a tie goes to the layer"
    elif difference < 0:
        reason = (
            f"the layer bonus of {card.run.layer_bonus:g} outweighs that its {_measure(card)} is "
            f"{_points(difference)} lower"
        )
    else:
        reason = f"its {_measure(card)} is {_points(difference)} higher"
    certain = ""
    if margin is not None and margin.low is not None and not margin.too_close:
        certain = f" and the 95 % interval excludes {_turn(card)}"
    return Sentence(f"Keep {called(card, pair.best)}: {reason}{certain}.", "lead")


def _too_close(card: Card, pair: _Pair, difference: float) -> Sentence:
    margin = card.margin
    assert margin is not None
    more = "higher" if difference >= 0 else "lower"
    return Sentence(
        f"Too close to call: {called(card, pair.best)}'s {_measure(card)} is "
        f"{_points(difference)} {more}, but the 95 % interval{_interval(margin)} holds "
        f"{_turn(card)}{_seed_moves(card)}.",
        "warning",
    )


def _seed_doubt(card: Card, difference: float) -> list[Sentence]:
    """An interval over images knows nothing of the training's seed."""
    seen = card.margin is not None and card.margin.low is not None and _is_cka(card)
    if not seen or not 0 < difference < SEED_NOISE:
        return []
    return [
        Sentence(
            f"That is less than another training seed moves CKA by (about {_SEED_NOISE}).",
            "warning",
        )
    ]


def _by_similarity(card: Card, pair: _Pair, difference: float | None) -> list[Sentence]:
    """What the similarity says where another policy decides."""
    if difference is None:
        return []
    title = _measure(card)
    if card.margin is not None and card.margin.too_close:
        return [Sentence(f"{_begun(title)} cannot tell them apart (the 95 % interval holds 0).")]
    winner = called(card, pair.best if difference >= 0 else pair.other)
    return [Sentence(f"By {title} it is {winner}, {_points(difference)} higher.")]


def _measure(card: Card) -> str:
    """What the run's similarity is called: its figures are of that measure."""
    return similarity_called(card.run.similarity).title


def _is_cka(card: Card) -> bool:
    """Whether it is the measure by which the noise of a seed was measured."""
    return card.run.similarity == "cka"


def _begun(words: str) -> str:
    """As a sentence begins."""
    return words[:1].upper() + words[1:]


def _seed_moves(card: Card) -> str:
    if not _is_cka(card):
        return ""
    return f"; another training seed alone moves CKA by about {_SEED_NOISE}"


def _turn(card: Card) -> str:
    """The margin at which the decision turns, in words."""
    return "0" if not card.run.layer_bonus else f"the turning point ({-card.run.layer_bonus:+g})"


# ------------------------------------------------------------ accuracy and savings


def _agreement_of(card: Card) -> list[Sentence]:
    """Whether accuracy agrees with the choice, and what it saves against the other one."""
    chosen = card.suggested if card.kept is None else (card.kept[0] if card.kept else None)
    if card.kept is not None and len(card.kept) != 1:
        return []
    pair = _pair(card, chosen)
    if pair is None:
        return []
    return [*_second_opinion(card, pair), *_accuracy(card, pair), *_savings(card, pair)]


def _second_opinion(card: Card, pair: _Pair) -> list[Sentence]:
    """Whether the second measure would take the same one, the layer bonus counted in."""
    difference = pair.difference("similarity_second")
    if difference is None or card.run.second == NO_SECOND:
        return []
    title = similarity_called(card.run.second).title
    bonus = card.run.layer_bonus
    for_best, for_other = (bonus * (n.structure == LAYER) for n in (pair.best, pair.other))
    contended = difference + for_best - for_other
    if contended < 0 or (contended == 0 and pair.other.structure == LAYER):
        other = called(card, pair.other)
        more = f"{_points(difference)} higher" if difference else "as a tie goes to the layer"
        text = f"The measures disagree: {title} would keep {other}, {more}."
        return [Sentence(text, "warning")]
    sign = "−" if difference < 0 else "+"
    return [Sentence(f"{_begun(title)} agrees ({sign}{_points(difference)}).")]


def _accuracy(card: Card, pair: _Pair) -> list[Sentence]:
    difference = pair.difference("val_accuracy")
    if difference is None:
        return []
    told = f"{_signed(difference)} points"
    noise = _accuracy_noise(pair, card.run.num_validation)
    if noise is not None and abs(difference) <= noise:
        items = f"{card.run.num_validation:,} validation {card.run.items}"
        if difference == 0:
            return [Sentence(f"Accuracy is the same on {items}.")]
        way = "the same" if difference > 0 else "the other"
        apart = f"{items} tell {noise:.1f} and more apart"
        return [Sentence(f"Accuracy leans {way} way ({told}; {apart}).")]
    if difference >= 0:
        return [Sentence(f"Accuracy agrees ({told}).")]
    other = called(card, pair.other)
    return [
        Sentence(
            f"Accuracy disagrees: {other}'s is {abs(difference):.2f} points higher.", "warning"
        )
    ]


def _accuracy_noise(pair: _Pair, num_items: int) -> float | None:
    """The half width of a 95 % interval of the difference of two accuracies on the same items, in
    points. At most as many items differ as either of them gets wrong, so it is an upper bound."""
    if num_items < 1:
        return None
    wrong = sum(1 - (number(node.val_accuracy) or 0.0) / 100 for node in (pair.best, pair.other))
    return 196 * math.sqrt(max(wrong, 0.0) / num_items)


def _savings(card: Card, pair: _Pair) -> list[Sentence]:
    """Which one saves more multiply-accumulates: a smaller cut keeps more by itself."""
    own, others = (_saved(card, node) for node in (pair.best, pair.other))
    if own is None or others is None:
        return []
    if abs(own - others) < SAME_SAVING:
        return [Sentence(f"Both save about as many MACs ({own:.1f} and {others:.1f} points).")]
    name = called(card, pair.best)
    who = name[0].upper() + name[1:]
    than = f" than {pair.other.name}" if len(card.candidates) > 2 else ""
    if own > others:
        return [Sentence(f"{who} also saves {own - others:.1f} points more MACs{than}.")]
    unequal = own <= 0 or others / own >= UNEQUAL
    why = ", and a smaller cut keeps more by itself" if unequal else ""
    text = f"{who} saves {others - own:.1f} points fewer MACs{than}{why}."
    return [Sentence(text, "warning" if unequal else "plain")]


def _saved(card: Card, node: NodeView) -> float | None:
    """How many percent of the root's multiply-accumulates a candidate saves against its parent."""
    own, before, whole = (number(each.measure("macs")) for each in (node, card.parent, card.root))
    return None if own is None or before is None or not whole else 100 * (before - own) / whole


# ------------------------------------------------------------ what is not measured


def _waiting(card: Card) -> Sentence:
    told = [f"{name}{_how_far(card.jobs.get(name))}" for name in card.awaited]
    return Sentence(f"Waiting for {listed(told)}.", "lead")


def _how_far(job: JobView | None) -> str:
    if job is None or job.state == "queued":
        return " (queued)"
    epoch = f", epoch {job.epoch}" if job.epoch else ""
    paused = ", paused" if job.state == "paused" else ""
    return f" ({job.phase or job.kind}{epoch}{paused})"


def _measured_already(card: Card) -> list[Sentence]:
    """What there is to compare with."""
    return [
        Sentence(
            f"{node.name} is measured: {_measure(card)} {_points(value)}, val acc {accuracy:.2f} %."
        )
        for node in card.candidates
        if node.name not in card.awaited
        and (value := number(node.similarity)) is not None
        and (accuracy := number(node.val_accuracy)) is not None
    ]


def _failed(card: Card) -> list[Sentence]:
    return [
        Sentence(
            f"{node.name} failed{f': {node.error}' if node.error else ''}; it can be tried again."
            if node.state == "failed"
            else f"{node.name} was cancelled; it can be tried again.",
            "bad" if node.state == "failed" else "aside",
        )
        for node in card.candidates
        if node.state in ("failed", "cancelled")
    ]


def _protected(card: Card) -> list[Sentence]:
    """That the block which looks least important is not among the candidates, and why."""
    if card.protected is None:
        return []
    path, why = card.protected
    return [Sentence(f"{path} scores lowest of all blocks, but stays: {why}.", "aside")]


# ------------------------------------------------------------ what was decided


def _decided(card: Card) -> Sentence:
    assert card.kept is not None
    who = "You" if card.decided_by == "user" else f"The policy {card.decided_by or 'of the run'}"
    if not card.kept:
        return Sentence(f"{who} kept none of them.", "lead")
    kept = [node for node in card.candidates if node.name in card.kept]
    if len(kept) > 1:
        both = "both" if len(kept) == len(card.candidates) == 2 else listed(
            [node.name for node in kept]
        )  # fmt: skip
        return Sentence(f"{who} kept {both}.", "lead")
    name = called(card, kept[0]) if kept else listed(card.kept)
    against = ""
    if card.decided_by == "user" and card.suggested not in (None, *card.kept):
        against = ", against the suggestion"
    return Sentence(f"{who} kept {name}{against}{_why_then(card, kept)}.", "lead")


def _why_then(card: Card, kept: Sequence[NodeView]) -> str:
    """By what it was decided: the margin as it was then, or a person's own words."""
    pair = _pair(card, kept[0].name) if kept else None
    difference = None if pair is None else pair.difference("similarity")
    own_words = card.decided_by == "user" and not card.reason.startswith(_BY_KEYS)
    if own_words and card.reason:
        return f": {card.reason}"
    if difference is None:
        return ""
    sure = " (too close to call)" if card.margin is not None and card.margin.too_close else ""
    more = "higher" if difference >= 0 else "lower"
    return f": its {_measure(card)} was {_points(difference)} {more}{sure}"


_BY_KEYS = ("approved: ", "overrode ", "kept ", "chose ", "branched: ", "undid ")


# ------------------------------------------------------------ figures in prose


def _points(value: float) -> str:
    """`.0158`: the size of a similarity, or of a difference of two."""
    text = f"{abs(value):.4f}"
    return (
        text.removeprefix("0").rstrip("0") if abs(value) == SEED_NOISE else text.removeprefix("0")
    )


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _interval(margin: Margin) -> str:
    if margin.low is None or margin.high is None:
        return ""
    return f" of the margin ({_signed4(margin.low)} to {_signed4(margin.high)})"


def _signed4(value: float) -> str:
    sign = "−" if value < 0 else "+"
    return f"{sign}{_points(value)}"
