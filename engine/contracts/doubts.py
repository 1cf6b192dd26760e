"""What speaks against a root's figures, as a type: it is stored with the run and told wherever they
are shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Doubt:
    """One reason to look twice. `code` names its kind for programs, `words` tell it to people;
    `asks`: hours of work wait until a person says yes."""

    code: str
    words: str
    asks: bool = False


def that_ask(doubts: tuple[Doubt, ...]) -> tuple[Doubt, ...]:
    """Those for which work waits."""
    return tuple(doubt for doubt in doubts if doubt.asks)
