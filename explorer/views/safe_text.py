"""Text from outside on its way to a screen: the one place where it is made harmless."""

from __future__ import annotations

import unicodedata

# Categories that a terminal or a reader could be fooled by: control, format (bidi marks, zero
# width), surrogate, private use, unassigned, line and paragraph separators.
_HARMFUL = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
# Letters and marks of other categories that show nothing: fillers, joiners, variation selectors.
_INVISIBLE = frozenset(
    map(chr, (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0,
              *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)  # fmt: skip
_MOST_MARKS = 4  # on one letter; more of them run over the lines around it


def safe(text: str, longest: int = 2_000) -> str:
    """The text with control, bidi and unprintable characters shown as escapes, cut at `longest`.

    It is one line. Markup characters stay: print the result as plain text (rich.text.Text), never
    as markup.
    """
    cut = text[:longest]
    shown = cut if cut.isascii() and cut.isprintable() else _escaped(cut)
    return shown + "…" if len(text) > longest else shown


def is_harmful(character: str) -> bool:
    """Whether a character does something to a terminal, or nothing that can be seen."""
    return unicodedata.category(character) in _HARMFUL or character in _INVISIBLE


def _escaped(text: str) -> str:
    shown: list[str] = []
    num_marks = 0
    for character in text:
        num_marks = num_marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if is_harmful(character) or num_marks > _MOST_MARKS:
            character = character.encode("unicode_escape").decode("ascii")
        shown.append(character)
    return "".join(shown)
