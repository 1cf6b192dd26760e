"""The error for images of several sizes: which are there, how many of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from engine.contracts.errors import DataError, SizesDifferError
from engine.contracts.message_text import plain, shown
from engine.data.sources.collector import Collected
from engine.data.sources.entries import Entry

MOST_LOOKED_AT = 2_000
Size = tuple[int, int]  # width, height


def two_sizes(
    data: Collected, size_of: Callable[[Entry], Size], one: Entry, other: Entry
) -> DataError:
    """What to say where two entries differ in size. Raises DataError where one cannot be read."""
    entries = [entry for members in data.splits.values() for entry, _ in members]
    step = -(-len(entries) // MOST_LOOKED_AT)
    looked_at = {id(entry): entry for entry in (one, other, *entries[::step])}
    first_of: dict[Size, Entry] = {}
    counts: Counter[Size] = Counter()
    for entry in looked_at.values():
        size = size_of(entry)
        counts[size] += 1
        first_of.setdefault(size, entry)
    (common, num_common), *others = counts.most_common()
    odd = next(size for size in first_of if size != common)
    sizes = "another size" if len(others) == 1 else f"{len(others):,} other sizes"
    of_how_many = f" of {len(looked_at):,} that were looked at" if step > 1 else ""
    return SizesDifferError(
        f"{plain(data.name)}: {shown(first_of[odd].path)} is {_words(odd)} pixels, but "
        f"{num_common:,} images{of_how_many} are {_words(common)} and "
        f"{counts.total() - num_common:,} have {sizes}; all images need one size: bring them to "
        f"one with --image-size {min(common)} (the middle square), or resize them first "
        "(docs/data.md)"
    )


def _words(size: Size) -> str:
    return f"{size[0]}×{size[1]}"
