"""The files of a data set as folders and archives list them, before anybody asks what they show."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from dataclasses import dataclass, field

from engine.contracts.message_text import shown

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm")
SYSTEM_NAMES = frozenset(
    ("__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information",
     "thumbs.db", "ehthumbs.db", "desktop.ini")
)  # fmt: skip
MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """A file with the name of an image.

    `path` is made of readable, NFC-normalised names with `/` between them; `raw` is what its source
    calls it. `fault` says why it cannot be read, where that is known without reading it.
    """

    path: str
    raw: str
    stamp: str = ""  # changes with its content
    fault: str | None = None
    linked: bool = False  # lies below a folder that is a link


@dataclass
class LeftOut:
    """What is not read, by the reason: how many, and the first few names."""

    counts: Counter[str] = field(default_factory=Counter)
    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        self.counts[reason] += 1
        named = self.names.setdefault(reason, [])
        if len(named) < MOST_NAMED:
            named.append(name)

    def notes(self) -> tuple[str, ...]:
        """One line a reason."""
        return tuple(
            f"left out {reason}: {count:,} ({named_of(self.names[reason], count)})"
            for reason, count in self.counts.items()
        )


@dataclass(frozen=True)
class Listing:
    """What a folder or an archive holds, in its own order, and what is known without decoding."""

    entries: tuple[Entry, ...]
    left_out: LeftOut
    notes: tuple[str, ...] = ()


def named_of(names: list[str], count: int) -> str:
    """The first few of `count` names, safe to show."""
    rest = count - len(names)
    return ", ".join(shown(name) for name in names) + (f" and {rest:,} more" if rest > 0 else "")


def images_of(count: int) -> str:
    """A number of images in words."""
    return f"{count:,} image{'' if count == 1 else 's'}"


def is_image_name(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES)


def is_system_name(name: str) -> bool:
    """Whether a file or folder is hidden, or something that a system leaves behind."""
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


def readable(raw: str) -> str:
    """A name as people write it: bytes that are no UTF-8 read as Latin-1, and normalised (NFC)."""
    if raw.isascii():
        return raw
    try:
        raw.encode()
    except UnicodeEncodeError:
        raw = os.fsencode(raw).decode("latin-1")
    # macOS writes é as e and an accent; a class must not depend on who packed it.
    return unicodedata.normalize("NFC", raw)
