"""The words of the program, as the app explains them; docs/glossary.md is the same file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import explorer

_ENTRY = re.compile(r"^- \*\*(?P<term>.+?)\.\*\* (?P<text>.*?)(?=^- \*\*|^## |\Z)", re.M | re.S)
_SECTION = re.compile(r"^## (?P<title>.+)$", re.M)


class Word(NamedTuple):
    """A word (or several that mean the same), what it means, and the part that it stands in."""

    term: str
    text: str
    section: str


def glossary_text() -> str:
    """The file that came with the program."""
    return Path(explorer.__file__).with_name("data").joinpath("glossary.md").read_text("utf-8")


@cache
def words() -> Sequence[Word]:
    """Every word, in the order of the page."""
    text = glossary_text()
    sections = [(match.start(), match["title"]) for match in _SECTION.finditer(text)]
    found = []
    for match in _ENTRY.finditer(text):
        section = [title for start, title in sections if start < match.start()][-1]
        found.append(Word(match["term"], _plain(match["text"]), section))
    return found


def _plain(text: str) -> str:
    """Markdown as plain text on one line."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
    text = re.sub(r"[*`]", "", text)
    return " ".join(text.split())
