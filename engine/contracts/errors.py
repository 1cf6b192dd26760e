"""Typed errors of the engine: each message names the cause, the value and the remedy."""

from __future__ import annotations


class EngineError(Exception):
    """Base of every error that a user can mend."""


class UnknownFamilyError(EngineError):
    """No factory of that name."""


class CheckpointError(EngineError):
    """A checkpoint file that cannot be read as a network."""


class DataError(EngineError):
    """A data set that cannot be read or does not fit the network."""


class DataNotNamedError(DataError):
    """A checkpoint that does not say where its data are; a person has to."""


class EditError(EngineError):
    """An edit that does not fit the network it is applied to."""


class WishError(EditError):
    """A wish for an edit that this network does not allow."""


class ScoresError(EngineError):
    """Scores that do not belong to the network they are used for."""


class SettingsError(EngineError):
    """A setting outside its range."""


class Cancelled(Exception):
    """Work that was asked to stop; nothing of it is kept."""


class UsageError(Exception):
    """Something that the user can say differently; exit code 2."""
