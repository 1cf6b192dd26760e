"""Why a session cannot go on as it was asked to."""

from __future__ import annotations


class NotNowError(Exception):
    """A wish that cannot be carried out as things stand; says why and what would help."""


class CandidatesFailedError(Exception):
    """Candidates whose work failed, so that nobody can decide between them."""


class WorkFailedError(Exception):
    """Work that a command asked for and that failed; the causes are told."""
