"""How a job can end without a result."""

from __future__ import annotations


class JobFailedError(Exception):
    """A job that ended without a result; `kind` is the name of the error it met."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class WorkerDiedError(JobFailedError):
    """A worker process that ended in the middle of a job; the job can be retried."""


class WorkerStartError(JobFailedError):
    """A worker process that cannot start at all; trying again would end the same way."""
