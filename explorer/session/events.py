"""What a session tells those who watch it: one frozen value an event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.contracts.events import EngineEvent, Noted
from engine.contracts.jobs import Metrics
from engine.contracts.setting_sections import NO_SECOND
from explorer.session.policy import Margin


@dataclass(frozen=True)
class JobAsked:
    """A job was handed to the executor."""

    node: str
    job: str


@dataclass(frozen=True)
class JobAnswered:
    """A job is over, however it ended."""

    node: str
    job: str


@dataclass(frozen=True)
class JobAdopted:
    """Work that was finished is taken over: a crash left it unstored, or another run has done the
    very same job, and that `run` is named."""

    node: str
    job: str
    run: str | None = None


@dataclass(frozen=True)
class JobTold:
    """What the engine tells of a job under way."""

    node: str
    job: str
    event: EngineEvent


@dataclass(frozen=True)
class JobRetried:
    """A worker died; the job is tried again."""

    node: str
    attempt: int
    attempts: int
    reason: str


@dataclass(frozen=True)
class RunResumed:
    """A run that exists goes on; of how many in its store, and whether it is the newest one."""

    run: str
    store: str
    num_runs: int = 1
    is_newest: bool = True


@dataclass(frozen=True)
class RunBegun:
    """A new run; `why` says what is new about it, where its store has others."""

    run: str
    why: str | None = None


@dataclass(frozen=True)
class StateChanged:
    """A node's new state."""

    node: str
    state: str
    error: str | None = None


@dataclass(frozen=True)
class CandidatesProposed:
    """A parent has new candidates."""

    parent: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class PhaseFinished:
    """A node's recovery or tuning is stored."""

    node: str
    phase: str  # recovered, tuned
    metrics: Metrics
    similarity: str = "cka"  # the measure by which the run compares
    second: str = NO_SECOND


@dataclass(frozen=True)
class CandidatesMeasured:
    """All candidates of a parent are measured: somebody has to decide."""

    parent: str


@dataclass(frozen=True)
class Decided:
    """A decision was stored, whoever made it."""

    parent: str
    kept: tuple[str, ...]
    actor: str
    reason: str
    margin: Margin | None = None


@dataclass(frozen=True)
class DecisionUndone:
    """A decision was taken back."""

    parent: str
    kept: tuple[str, ...]  # by the decision that is undone


@dataclass(frozen=True)
class DecisionRedone:
    """A decision that was taken back holds again."""

    parent: str
    kept: tuple[str, ...]


@dataclass(frozen=True)
class Annotated:
    """A tag, a note or a drop."""

    node: str


@dataclass(frozen=True)
class Exhausted:
    """A node from which nothing more may be removed."""

    node: str


@dataclass(frozen=True)
class Stopped:
    """Deciding alone ends here: a branch has lost too much or enough, or, where `over`, a limit of
    what was left to the policy is reached; so many decisions were `made` of it."""

    node: str
    reason: str
    over: bool = False
    made: int = 0


@dataclass(frozen=True)
class PauseChanged:
    """All work stands still, or goes on."""

    paused: bool


@dataclass(frozen=True)
class WorkFailed:
    """Work on a node failed. `error` is its code; `detail` a traceback, where the fault is ours."""

    node: str
    work: str
    cause: str
    error: str
    detail: str | None = None


SessionEvent = (
    JobAsked
    | JobAnswered
    | JobAdopted
    | JobTold
    | JobRetried
    | RunResumed
    | RunBegun
    | Noted
    | StateChanged
    | CandidatesProposed
    | PhaseFinished
    | CandidatesMeasured
    | Decided
    | DecisionUndone
    | DecisionRedone
    | Annotated
    | Exhausted
    | Stopped
    | PauseChanged
    | WorkFailed
)
Emit = Callable[[SessionEvent], None]


def ignore(event: SessionEvent) -> None:
    """For whoever wants to hear nothing."""
