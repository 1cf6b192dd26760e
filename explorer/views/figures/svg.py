"""Pieces of SVG: every text made harmless, numbers short."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from explorer.views.safe_text import safe

FONT = "Helvetica, Arial, sans-serif"


def number(value: float) -> str:
    """A coordinate, to a hundredth."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def element(name: str, inside: str = "", /, **attributes: object) -> str:
    """An element; `_` in the name of an attribute stands for `-`."""
    told = "".join(
        f" {key.rstrip('_').replace('_', '-')}={quoteattr(_value(value))}"
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{told}>{inside}</{name}>" if inside else f"<{name}{told}/>"


def _value(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)


def text(x: float, y: float, words: str, /, **attributes: object) -> str:
    """A line of text at its baseline."""
    return element("text", escape(safe(words, 300)), x=float(x), y=float(y), **attributes)


def line(x1: float, y1: float, x2: float, y2: float, /, **attributes: object) -> str:
    """A straight line."""
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), **attributes)


def polyline(places: Iterable[tuple[float, float]], /, **attributes: object) -> str:
    """A line through places."""
    points = " ".join(f"{number(x)},{number(y)}" for x, y in places)
    return element("polyline", points=points, fill="none", **attributes)


def document(
    width: float, height: float, title: str, inside: Iterable[str], *, scale: float = 1.0
) -> str:
    """A whole picture on white, shown at a scale."""
    body = "\n".join(inside)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {number(height)}" '
        f'width="{number(width * scale)}" height="{number(height * scale)}" font-family="{FONT}" '
        f'font-size="11" fill="#222">\n<title>{escape(safe(title, 300))}</title>\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )
