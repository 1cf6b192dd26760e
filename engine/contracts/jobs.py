"""The kinds of work, and what each gives back: everything a job needs, and no path.

So a job can be retried, cancelled and sent to another machine, and its key, a hash of its fields,
stays the same wherever store and data are moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar, get_args

from engine.contracts.budgets import FitBudgets, Fitted
from engine.contracts.codec import TaggedUnion, content_hash, spread
from engine.contracts.comparing import CompareCriteria, CriteriaCompared
from engine.contracts.doubts import Doubt
from engine.contracts.edits import Edit
from engine.contracts.json_values import JsonObject
from engine.contracts.networks import (
    Architecture,
    DataDescription,
    DataRef,
    Environment,
    Execution,
    FileRef,
    NetworkRef,
    Reading,
    Scores,
    SnapshotRef,
)
from engine.contracts.preview import Preview, Previewed
from engine.contracts.references import Factory
from engine.contracts.requests import EditRequest
from engine.contracts.setting_sections import ScoringSettings, SimilaritySettings, TrainingSettings
from engine.contracts.speed import MeasureSpeed, SpeedMeasured
from engine.contracts.structure import NetworkStructure

Metrics = Mapping[str, float]  # by the keys of engine.contracts.metrics
KEY_DIGITS = 32


@dataclass(frozen=True)
class OpenRoot:
    """Read a checkpoint and measure it: the root of a tree. Gives Opened.

    `untrained`: there is no file; the network that `arch` names has random weights. `output` says
    which of several outputs are the class scores, `normalisation` how images are scaled (a name, or
    MEAN:STD).
    """

    KIND: ClassVar = "open"
    checkpoint: FileRef
    arch: str | None = None
    trust_pickle: bool = False
    device: str = "auto"
    reading: Reading = spread(Reading)
    untrained: bool = False
    output: str | None = None
    normalisation: str | None = None


@dataclass(frozen=True)
class Propose:
    """Score a parent's structures and say what its candidates lose. Gives Proposed."""

    KIND: ClassVar = "propose"
    parent: NetworkRef
    data: DataRef
    execution: Execution
    scoring: ScoringSettings
    seed: int
    request: EditRequest | None = None
    scores: Scores | None = None  # of an earlier proposal by the same criterion
    structure: NetworkStructure | None = None  # the parent's; read off where it is of our families


@dataclass(frozen=True)
class Recover:
    """Apply an edit, fine-tune for the recovery epochs, measure and compare. Gives Recovered.

    `teacher`: whose answers are learnt, where the settings ask for one that is not the parent.
    """

    KIND: ClassVar = "recover"
    parent: NetworkRef
    edit: Edit
    data: DataRef
    execution: Execution
    training: TrainingSettings
    similarity: SimilaritySettings
    seed: int
    resample_seed: int  # one for all candidates of a parent: their resamples form pairs
    structure: NetworkStructure | None = None  # the parent's, where layers are compared
    teacher: NetworkRef | None = None


@dataclass(frozen=True)
class Tune:
    """The rest of a kept node's fine-tuning. Gives Tuned.

    `teacher`: whose answers are learnt, where the settings ask for one.
    """

    KIND: ClassVar = "tune"
    network: NetworkRef
    data: DataRef
    execution: Execution
    training: TrainingSettings
    seed: int
    teacher: NetworkRef | None = None


@dataclass(frozen=True)
class Recipe:
    """How to train: one-cycle SGD (linear up for a fifth of the epochs, then down) unless told."""

    epochs: int
    learning_rate: float = 0.1
    batch_size: int = 128
    weight_decay: float = 5e-4
    seed: int = 0
    optimiser: str = "sgd"
    schedule: str = "one-cycle"
    warmup_epochs: float = 0.0
    label_smoothing: float = 0.0
    mixup: float = 0.0
    accumulate: int = 1
    norms: str = "train"


@dataclass(frozen=True)
class TrainFromScratch:
    """Train a network and write it as a checkpoint. Gives Trained.

    `arch` is a short name (`resnet20`, to which width and shortcut belong) or a reference
    (`torchvision.models:resnet18`). The weights begin random, or as the checkpoint of the job's
    places has them, with a new classifier where that one tells other classes apart.
    """

    KIND: ClassVar = "train"
    arch: str
    recipe: Recipe
    width: int = 16
    shortcut: str = "A"
    device: str = "auto"
    threads: int | None = None
    reading: Reading = spread(Reading)
    output: str | None = None


@dataclass(frozen=True)
class Export:
    """Write a node as a file of that format (a suffix of engine.contracts.export_formats). Gives
    Exported."""

    KIND: ClassVar = "export"
    network: NetworkRef
    data: DataDescription
    metrics: JsonObject = field(default_factory=dict)
    format: str = ".pt"


@dataclass(frozen=True)
class Doctor:
    """Say what this machine can do. Gives Diagnosis."""

    KIND: ClassVar = "doctor"
    device: str = "auto"


@dataclass(frozen=True)
class DescribeData:
    """Say which images lie at a place: those of a digest, where they may be read so. Gives
    DataDescribed."""

    KIND: ClassVar = "data"
    digest: str
    reading: Reading = spread(Reading)


@dataclass(frozen=True)
class NameWeights:
    """Say what the files of a library's own weights of a network are called: all, or those of a
    name. Where its places name an output, the first is fetched there. Gives WeightsNamed."""

    KIND: ClassVar = "weights"
    factory: str
    weights: str | None = None


@dataclass(frozen=True)
class DescribeStructure:
    """Say what can be removed from a network. Gives StructureDescribed.

    It is run on images of `input_shape` (channels, height, width), where one is given, or on those
    of the data at its places; else on images of a usual size that it takes. `untrained`: there is
    no file, `arch` names the network.
    """

    KIND: ClassVar = "structure"
    arch: str | None = None
    trust_pickle: bool = False
    untrained: bool = False
    input_shape: tuple[int, ...] = ()
    output: str | None = None  # which of several outputs are the logits


Job = (
    OpenRoot
    | Propose
    | Recover
    | Tune
    | TrainFromScratch
    | Export
    | Doctor
    | DescribeData
    | NameWeights
    | DescribeStructure
    | MeasureSpeed
    | Preview
    | CompareCriteria
    | FitBudgets
)
JOBS: TaggedUnion[Job] = TaggedUnion(*get_args(Job))


def key_of(job: Job) -> str:
    """A name for the work itself: the same job, asked for again, has the same key."""
    return content_hash(job)[:KEY_DIGITS]


# ------------------------------------------------------------ results


@dataclass(frozen=True)
class Epoch:
    """One epoch: mean training loss, training accuracy in percent, images a second."""

    epoch: int
    loss: float
    accuracy: float
    learning_rate: float
    images_per_second: float


@dataclass(frozen=True)
class Opened:
    """A checkpoint as a root. `data_name` is the known data set it names itself, where nobody else
    named one."""

    KIND: ClassVar = "opened"
    architecture: Architecture
    snapshot: SnapshotRef
    data: DataDescription
    data_name: str | None
    environment: Environment
    notes: tuple[str, ...]
    metrics: Metrics
    seconds: float = 0.0
    doubts: tuple[Doubt, ...] = ()
    structure: NetworkStructure | None = None


@dataclass(frozen=True)
class Proposed:
    """The scores of a parent's structures, and an edit for each candidate."""

    KIND: ClassVar = "proposed"
    criterion: str
    scores: Scores
    edits: tuple[Edit, ...]
    sample_ids: tuple[int, ...] | None = None  # of the training images scored with
    request: EditRequest | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Recovered:
    """A candidate, measured. `resamples` are its similarities on resampled images."""

    KIND: ClassVar = "recovered"
    snapshot: SnapshotRef
    epochs: tuple[Epoch, ...]
    resamples: tuple[float, ...]
    metrics: Metrics
    seconds: float = 0.0


@dataclass(frozen=True)
class Tuned:
    """A kept node at the end of its fine-tuning."""

    KIND: ClassVar = "tuned"
    snapshot: SnapshotRef
    epochs: tuple[Epoch, ...]
    metrics: Metrics
    seconds: float = 0.0


@dataclass(frozen=True)
class Trained:
    """A checkpoint that was trained from scratch and written."""

    KIND: ClassVar = "trained"
    metrics: Metrics
    data: DataDescription
    environment: Environment
    seconds: float = 0.0


@dataclass(frozen=True)
class Exported:
    """A checkpoint that was written."""

    KIND: ClassVar = "exported"
    size_bytes: int
    seconds: float = 0.0


@dataclass(frozen=True)
class Diagnosis:
    """What a machine can do."""

    KIND: ClassVar = "diagnosis"
    environment: Environment
    cuda_devices: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class DataDescribed:
    """The images at a place; their digest says whether they are those of a run."""

    KIND: ClassVar = "described"
    data: DataDescription
    seconds: float = 0.0


@dataclass(frozen=True)
class WeightsNamed:
    """The names (no folders) of files of weights, the best ones first."""

    KIND: ClassVar = "weights-named"
    files: tuple[str, ...]
    seconds: float = 0.0


@dataclass(frozen=True)
class StructureDescribed:
    """What can be removed from a network of that class, seen on images of that shape."""

    KIND: ClassVar = "structure-described"
    network: str
    input_shape: tuple[int, ...]
    structure: NetworkStructure
    seconds: float = 0.0


Result = (
    Opened
    | Proposed
    | Recovered
    | Tuned
    | Trained
    | Exported
    | Diagnosis
    | DataDescribed
    | WeightsNamed
    | StructureDescribed
    | SpeedMeasured
    | Previewed
    | CriteriaCompared
    | Fitted
)
RESULTS: TaggedUnion[Result] = TaggedUnion(*get_args(Result))
ResultT = TypeVar("ResultT", bound=Result)


# ------------------------------------------------------------ asking for a job


@dataclass(frozen=True)
class Places:
    """Where a job's inputs and outputs lie on the machine that does it: no part of the job."""

    data: str = ""  # a known name, or a path; empty where the checkpoint names its own
    checkpoint: str = ""
    output: str = ""  # the file that training or an export writes
    factory: Factory | None = None  # of a person's, which may be called as it is now
    task: Factory | None = None  # the same of what makes the data's task, where `data` names that
    transforms: Factory | None = None  # likewise
    criterion: Factory | None = None  # likewise
    validation: str = ""  # a person's own validation images, where these decide


@dataclass(frozen=True)
class JobRequest:
    """One attempt at a job. A result is kept under `key` until it is stored, where there is one;
    `label` is what people call it, such as `recover R.L`."""

    id: str
    job: Job
    label: str = ""
    places: Places = field(default_factory=Places)
    key: str | None = None
    slots: int | None = None  # of those an executor has; None takes all


def snapshots_needed(job: Job) -> tuple[SnapshotRef, ...]:
    """The weights that must be at hand before a job can start."""
    networks = (getattr(job, name, None) for name in ("parent", "network", "teacher"))
    return tuple(network.snapshot for network in networks if isinstance(network, NetworkRef))
