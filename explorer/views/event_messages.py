"""What a session's events say to a person, in one sentence each."""

from __future__ import annotations

from engine.contracts.events import EpochEnded, Noted, TrainingResumed
from engine.contracts.message_text import plural
from engine.contracts.methods.similarities import called
from explorer.session.events import (
    CandidatesMeasured,
    Decided,
    DecisionRedone,
    DecisionUndone,
    Exhausted,
    JobAdopted,
    JobRetried,
    JobTold,
    PhaseFinished,
    RunBegun,
    RunResumed,
    SessionEvent,
    Stopped,
    WorkFailed,
)


def line_of(event: SessionEvent) -> str | None:
    """What an event says to a person, None where it says nothing."""
    match event:
        case JobTold():
            return _told(event)
        case Noted(text):
            return f"note: {text}"
        case RunResumed():
            return _resumed(event)
        case RunBegun(run, why) if why is not None:
            return f"a new run begins, {run}: {why}"
        case JobAdopted(node, job, run) if run is not None:
            return f"{node}: took over what run {run} has of the same work ({job})"
        case JobAdopted(node):
            return f"{node}: took over finished work that had not been stored"
        case JobRetried(node, attempt, attempts, reason):
            return f"{node}: {reason}; attempt {attempt} of {attempts}"
        case PhaseFinished():
            return _finished(event)
        case Decided():
            return _decided(event)
        case DecisionUndone(parent, kept):
            return f"{parent}: undid the decision for {_names(kept)}"
        case DecisionRedone(parent, kept):
            return f"{parent}: {_names(kept)} kept again"
        case CandidatesMeasured(parent):
            return f"{parent}: its candidates are measured; decide"
        case Exhausted(node):
            return f"{node}: no structure left that may be removed"
        case Stopped(node, reason, over, made):
            return f"{node}: {reason}{f'; {_alone(made)}' if over else ''}"
        case WorkFailed(node=node, cause=cause):
            return f"{node}: {cause}"
    return None


def _alone(made: int) -> str:
    return (
        f"the policy made {made:,} decision{'' if made == 1 else 's'} alone"
        if made
        else ("the policy made no decision alone")
    )


def _told(event: JobTold) -> str | None:
    match event.event:
        case Noted(text):
            return f"note: {text}"
        case EpochEnded() as epoch if event.job == "train":
            return (
                f"epoch {epoch.epoch + 1} of {epoch.total_epochs}: loss {epoch.loss:.4f}, "
                f"accuracy {epoch.accuracy:.2f} %, {epoch.images_per_second:.0f} "
                f"{plural(epoch.row)}/s"
            )
        case TrainingResumed(epoch, total_epochs):
            return f"going on after epoch {epoch} of {total_epochs}"
    return None


def _resumed(event: RunResumed) -> str:
    which = "the newest" if event.is_newest else "one"
    among = f", {which} of {event.num_runs}," if event.num_runs > 1 else ""
    return f"resuming run {event.run}{among} in {event.store}"


def _finished(event: PhaseFinished) -> str:
    metrics = event.metrics
    if event.phase == "recovered":
        second = ""
        if "similarity_second" in metrics:
            second = f", {called(event.second).title} {metrics['similarity_second']:.4f}"
        return (
            f"{event.node}: {called(event.similarity).title} {metrics['similarity']:.4f}{second}, "
            "validation accuracy "
            f"{metrics['val_accuracy_before']:.2f} → {metrics['val_accuracy']:.2f} %"
        )
    return (
        f"{event.node}: tuned, validation accuracy {metrics['val_accuracy']:.2f} %, "
        f"test {metrics['test_accuracy']:.2f} %"
    )


def _decided(event: Decided) -> str:
    line = f"{event.parent} → {_names(event.kept)} kept: {event.reason}"
    margin = event.margin
    if margin is not None and margin.low is not None and margin.high is not None:
        line += f"; margin {margin.value:+.4f} [{margin.low:+.4f}, {margin.high:+.4f}]"
        line += ", too close to call" if margin.too_close else ""
    return line


def _names(kept: tuple[str, ...]) -> str:
    return ", ".join(kept) or "none"
