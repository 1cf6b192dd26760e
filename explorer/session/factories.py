"""Persons' functions that make networks and tasks: code, called only where somebody allowed it.

A store names one; the file of its module is known by its SHA-256, kept with the run when it is
begun. What was allowed holds for one session, and for the file as it was then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from engine.contracts.errors import UsageError
from engine.contracts.references import (
    Factory,
    ForeignFactoryError,
    factory_here,
    is_persons,
    is_reference,
    is_task,
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


@dataclass(frozen=True)
class _Code:
    """A function that a run needs, what for, and its file as it was when the run began."""

    what: str
    reference: str
    begun_with: Factory | None = None


class Factories:
    """Which functions may be called in this session: for networks, and for tasks."""

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
        return self._leave_for(_network_of(document))

    def task_of(self, document: RunDocument) -> Factory | None:
        """The same of the function that makes a run's task."""
        return self._leave_for(_task_of(document))

    def task_at(self, place: str) -> Factory | None:
        """The same of a place of data that a person has given."""
        return self._leave_for(_Code("the task", place)) if is_task(place) else None

    async def ask(self, document: RunDocument, allow: Allow) -> None:
        """Asks a person once for a function and file; what is answered shows in `needed_by`."""
        for code in (_network_of(document), _task_of(document)):
            if code is None or source_of(code.reference) is None:
                continue  # that it is not here is told when it is needed
            now = factory_here(code.reference)
            if not self._may_be_called(now, code) and await allow(f"{_told(code, now)}. Call it?"):
                self.allow(now)

    def _leave_for(self, code: _Code | None) -> Factory | None:
        if code is None:
            return None
        now = factory_here(code.reference)
        if not self._may_be_called(now, code):
            raise ForeignFactoryError(_refusal(code, now))
        return now

    def _may_be_called(self, now: Factory, code: _Code) -> bool:
        if now in self._allowed:
            return True
        digits = self._given.get(now.reference)
        if digits is None:
            return False
        if digits:
            return now.sha256.startswith(digits)
        return code.begun_with is None or code.begun_with == now


def _network_of(document: RunDocument) -> _Code | None:
    reference = document.architecture.factory
    if not is_persons(reference):
        return None
    return _Code(f"the network of run {document.run.name}", reference, document.origin.factory)


def _task_of(document: RunDocument) -> _Code | None:
    reference, begun_with = document.settings.data.source, document.origin.task
    if not is_task(reference):
        return None
    if begun_with is not None and begun_with.reference != reference:
        begun_with = None  # somebody said since that another one gives the same data
    return _Code(f"the task of run {document.run.name}", reference, begun_with)


def _told(code: _Code, now: Factory) -> str:
    begun_with, file = code.begun_with, source_of(now.reference)
    told = (
        f"{code.what} is made by {now.reference}, which is code: "
        f"{file} (SHA-256 {now.sha256[:_DIGITS]})"
    )
    if begun_with is None:
        return f"{told}; what it was when the run began is not known"
    if begun_with.sha256 != now.sha256:
        return f"{told}, and it has changed since the run began ({begun_with.sha256[:_DIGITS]})"
    return f"{told}, the same as when the run began"


def _refusal(code: _Code, now: Factory) -> str:
    changed = code.begun_with is not None and code.begun_with.sha256 != now.sha256
    digits = f"@{now.sha256[:_DIGITS]}" if changed else ""
    return (
        f"{_told(code, now)}. A store never has code called by itself; look at the file, then "
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
