"""What a person can mend, whichever room it comes from: codes, exit codes, remedies."""

from __future__ import annotations

from engine.contracts.codec import FormatError
from engine.contracts.errors import FAILED, UserError
from store import StoreError

# What helps against an error, by its code; where it depends on the case, the message says it.
REMEDIES = {
    "store-full": "make room on the disk, then try again: what was measured waits in the spool",
    "store-locked": "close the other program that writes this store, then try again",
    "job-failed": "see the worker's log in the spool folder, then try again",
    "candidates-failed": "g on the parent tries again; e makes another candidate instead",
}


class NotNowError(UserError):
    """A request that cannot be carried out as things stand; says why and what would help."""

    code = "not-now"


class CandidatesFailedError(UserError):
    """Candidates whose work failed, so that nobody can decide between them."""

    code = "candidates-failed"


class WorkFailedError(UserError):
    """Work that a command asked for and that failed; the causes are told."""

    code = "work-failed"


MENDABLE = (UserError, StoreError, FormatError)


def is_mendable(error: BaseException) -> bool:
    """Whether an error is told to a person in one line; any other is a bug of ours."""
    return isinstance(error, MENDABLE)


def code_of(error: BaseException) -> str:
    """The code of an error that a person can mend; the name of any other."""
    if isinstance(error, UserError):
        return error.code
    if isinstance(error, StoreError):
        return _kebab(type(error).__name__.removesuffix("Error"))
    return type(error).__name__


def exit_code_of(error: BaseException) -> int:
    """The exit code of a command that ends with an error."""
    return error.exit_code if isinstance(error, UserError) else FAILED


def remedy_of(code: str, otherwise: str) -> str:
    """What helps against an error of a code."""
    return REMEDIES.get(code, otherwise)


def _kebab(name: str) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")
