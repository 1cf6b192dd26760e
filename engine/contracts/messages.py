"""What passes between a session and a worker process: commands in, messages out, JSON lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.contracts.codec import TaggedUnion
from engine.contracts.events import EngineEvent
from engine.contracts.jobs import JobRequest, Result


@dataclass(frozen=True)
class RunJob:
    """Do this job, after those that came before."""

    KIND: ClassVar = "run"
    request: JobRequest


@dataclass(frozen=True)
class CancelJob:
    """Stop that job if it runs or waits."""

    KIND: ClassVar = "cancel"
    job_id: str


@dataclass(frozen=True)
class Detach:
    """Finish the job without a session; end after it."""

    KIND: ClassVar = "detach"


Command = RunJob | CancelJob | Detach
COMMANDS: TaggedUnion[Command] = TaggedUnion(RunJob, CancelJob, Detach)


@dataclass(frozen=True)
class Told:
    """An event of a job, or of the worker itself."""

    KIND: ClassVar = "told"
    event: EngineEvent
    job_id: str | None = None


@dataclass(frozen=True)
class Finished:
    """A job's result."""

    KIND: ClassVar = "finished"
    job_id: str
    result: Result


@dataclass(frozen=True)
class Failed:
    """A job that ended without a result: the name of the error and its words."""

    KIND: ClassVar = "failed"
    job_id: str
    error: str
    message: str


@dataclass(frozen=True)
class CancelledJob:
    """A job that was stopped as it was asked to."""

    KIND: ClassVar = "cancelled"
    job_id: str


@dataclass(frozen=True)
class Detached:
    """Whether the worker goes on without its session: with which job, else why not."""

    KIND: ClassVar = "detached"
    job_id: str | None
    reason: str | None = None


Message = Told | Finished | Failed | CancelledJob | Detached
MESSAGES: TaggedUnion[Message] = TaggedUnion(Told, Finished, Failed, CancelledJob, Detached)
