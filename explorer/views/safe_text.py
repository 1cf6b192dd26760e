"""Text from outside on its way to a screen: the one place where it is made harmless."""

from __future__ import annotations

import unicodedata

# Categories that a terminal or a reader could be fooled by: control, format (bidi marks),
# surrogate, private use, unassigned, line and paragraph separators.
_HARMFUL = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def safe(text: str, longest: int = 2_000) -> str:
    """The text with control, bidi and unprintable characters shown as escapes, cut at `longest`.

    Markup characters stay: print the result as plain text (rich.text.Text), never as markup.
    """
    shown = "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in _HARMFUL
        else character
        for character in text[:longest]
    )
    return shown + "…" if len(text) > longest else shown
