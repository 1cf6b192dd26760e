"""The active filter, in sight and to be clicked."""

from __future__ import annotations

from textual.content import Content
from textual.style import Style

from explorer.views.safe_text import safe


def filter_told(text: str, num_found: int) -> Content:
    """`/ acc>93 kept · 3 match`; a click asks for another one. Empty without a filter."""
    if not text:
        return Content("")
    match = "matches" if num_found == 1 else "match"
    asks = Style.from_meta({"@click": "app.press('view.search')"})
    return Content.assemble((f"/ {safe(text, 40)}", asks), f" · {num_found:,} {match}")
