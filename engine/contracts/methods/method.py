"""What a method of the field is to a person: an option's choice and a row of a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

OWN = "MODULE:FUNCTION"  # a person's own method, in place of a name


@dataclass(frozen=True)
class Method:
    """One method. `summary` is what it does, in a sentence without a full stop; `source` the paper
    that it is from, with the equation where it has one; `applies` to which networks, empty where to
    all; `looked_at` what it looked at, as a report of a run says it ({items}: images a class);
    `arguments` what follows its name after a colon."""

    name: str
    summary: str
    source: str
    applies: str = ""
    looked_at: str = ""
    arguments: str = ""

    @property
    def usage(self) -> str:
        """How it is asked for: `rewind:EPOCH`."""
        return f"{self.name}:{self.arguments}" if self.arguments else self.name


def by_name(methods: Iterable[Method]) -> Mapping[str, Method]:
    """The methods of a kind by their names, in the order in which they are told."""
    return {each.name: each for each in methods}


def name_in(value: str) -> str:
    """The method's name in `rewind:2`."""
    return value.partition(":")[0]
