"""The Decide card as lines of pieces: candidates side by side, then what is suggested. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from typing import NamedTuple

from rich.cells import cell_len

from engine.contracts.edits import LAYER
from engine.contracts.methods.similarities import called
from engine.contracts.metrics import measure
from explorer.tui.drawing import numbers as fig
from explorer.tui.drawing.card_cells import (
    accuracy_text,
    bar_scale,
    job_lines,
    job_text,
    key_pieces,
    latency_text,
    margin_pieces,
    removes_text,
    share_gone_text,
    similarity_ends,
    tone_of_structure,
)
from explorer.tui.drawing.card_words import word_lines
from explorer.tui.drawing.cells import Line, Piece, fit, short_name, similarity_text
from explorer.views.decide_card import Card
from explorer.views.decision_words import decision_words
from explorer.views.node_view import NodeView
from explorer.views.safe_text import safe
from explorer.views.standing import GLYPHS, SUGGESTED, structure_mark


class Part(Enum):
    """What the card's lines say, and (the last ones) how its words are made shorter."""

    WORDS = auto()
    AIR = auto()  # around the words
    HEAD = auto()
    REMOVES = auto()
    SIMILARITY = auto()
    BARS = auto()
    ACCURACY = auto()
    TUNED = auto()
    MACS = auto()
    PARAMS = auto()
    LATENCY = auto()
    MARGIN = auto()
    WORK = auto()
    KEYS = auto()
    NO_ASIDES = auto()
    FOUR_LINES = auto()
    TWO_LINES = auto()
    ONE_LINE = auto()


_LABEL, _LEAST, _MOST = 9, 14, 28  # cells of the row labels, and of a candidate's column
_MOST_WORDS = 12  # lines
_MEANWHILE = (("work.pause", "pause"), ("work.cancel", "cancel"), ("grow.candidate", "another"))
# What goes first where lines are few.
_DROPPED = (Part.BARS, Part.AIR, Part.NO_ASIDES, Part.WORK, Part.LATENCY, Part.PARAMS, Part.MARGIN,
            Part.FOUR_LINES, Part.TUNED, Part.TWO_LINES, Part.REMOVES, Part.MACS, Part.ONE_LINE,
            Part.ACCURACY, Part.SIMILARITY, Part.HEAD, Part.KEYS)  # fmt: skip
_SHORTENED = {Part.NO_ASIDES: (_MOST_WORDS, False), Part.FOUR_LINES: (4, False),
              Part.TWO_LINES: (2, False), Part.ONE_LINE: (1, False)}  # fmt: skip


def _label(key: str) -> str:
    return measure(key).label


class _Figure(NamedTuple):
    """A row of figures: what it says, its label, and a candidate's cell."""

    part: Part
    label: str
    cell: Callable[[NodeView, int], Piece]


def card_lines(
    card: Card | None,
    width: int,
    height: int,
    *,
    selected: str | None = None,
    now_what: str = "",
    keymap: Mapping[str, str] | None = None,
) -> list[Line]:
    """The card in a frame of this size; what matters least is dropped where room is short."""
    if width <= 0 or height <= 0:
        return []
    if card is None:
        words = safe(now_what, 400) or "no tree is open yet"
        lines: list[Line] = [[(line, "dim")] for line in fig.wrapped(words, width, height)]
    elif not card.candidates:
        lines = _without_candidates(card, width, height, now_what, keymap or {})
    else:
        lines = _Table(card, width, height, selected, now_what, keymap or {}).lines()
    return [fit(line, width) for line in lines]


class _Table:
    """The candidates of one card at one size: what is said of them, then their figures."""

    def __init__(
        self, card: Card, width: int, height: int, selected: str | None, now_what: str,
        keymap: Mapping[str, str],
    ) -> None:  # fmt: skip
        self.card, self.width, self.height = card, width, height
        self.selected, self.now_what, self.keymap = selected, now_what, keymap
        self.candidates = sorted(card.candidates, key=lambda node: node.structure != LAYER)
        self.label = _LABEL if width >= 2 * _LEAST else 0
        room = width - self.label
        count = max(1, min(len(self.candidates), room // _LEAST))
        self.column = min(room // count, _MOST)
        self.first = self._first_shown(count)
        self.shown = self.candidates[self.first : self.first + count]
        self.scale = bar_scale(
            [s for c in self.candidates if (s := fig.number(c.similarity)) is not None]
        )

    def lines(self) -> list[Line]:
        figures = self._figures()
        parts = self._parts(figures)
        for dropped in _DROPPED:
            if sum(len(lines) for lines in parts.values()) <= self.height:
                break
            if dropped in _SHORTENED:
                parts[Part.WORDS] = self._words(*_SHORTENED[dropped])
            else:
                parts.pop(dropped, None)
        self._fill_in(parts, figures)
        rows = [line for key, lines in parts.items() if key is not Part.KEYS for line in lines]
        if Part.KEYS in parts:  # always at the bottom, where the eye finds them
            rows += [[]] * (self.height - len(rows) - 1) + list(parts[Part.KEYS])
        return rows[: self.height]

    def _parts(self, figures: Sequence[_Figure]) -> dict[Part, list[Line]]:
        """The card's lines by what they say; those of the figures are still empty."""
        card = self.card
        parts: dict[Part, list[Line]] = {
            Part.WORDS: self._words(_MOST_WORDS), Part.AIR: [[]], Part.HEAD: [self._head()],
        }  # fmt: skip
        for figure in figures:
            parts[figure.part] = [[]]
            if figure.part is Part.SIMILARITY:
                parts[Part.BARS] = self._bars()
        if margin := margin_pieces(card.margin, self.width, self._unit()):
            parts[Part.MARGIN] = [margin]
        if work := self._work():
            parts[Part.WORK] = [[(work, "info")]]
        parts[Part.KEYS] = [self._bottom()]
        return parts

    def _words(self, most: int, asides: bool = True) -> list[Line]:
        """What is to be said, in a part of the card's height at most."""
        sentences = [s for s in decision_words(self.card) if asides or s.tone != "aside"]
        return word_lines(sentences, self.width, min(most, max(self.height // 2, 1)))

    def _fill_in(self, parts: dict[Part, list[Line]], figures: Sequence[_Figure]) -> None:
        """Puts in the figures; a candidate without any says in their place how it stands."""
        rows = [figure for figure in figures if figure.part in parts]
        room = sum(figure.part is not Part.REMOVES for figure in rows)
        standing = {n.name: iter(self._standing(n, room)) for n in self.shown}
        bars_below = bool(parts.get(Part.BARS))
        measured = any(node.state == "ready" for node in self.shown)
        for figure in rows:
            label = figure.label.partition(" ├")[0] if bars_below else figure.label
            if not (measured or figure.part is Part.REMOVES):
                label = ""  # what stands beside it is no such figure
            pieces: list[Piece] = [(fig.pad(label, self.label), "dim")]
            for node in self.shown:
                text, tone = figure.cell(node, self.column - 2)
                if bars_below:
                    text = text.partition(" ├")[0]
                if node.state != "ready" and figure.part is not Part.REMOVES:
                    text, tone = next(standing[node.name], ""), self._tone(node)
                tone = "dim" if self._tone(node) == "dim" else tone
                pieces.append((fig.pad(f" {text}", self.column), tone))
            parts[figure.part] = [pieces]

    # ------------------------------------------------------------ the columns

    def _first_shown(self, count: int) -> int:
        """Where the columns begin, so that the selected or suggested candidate is among them."""
        names = [candidate.name for candidate in self.candidates]
        wanted = next((n for n in (self.selected, self.card.suggested) if n in names), None)
        place = 0 if wanted is None else names.index(wanted)
        return max(0, min(place, place - count + 1))

    def _head(self) -> Line:
        count, last = len(self.candidates), self.first + len(self.shown)
        hidden = f"{self.first + 1}–{last} of {count}" if len(self.shown) < count else ""
        pieces: list[Piece] = [(fig.pad(hidden, self.label), "dim")]
        for node in self.shown:
            marker = "▸" if node.name == self.selected else " "
            title = marker + self._title(node, self.column - 2)
            pieces.append((fig.pad(title, self.column), self._tone(node)))
        return pieces

    def _title(self, node: NodeView, width: int) -> str:
        structure, last = safe(node.structure, 12).upper(), node.last_name
        mark, standing = structure_mark(node.structure), self._standing_sign(node)
        tail = f" {standing}" if standing else ""
        titles = [
            f"{mark} {structure}  {safe(node.name)}{tail}",
            f"{mark} {structure} {safe(last)}{tail}",
            f"{mark} {safe(last)}{tail}",
        ]
        if node.name == self.card.suggested and self.card.kept is None:
            titles.insert(0, f"{mark} {structure}  {safe(node.name)}  suggested")
        for title in titles:
            if cell_len(title) <= width:
                return title
        room = width - cell_len(f"{mark} {tail}")
        return f"{mark} {short_name(last, max(room, 1))}{tail}"

    def _standing_sign(self, node: NodeView) -> str:
        """Whether it was kept, or is suggested."""
        if self.card.kept is not None and node.kept is not None:
            return GLYPHS["kept" if node.name in self.card.kept else "rejected"]
        return SUGGESTED if node.name == self.card.suggested else ""

    def _tone(self, node: NodeView) -> str:
        if node.state in ("failed", "cancelled"):
            return "bad"
        if node.state in ("queued", "running"):
            return "running"
        if self.card.kept is not None and node.name not in self.card.kept:
            return "dim"
        return tone_of_structure(node.structure)

    def _figures(self) -> list[_Figure]:
        by = called(self.card.run.similarity).short
        floor = "" if self.scale is None else f" ├{similarity_ends(self.scale.low)}"
        return [
            _Figure(Part.REMOVES, "removes", self._removes),
            _Figure(Part.SIMILARITY, f"{by}{floor}", self._similarity),
            _Figure(Part.ACCURACY, _label("val_accuracy"), self._accuracy),
            *([_Figure(Part.TUNED, "  tuned", self._tuned)] if self._any_tuned() else []),
            _Figure(Part.MACS, _label("macs"), self._gone("macs")),
            _Figure(Part.PARAMS, _label("params"), self._gone("params")),
            _Figure(Part.LATENCY, _label("latency_ms"), self._latency),
        ]

    def _removes(self, node: NodeView, width: int) -> Piece:
        return removes_text(self.card.edits.get(node.name), node.removes, width), ""

    def _accuracy(self, node: NodeView, width: int) -> Piece:
        return accuracy_text(node, self.card.parent, width), ""

    def _any_tuned(self) -> bool:
        return any(node.name in self.card.tuned for node in self.shown)

    def _tuned(self, node: NodeView, width: int) -> Piece:
        """The accuracy after it was trained on: not to be held against one that was not."""
        tuned = self.card.tuned.get(node.name)
        after = None if tuned is None else fig.number(tuned.val_accuracy)
        if after is None:
            return "", ""
        before = fig.number(node.val_accuracy)
        change = "" if before is None else f" {fig.signed(after - before)}"
        return fig.first_fitting([f"{after:.2f}{change}", f"{after:.2f}"], width), ""

    def _latency(self, node: NodeView, width: int) -> Piece:
        return latency_text(node, self.card.parent, width), ""

    def _gone(self, what: str) -> Callable[[NodeView, int], Piece]:
        card = self.card
        return lambda node, w: (share_gone_text(node, card.parent, card.root, what, w), "")

    def _similarity(self, node: NodeView, width: int) -> Piece:
        value = fig.number(node.similarity)
        text = similarity_text(value) or fig.NONE
        if self.scale is not None and value is not None and width >= 9:
            text += f" ├{fig.bar(self.scale.share(value), width - 2 - cell_len(text))}"
        return text, "title"

    def _bars(self) -> list[Line]:
        """The bars below each other, on one scale, with both of its ends."""
        if self.scale is None or self.label == 0:
            return []
        low, high = (similarity_ends(end) for end in self.scale)
        rows: list[Line] = []
        for node in self.shown:
            value = fig.number(node.similarity)
            if value is None:
                continue
            room = self.width - self.label - cell_len(low) - cell_len(high) - 3
            text = fig.pad(fig.bar(self.scale.share(value), room), room)
            name = fig.pad(short_name(node.last_name, self.label - 2),
                           self.label)  # fmt: skip
            tone = self._tone(node)
            rows.append(
                [(f"{name} ", "dim"), (f"{low}├", "dim"), (text, tone), (f"┤{high}", "dim")]
            )
        return rows

    # ------------------------------------------------------------ how the others stand

    def _standing(self, node: NodeView, room: int) -> list[str]:
        """How an unmeasured candidate stands, in `room` lines."""
        width = self.column - 2
        if node.state in ("failed", "cancelled"):
            error = safe(node.error or "")
            return [f"✗ {node.state}", *fig.wrapped(error, width, max(room - 1, 1))]
        job = self.card.jobs.get(node.name)
        if job is None or job.state == "queued":
            return ["◌ waiting"]
        return job_lines(job, width)

    def _work(self) -> str:
        """Work that is not a candidate's recovery: the parent's scoring, or tuning."""
        card = self.card
        known = {c.name: c for c in card.candidates if c.state == "ready"}
        for name, job in card.jobs.items():
            if name == card.parent.name or name in known:
                return fig.cut(job_text(job), self.width)
        return ""

    # ------------------------------------------------------------ the last line

    def _unit(self) -> str:
        """What the candidate loses that is not without a layer."""
        others = (c.structure for c in self.card.candidates if c.structure != "layer")
        return next(others, "filter")

    def _bottom(self) -> Line:
        card = self.card
        if self.now_what:
            return [(fig.cut(safe(self.now_what), self.width), "info")]
        if card.kept is not None:
            return key_pieces(_afterwards(card), self.width, self.keymap)
        if card.awaited:
            return key_pieces(_MEANWHILE, self.width, self.keymap)
        ready = [c for c in card.candidates if c.state == "ready"]
        if card.suggested is None or not ready:
            return key_pieces([("grow.on", "tries again"), ("grow.candidate", "another")],
                              self.width, self.keymap)  # fmt: skip
        return key_pieces(_choices(card, ready), self.width, self.keymap)


def _choices(card: Card, ready: Sequence[NodeView]) -> list[tuple[str, str]]:
    def last(name: str) -> str:
        return short_name(name.rpartition(".")[2], 6)

    others = [c.name for c in ready if c.name != card.suggested]
    choices = [("decide.approve", f"approve {last(card.suggested or '')}")]
    if others:
        choices.append(
            ("decide.override", f"take {last(others[0])}" if len(others) == 1 else "choose")
        )
        choices.append(("decide.both", "both" if len(others) == 1 else "all"))
    return [*choices, ("grow.candidate", "another")]


def _afterwards(card: Card) -> list[tuple[str, str]]:
    """What can be done about a decision that was made; undo only where it takes back this one."""
    undo = [("history.undo", "undo this")] if card.undoable else []
    return [*undo, ("grow.candidate", "another"), ("grow.branch", "branch")]


def _without_candidates(
    card: Card, width: int, height: int, now_what: str, keymap: Mapping[str, str]
) -> list[Line]:
    parent = card.parent
    lines: list[Line] = [[(fig.cut(f"{safe(parent.name)}  no candidates yet", width), "title")]]
    about = [
        (_label("val_accuracy"), accuracy_text(parent, None, width - _LABEL)),
        (_label("macs"), share_gone_text(parent, parent, card.root, "macs", width - _LABEL)),
        (_label("params"), share_gone_text(parent, parent, card.root, "params", width - _LABEL)),
        (_label("latency_ms"), latency_text(parent, None, width - _LABEL)),
    ]
    job = card.jobs.get(parent.name)
    if job is not None:
        bottom: Line = [(fig.cut(job_text(job), width), "warning")]
    elif now_what:
        bottom = [(fig.cut(safe(now_what), width), "info")]
    else:
        bottom = key_pieces([("grow.on", "grows this node")], width, keymap)
    if height == 1:
        return [bottom]
    room = max(height - 2, 0)
    lines += [[(fig.pad(label, _LABEL), "dim"), (text, "")] for label, text in about[:room]]
    doubts = [text for words in card.doubts for text in fig.wrapped(safe(f"! {words}"), width)]
    lines += [[(text, "warning")] for text in doubts]
    above = max(height - 1, 1)
    if doubts and len(lines) > above > 1:
        lines[above - 1] = [
            ("… ", "warning"),
            *key_pieces([("view.tab3", "all of it")], width, keymap),
        ]
    return [*lines[:above], bottom]
