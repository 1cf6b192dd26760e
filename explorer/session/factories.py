"""Persons' functions that make networks and tasks or prepare images: code, called only where
somebody allowed it.

A store names one; the file of its module is known by its SHA-256, kept with the run when it is
begun. What was allowed holds for the file as it was then: by --allow-factory for one session, and
where a person was asked, until that file changes (`permissions`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from engine.contracts.errors import UsageError
from engine.contracts.references import (
    Factory,
    ForeignFactoryError,
    factory_here,
    is_own_method,
    is_persons,
    is_reference,
    is_task,
    source_of,
)
from explorer.session.documents import RunDocument
from explorer.session.permissions import how_to_forget, is_remembered, remember

# Whether a person allows it, asked in these words.
Allow = Callable[[str], Awaitable[bool]]
_DIGITS = 12  # of a SHA-256, for people
_FEWEST_DIGITS = 8


async def nobody(_: str) -> bool:
    """Nobody is there to be asked."""
    return False


@dataclass(frozen=True)
class _Code:
    """A function that a run needs: what for, in words, and as it was when the run began.

    One that has changed since may be called all the same where it `may_change`.
    """

    what: str
    reference: str
    begun_with: Factory | None = None
    may_change: bool = True

    def has_changed(self, now: Factory) -> bool:
        return self.begun_with is not None and self.begun_with.sha256 != now.sha256


class Factories:
    """Which functions may be called in this session."""

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
        return self._needed(_network_of(document))

    def task_of(self, document: RunDocument) -> Factory | None:
        """The same of the function that makes a run's task."""
        return self._needed(_task_of(document))

    def task_at(self, place: str) -> Factory | None:
        """The same of a place of data that a person has given."""
        return self._needed(_Code("the task is made by", place) if is_task(place) else None)

    def transforms_of(self, document: RunDocument) -> Factory | None:
        """The same of the function that prepares a run's images; one that has changed since is
        never called."""
        return self._needed(_transforms_of(document))

    def criterion_of(self, document: RunDocument) -> Factory | None:
        """The same of the function that ranks a run's structures."""
        return self._needed(_criterion_of(document))

    def check(self, transforms: Factory | None) -> Factory | None:
        """The same, for images that somebody looks for."""
        return self._needed(_preparing("the run's images are prepared by", transforms))

    async def ask(self, document: RunDocument, allow: Allow) -> None:
        """Asks a person once for a function and file; what is answered shows in `needed_by`."""
        for find in (_network_of, _task_of, _transforms_of, _criterion_of):
            code = find(document)
            if code is None or source_of(code.reference) is None:
                continue  # that it is not here is told when it is needed
            now = factory_here(code.reference)
            if code.has_changed(now) and not code.may_change:
                continue
            if self._may_be_called(now, code):
                continue
            if await allow(f"{_what(code, now)}. Call it?{how_to_forget()}"):
                self.allow(now)
                remember(now)

    def _needed(self, code: _Code | None) -> Factory | None:
        if code is None:
            return None
        now = factory_here(code.reference)
        if not self._may_be_called(now, code):
            raise ForeignFactoryError(_refusal(code, now))
        return now

    def _may_be_called(self, now: Factory, code: _Code) -> bool:
        if code.has_changed(now) and not code.may_change:
            return False
        if now in self._allowed or is_remembered(now):
            return True
        digits = self._given.get(now.reference)
        if digits is None:
            return False
        if digits:
            return now.sha256.startswith(digits)
        return not code.has_changed(now)


def _network_of(document: RunDocument) -> _Code | None:
    reference = document.architecture.factory
    if not is_persons(reference):
        return None
    what = f"the network of run {document.run.name} is made by"
    return _Code(what, reference, document.origin.factory)


def _task_of(document: RunDocument) -> _Code | None:
    reference, begun_with = document.settings.data.source, document.origin.task
    if not is_task(reference):
        return None
    if begun_with is not None and begun_with.reference != reference:
        begun_with = None  # somebody said since that another one gives the same data
    return _Code(f"the task of run {document.run.name} is made by", reference, begun_with)


def _transforms_of(document: RunDocument) -> _Code | None:
    what = f"the images of run {document.run.name} are prepared by"
    return _preparing(what, document.data.transforms)


def _criterion_of(document: RunDocument) -> _Code | None:
    reference = document.settings.scoring.criterion
    if not is_own_method(reference):
        return None
    begun_with = document.origin.own_criterion
    if begun_with is not None and begun_with.reference != reference:
        begun_with = None  # a fork ranks by another one
    what = f"the structures of run {document.run.name} are ranked by"
    return _Code(what, reference, begun_with)


def _preparing(what: str, transforms: Factory | None) -> _Code | None:
    """Images that are prepared in another way are other data."""
    if transforms is None:
        return None
    return _Code(what, transforms.reference, transforms, may_change=False)


def _what(code: _Code, now: Factory) -> str:
    begun_with, file = code.begun_with, source_of(now.reference)
    told = f"{code.what} {now.reference}, which is code: {file} (SHA-256 {now.sha256[:_DIGITS]})"
    if begun_with is None:
        return f"{told}; what it was when the run began is not known"
    if code.has_changed(now):
        return f"{told}, and it has changed since the run began ({begun_with.sha256[:_DIGITS]})"
    return f"{told}, the same as when the run began"


def _refusal(code: _Code, now: Factory) -> str:
    changed = code.has_changed(now)
    if changed and not code.may_change:
        return (
            f"{_what(code, now)}. Prepared in another way they are other images: bring back the "
            "file as it was, or begin a run of its own (--new-run)"
        )
    digits = f"@{now.sha256[:_DIGITS]}" if changed else ""
    return (
        f"{_what(code, now)}. A store never has code called by itself; look at the file, then "
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
