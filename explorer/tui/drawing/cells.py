"""Texts and bars that fit into a cell of the tree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from rich.cells import cell_len, set_cell_size

from explorer.views.safe_text import safe

Piece = tuple[str, str]  # text, tone
Line = Sequence[Piece]

_SPARKS = "▁▂▃▄▅▆▇█"


@lru_cache(maxsize=4096)
def short_name(name: str, width: int) -> str:
    """The name made harmless and cut on its left, where deep names all look alike."""
    text = safe(name)
    if cell_len(text) <= width:
        return text
    while text and cell_len(text) >= width:
        text = text[1:]
    return "…" + text


def fit(pieces: Iterable[Piece], width: int) -> list[Piece]:
    """The pieces cut at a width in cells; a wide character that would stick out is dropped."""
    fitted = []
    for text, tone in pieces:
        cells = cell_len(text)
        if cells > width:
            text = set_cell_size(text, width)
        if text:
            fitted.append((text, tone))
        width -= min(cells, width)
        if width <= 0:
            break
    return fitted


def similarity_text(similarity: float | None) -> str:
    """Five cells: `.9931`; empty where there is none."""
    if similarity is None:
        return ""
    text = f"{similarity:.4f}"
    return text[1:] if text.startswith("0.") else f"{similarity:.3f}"[:6]


def accuracy_text(percent: float | None) -> str:
    return "" if percent is None else f"{percent:.1f}%"[:7]


def macs_text(reduction: float | None) -> str:
    return "–" if reduction is None else f"{0.0 - reduction:.1f}%".replace("-", "−")[:7]


def sparkline(values: Sequence[float | None]) -> str:
    """One block a value, from the least to the largest; nothing for fewer than two."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    low, reach = min(known), max(known) - min(known)
    steps = len(_SPARKS) - 1
    return "".join(_SPARKS[round((v - low) / reach * steps) if reach else 3] for v in known)
