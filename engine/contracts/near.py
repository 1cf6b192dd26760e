"""The nearest known word to one that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(value: object, known: Iterable[str]) -> str | None:
    """The known word that looks most like a value, None where none is near."""
    return next(iter(difflib.get_close_matches(str(value), tuple(known), n=1)), None)


def did_you_mean(value: object, known: Iterable[str]) -> str:
    """ "did you mean 'x'? " for the nearest known word, "" where none is near."""
    found = nearest(value, known)
    return "" if found is None else f"did you mean {found!r}? "
