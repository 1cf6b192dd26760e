"""How a job can end without a result."""

from __future__ import annotations

from typing import ClassVar

from engine.contracts.errors import UserError


class JobFailedError(UserError):
    """A job that ended without a result; `error` is the code of what it met (UserError.code), or
    the name of an error that nobody foresaw."""

    code = "job-failed"

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error


class WorkerDiedError(JobFailedError):
    """A worker process that ended in the middle of a job; the job can be retried."""

    DIED: ClassVar = "worker-died"

    def __init__(self, message: str) -> None:
        super().__init__(self.DIED, message)


class WorkerStartError(JobFailedError):
    """A worker process that cannot start at all; trying again would end the same way."""

    NOT_STARTED: ClassVar = "worker-not-started"

    def __init__(self, message: str) -> None:
        super().__init__(self.NOT_STARTED, message)
