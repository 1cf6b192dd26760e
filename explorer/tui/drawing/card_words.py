"""Sentences as the Decide card sets them: one paragraph, each sentence in its tone. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from explorer.tui.drawing import numbers as fig
from explorer.tui.drawing.cells import Line, Piece
from explorer.views.decision_words import Sentence, Tone
from explorer.views.safe_text import safe

_TONES: dict[Tone, str] = {
    "lead": "title", "plain": "", "warning": "warning", "bad": "bad", "aside": "dim"
}  # fmt: skip


def word_lines(sentences: Sequence[Sentence], width: int, most: int) -> list[Line]:
    """The paragraph in lines of a width in cells; of more than `most` the last one is cut."""
    words: list[Piece] = [
        (part, _TONES[sentence.tone])
        for sentence in sentences
        for word in safe(sentence.text).split()
        for part in fig.wrapped(word, max(width, 1))
    ]
    lines: list[list[Piece]] = []
    used = 0
    for text, tone in words:
        if not lines or used + 1 + cell_len(text) > width:
            lines.append([(text, tone)])
            used = cell_len(text)
        else:
            lines[-1].append((f" {text}", tone))
            used += 1 + cell_len(text)
    if len(lines) > most > 0:
        lines = lines[:most]
        text, tone = lines[-1][-1]
        room = width - sum(cell_len(t) for t, _ in lines[-1][:-1])
        lines[-1][-1] = (fig.cut(f"{text} …", room), tone)
    return [_joined(line) for line in lines[:most]]


def _joined(line: Sequence[Piece]) -> Line:
    """Words of one tone that follow each other, as one piece."""
    pieces: list[Piece] = []
    for text, tone in line:
        if pieces and pieces[-1][1] == tone:
            pieces[-1] = (pieces[-1][0] + text, tone)
        else:
            pieces.append((text, tone))
    return pieces
