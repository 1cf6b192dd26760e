"""The parts of the Decide card: cells of figures, margin, keys, jobs. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from engine.contracts.edits import LAYER, Edit
from explorer.session.policy import Margin
from explorer.tui.drawing import numbers as fig
from explorer.tui.drawing.cells import Piece, short_name
from explorer.tui.keys import KEYS, shown
from explorer.views.disturbed import is_disturbed
from explorer.views.job_view import JobView
from explorer.views.node_view import NodeView
from explorer.views.removed import removed_briefly
from explorer.views.safe_text import safe


class Scale(NamedTuple):
    """The ends of the bars: not 0, as then all of them would look the same."""

    low: float
    high: float

    def share(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)


def bar_scale(similarities: Sequence[float]) -> Scale | None:
    """Round ends around the values, the lower at least .01 below them; None for fewer than two."""
    if len(similarities) < 2:
        return None
    low = math.floor(round((min(similarities) - 0.01) * 100, 6)) / 100
    high = math.ceil(round(max(similarities) * 100, 6)) / 100
    return Scale(low, high)


def key_pieces(
    choices: Sequence[tuple[str, str]], width: int, keymap: Mapping[str, str]
) -> list[Piece]:
    """`a approve F   o take L`: keys by the ids of the key table; the last ones go if need be."""
    keys = {key.id: keymap.get(key.id, key.keys) for key in KEYS}
    pieces: list[Piece] = []
    for gap in ("   ", "  "):
        pieces = []
        for place, (name, label) in enumerate(choices):
            pieces += [(gap if place else "", ""), (shown(keys[name]), "key"), (f" {label}", "")]
        if sum(cell_len(text) for text, _ in pieces) <= width:
            return pieces
    return pieces if len(choices) <= 1 else key_pieces(choices[:-1], width, keymap)


def tone_of_structure(structure: str) -> str:
    """The accent of what a candidate goes without."""
    return "layer" if structure == LAYER else "units"


def margin_pieces(margin: Margin | None, width: int, unit: str = "filter") -> list[Piece]:
    """The margin of the layer candidate over the one without units, with its 95 % interval."""
    if margin is None:
        return []
    sides = f"L−{unit[:1].upper()}"
    value = f"margin {sides} {fig.signed(margin.value, 4)}"
    if margin.low is None or margin.high is None:
        return [(fig.first_fitting([f"{value}  (no interval)", value], width), "")]
    interval = f"[{fig.signed(margin.low, 4)}, {fig.signed(margin.high, 4)}]"
    short = f"{sides} {fig.signed(margin.value, 4)}"
    close = ["  too close to call", " too close"] if margin.too_close else [""]
    texts = [f"{value}  {interval}{said}" for said in close]
    texts += [f"{short} {interval}{said}" for said in close]
    texts += [f"{short}{said}" for said in close]
    texts += ["too close"] if margin.too_close else []
    return [(fig.first_fitting(texts, width), "warning" if margin.too_close else "")]


def job_text(job: JobView) -> str:
    """A job in one line."""
    parts = [safe(job.node), safe(job.phase or job.kind)]
    if job.state == "queued":
        return " ".join((*parts, "waiting"))
    if job.epoch:
        parts.append(f"epoch {safe(job.epoch)}")
    if job.share is not None:
        parts.append(fig.share_text(job.share).strip())
    if job.eta_seconds is not None:
        parts.append(f"eta {fig.duration(job.eta_seconds)}")
    return " ".join(parts)


def job_lines(job: JobView, width: int) -> list[str]:
    """A running job in the narrow column of its candidate."""
    what = safe(job.phase or job.kind)
    mark = "‖" if job.state == "paused" else "◐"
    epoch = f"epoch {safe(job.epoch)}" if job.epoch else ""
    room = max(width - 5, 0)
    lines = [f"{mark} {what}", f"{fig.progress(job.share, room)} {fig.share_text(job.share)}"]
    lines += [epoch] if epoch else []
    lines += [f"eta {fig.duration(job.eta_seconds)}"] if job.eta_seconds is not None else []
    return [fig.cut(line, width) for line in lines]


def similarity_ends(value: float) -> str:
    """An end of the bars' scale: `.94`, `1`."""
    text = f"{value:.2f}".replace("-", "−")
    return "1" if text == "1.00" else text.replace("0.", ".", 1) if "0." in text[:3] else text


def removes_text(edit: Edit | None, words: str | None, width: int) -> str:
    """What an edit removes in a narrow column; where it is not at hand, the `words` for it."""
    if edit is None:
        return fig.cut(safe(words), width) if words else fig.NONE
    if len(edit.blocks) == 1 and not edit.units:
        return short_name(edit.blocks[0], width)
    return fig.first_fitting(removed_briefly(edit), width)


def accuracy_text(node: NodeView, parent: NodeView | None, width: int) -> str:
    """Percent before → after recovery, and the change from the parent in points."""
    after = fig.number(node.val_accuracy)
    if after is None:
        return fig.NONE
    before = fig.number(node.measure("val_accuracy_before"))
    base = None if parent is None else fig.number(parent.val_accuracy)
    change = "" if base is None else f" Δ{fig.signed(after - base)}"
    variants = [f"{after:.2f}{change}", f"{after:.2f}"]
    if before is not None:
        variants.insert(0, f"{before:.2f}→{after:.2f}{change}")
    return fig.first_fitting(variants, width)


def share_gone_text(node: NodeView, parent: NodeView, root: NodeView, what: str, width: int) -> str:
    """How many percent of the root's are gone, and the change from the parent in points."""
    own, base, whole = (fig.number(n.measure(what)) for n in (node, parent, root))
    if not whole or own is None:
        return fig.NONE
    gone = fig.percent_removed(100 * (1 - own / whole))
    if base is None or node is parent:
        return fig.cut(gone, width)
    change = f" Δ{fig.signed(100 * (own - base) / whole, 1)}"
    return fig.first_fitting([gone + change, gone], width)


def latency_text(node: NodeView, parent: NodeView | None, width: int) -> str:
    """How many times the parent's, with its interval; milliseconds where there is no parent.

    Milliseconds of two nodes are of two moments of a machine and never stand beside each other.
    """
    ratio = ratio_texts(node)
    if parent is not None and ratio:
        return fig.first_fitting(ratio, width)
    own = fig.number(node.measure("latency_ms"))
    if own is None or parent is not None:
        return fig.NONE
    return fig.cut(f"{own:.2f} ms" if own < 100 else f"{own:.0f} ms", width)


def ratio_texts(node: NodeView) -> list[str]:
    """A latency over the parent's, as long and as short as it can be written; none without one.

    Where the machine was too busy for one, that stands in its place.
    """
    if is_disturbed(node):
        return ["the machine was busy", "machine was busy", "busy then"]
    value, low, high = (
        fig.number(node.measure(key))
        for key in ("latency_ratio", "latency_ratio_low", "latency_ratio_high")
    )
    if value is None:
        return []
    short = f"×{value:.2f}"
    if low is None or high is None:
        return [short]
    return [f"{short} [{_plain(low)}, {_plain(high)}]", short]


def _plain(value: float) -> str:
    """`.93`, `1.02`."""
    return f"{value:.2f}".removeprefix("0")
