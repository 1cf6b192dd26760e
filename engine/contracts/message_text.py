"""Text that came out of a file, made fit for a message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

LONGEST_SHOWN = 80
MOST_LISTED = 5
LONGEST_MESSAGE = 2_000


def shown(value: Any) -> str:
    """A value as it may stand in a message: quoted, cut, control and bidi characters escaped."""
    if not isinstance(value, str):
        # A repr may be endless (nesting) or fail (integers of more than 4,300 digits).
        return f"a value of type {type(value).__name__}"
    cut = value[:LONGEST_SHOWN]
    return repr(cut) + ("…" if len(value) > len(cut) else "")


def plain(text: str, longest: int = 200) -> str:
    """One line of foreign prose (another library's message), escaped and cut but not quoted."""
    line = next((part for part in text.strip().splitlines() if part.strip()), "")
    escaped = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line[:longest])
    return escaped + ("…" if len(line) > longest else "")


def in_words(error: Exception) -> str:
    """What an error of ours says, with names of files in it made fit for a message."""
    return plain(str(error), LONGEST_MESSAGE)


def plural(word: str) -> str:
    """`images`, `entries`, `patches`, `epochs`: what several of a thing are called."""
    if word.endswith(("s", "x", "z", "sh", "tch", "nch")):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}s"


def is_clean(text: str) -> bool:
    """Whether a text has no control, bidi, surrogate or line-breaking characters."""
    return text.isprintable()


def listed(items: Iterable[str]) -> str:
    """The first few of some words, and how many more there are."""
    words: Sequence[str] = list(items)
    rest = len(words) - MOST_LISTED
    return ", ".join(words[:MOST_LISTED]) + (f" and {rest} more" if rest > 0 else "")
