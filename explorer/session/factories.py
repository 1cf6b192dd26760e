"""Functions of persons' that make networks: code, called only where a person has allowed it.

A store names one; the file of its module is known by its SHA-256, kept with the run when it is
begun. What was allowed holds for one session, and for the file as it was then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from engine.contracts.errors import UsageError
from engine.contracts.references import (
    Factory,
    ForeignFactoryError,
    factory_here,
    is_persons,
    is_reference,
    source_of,
)
from explorer.session.documents import RunDocument

# Whether a person allows it, asked in these words.
Allow = Callable[[str], Awaitable[bool]]
_DIGITS = 12  # of a SHA-256, for people
_FEWEST_DIGITS = 8


async def nobody(_: str) -> bool:
    """Nobody is there to be asked."""
    return False


class Factories:
    """Which factories may be called in this session."""

    def __init__(self, given: Iterable[str] = ()) -> None:
        """`given` are those of --allow-factory: `package.module:factory`, or with `@` and the first
        digits of its file's SHA-256, where it has changed since the run began."""
        self._given = dict(map(_parsed, given))
        self._allowed: set[Factory] = set()

    def allow(self, factory: Factory) -> None:
        """It may be called as it is now."""
        self._allowed.add(factory)

    def needed_by(self, document: RunDocument) -> Factory | None:
        """The factory that a run's network is made by, None where it is none of a person's.

        Raises ForeignFactoryError where nobody has allowed it as it is now.
        """
        reference = document.architecture.factory
        if not is_persons(reference):
            return None
        now = factory_here(reference)
        if not self._may_be_called(now, document):
            raise ForeignFactoryError(_refusal(document, now))
        return now

    async def ask(self, document: RunDocument, allow: Allow) -> None:
        """Asks a person once for a factory and file; what is answered shows in `needed_by`."""
        reference = document.architecture.factory
        if not is_persons(reference) or source_of(reference) is None:
            return  # that it is not here is told when it is needed
        now = factory_here(reference)
        if not self._may_be_called(now, document) and await allow(question(document, now)):
            self.allow(now)

    def _may_be_called(self, now: Factory, document: RunDocument) -> bool:
        if now in self._allowed:
            return True
        digits, begun_with = self._given.get(now.reference), document.origin.factory
        if digits is None:
            return False
        if digits:
            return now.sha256.startswith(digits)
        return begun_with is None or begun_with == now


def question(document: RunDocument, now: Factory) -> str:
    """What a person is asked before their code, or somebody else's, is run."""
    return f"{_what(document, now)}. Call it?"


def _what(document: RunDocument, now: Factory) -> str:
    begun_with, file = document.origin.factory, source_of(now.reference)
    told = (
        f"the network of run {document.run.name} is made by {now.reference}, which is code: "
        f"{file} (SHA-256 {now.sha256[:_DIGITS]})"
    )
    if begun_with is None:
        return f"{told}; what it was when the run began is not known"
    if begun_with.sha256 != now.sha256:
        return f"{told}, and it has changed since the run began ({begun_with.sha256[:_DIGITS]})"
    return f"{told}, the same as when the run began"


def _refusal(document: RunDocument, now: Factory) -> str:
    begun_with = document.origin.factory
    changed = begun_with is not None and begun_with.sha256 != now.sha256
    digits = f"@{now.sha256[:_DIGITS]}" if changed else ""
    return (
        f"{_what(document, now)}. A store never has code called by itself; look at the file, then "
        f"allow it with --allow-factory {now.reference}{digits}"
    )


def _parsed(given: str) -> tuple[str, str]:
    reference, at, digits = given.partition("@")
    if not is_reference(reference) or not is_persons(reference):
        raise UsageError(
            f"--allow-factory {given!r}: give package.module:factory, as the run's words name it"
        )
    if at and (len(digits) < _FEWEST_DIGITS or set(digits.lower()) - set("0123456789abcdef")):
        raise UsageError(
            f"--allow-factory {given!r}: behind the @ come at least {_FEWEST_DIGITS} digits of the "
            "SHA-256 of its file"
        )
    return reference, digits.lower()
