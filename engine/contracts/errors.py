"""Typed errors: each message names the cause, the value and the remedy.

A `UserError` is something that a person can mend: it is told in one line and never as a traceback.
`code` names its kind wherever the class itself does not reach, such as in another process.
"""

from __future__ import annotations

from typing import ClassVar

FAILED, USAGE = 1, 2  # exit codes


class UserError(Exception):
    """Base of every error that a person can mend; `exit_code` is the command's."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = FAILED


class UsageError(UserError):
    """Something that the user can say differently."""

    code = "usage"
    exit_code = USAGE


class UnusableFileError(UserError):
    """Something that was named as a file and is none that can be read."""

    code = "unusable-file"


class EngineError(UserError):
    """Work that cannot be done on what it was given."""

    code = "engine"


class WeightsChangedError(EngineError):
    """Weights that a job was given are no longer those of their name; they are written anew."""

    code = "weights-changed"


class SettingsError(EngineError):
    """A setting outside its range."""

    code = "settings"
    exit_code = USAGE


class UnknownFamilyError(EngineError):
    """No factory of that name."""

    code = "unknown-family"


class CheckpointError(EngineError):
    """A checkpoint file that cannot be read as a network."""

    code = "checkpoint"


class DataError(EngineError):
    """A data set that cannot be read or does not fit the network."""

    code = "data"


class SizesDifferError(DataError):
    """Images of several sizes, where nobody said which one they are to have."""


class OwnValidationError(DataError):
    """A person's own images that are to decide, which cannot be read or do not fit the data."""

    code = "own-validation"


class DataNotNamedError(DataError):
    """A checkpoint that does not say where its data are; a person has to."""

    code = "data-not-named"


class EditError(EngineError):
    """An edit that does not fit the network it is applied to."""

    code = "edit"


class EditRequestError(EditError):
    """A request for an edit that this network does not allow."""

    code = "edit-request"


class ScoresError(EngineError):
    """Scores that do not belong to the network they are used for."""

    code = "scores"


class CriterionError(EngineError):
    """A criterion that does not apply to a network."""

    code = "criterion"


class Cancelled(Exception):
    """Work that was asked to stop; nothing of it is kept."""
