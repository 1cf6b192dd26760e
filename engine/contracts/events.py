"""What work tells while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from engine.contracts.codec import TaggedUnion


@dataclass(frozen=True)
class Progress:
    """`done` of `total` units of a phase are done; of a training also the epoch's figures so far.

    `epoch` counts from 1, `epoch_share` is the part of it that is done; accuracy is percent. What
    `images_per_second` counts is called a `row`.
    """

    KIND: ClassVar = "progress"
    phase: str
    done: int
    total: int
    epoch: int | None = None
    last_epoch: int | None = None
    epoch_share: float | None = None
    loss: float | None = None
    accuracy: float | None = None
    images_per_second: float | None = None
    eta_seconds: float | None = None
    memory_bytes: int | None = None
    row: str = "image"


@dataclass(frozen=True)
class EpochEnded:
    """The figures of an epoch that has ended; `epoch` counts from 0."""

    KIND: ClassVar = "epoch"
    phase: str
    epoch: int
    total_epochs: int
    loss: float
    accuracy: float
    learning_rate: float
    images_per_second: float
    row: str = "image"


@dataclass(frozen=True)
class TrainingResumed:
    """A training from scratch goes on after so many epochs."""

    KIND: ClassVar = "training resumed"
    epoch: int
    total_epochs: int


@dataclass(frozen=True)
class Noted:
    """Something that a person should know, in words."""

    KIND: ClassVar = "note"
    text: str


@dataclass(frozen=True)
class NetworkRead:
    """What a checkpoint's network takes and tells apart, known before its data are; None where it
    does not show."""

    KIND: ClassVar = "network"
    in_channels: int | None = None
    num_classes: int | None = None

    def takes(self, in_channels: int, num_classes: int) -> bool:
        """Whether data of this kind may be the network's."""
        pairs = ((self.in_channels, in_channels), (self.num_classes, num_classes))
        return all(own is None or own == theirs for own, theirs in pairs)


@dataclass(frozen=True)
class WorkerStarted:
    """A worker's first sign of life."""

    KIND: ClassVar = "started"
    pid: int


@dataclass(frozen=True)
class WorkerReady:
    """A worker has imported what it needs."""

    KIND: ClassVar = "ready"


EngineEvent = (
    Progress | EpochEnded | TrainingResumed | Noted | NetworkRead | WorkerStarted | WorkerReady
)
ENGINE_EVENTS: TaggedUnion[EngineEvent] = TaggedUnion(
    Progress, EpochEnded, TrainingResumed, Noted, NetworkRead, WorkerStarted, WorkerReady
)
EngineListener = Callable[[EngineEvent], None]
