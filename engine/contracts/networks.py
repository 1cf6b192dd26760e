"""Networks, data and machines by description: what a job needs to have them, wherever it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.contracts.codec import decode, encode_object, spread
from engine.contracts.edits import Edit
from engine.contracts.json_values import JsonObject
from engine.contracts.loaders import FROM_DATA, MEMORY
from engine.contracts.references import Factory


@dataclass(frozen=True)
class SnapshotRef:
    """A node's weights by the SHA-256 of their safetensors bytes, wherever these lie."""

    sha256: str


@dataclass(frozen=True)
class FileRef:
    """A file of the person's by its name (no folder) and the SHA-256 of its bytes."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Architecture:
    """A factory with its arguments, and the edits from there on: rebuilt, never unpickled.

    `prepared` names what is done to a network that is not of our own families before any edit
    (`engine.models.preparations`): modules put in the place of equal ones that cannot be pruned.
    """

    factory: str
    arguments: JsonObject = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()
    prepared: tuple[str, ...] = ()


@dataclass(frozen=True)
class NetworkRef:
    """A network: its architecture and its weights."""

    architecture: Architecture
    snapshot: SnapshotRef


@dataclass(frozen=True)
class OwnValidation:
    """A person's own images that decide: what their file is called (no folder), and the SHA-256 of
    these images and labels."""

    name: str
    digest: str


@dataclass(frozen=True)
class DataDescription:
    """A data set as a run or a checkpoint remembers it; `digest` names its images and labels.

    Counts are of items. `row` is what is classified (`token`, where an item is a sequence of them),
    by which loss, accuracy and rates are told; `num_classes` where the classes have no names.
    """

    name: str = ""
    classes: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    flips: bool = True
    digest: str = ""
    image_shape: tuple[int, ...] = ()  # height, width, channels
    num_train: int = 0
    num_validation: int = 0
    num_test: int = 0
    normalisation: str | None = None  # which known preset mean and deviation are
    row: str = "image"
    num_classes: int = 0
    loader: str = MEMORY  # that was chosen for it
    transforms: Factory | None = None  # a person's code that prepares the images
    own_validation: OwnValidation | None = None

    @property
    def items(self) -> str:
        """What those are called that counts are of: one of them may have many rows."""
        return "images" if self.row == "image" else "items"


@dataclass(frozen=True)
class Reading:
    """How the images of a data set are read: how many of the training images, and what size they
    are brought to. The shorter side becomes `resize` pixels (`image_size` where that is None), then
    the middle square of `image_size` is cut out; None leaves them as they are. `loader` and
    `validation_from` are of engine.contracts.loaders (no path: where a person's own validation
    images lie is no part of it); `transforms` is a person's code that prepares streamed images."""

    train_limit: int | None = None
    image_size: int | None = None
    resize: int | None = None
    loader: str = MEMORY
    transforms: Factory | None = None
    validation_from: str = FROM_DATA


@dataclass(frozen=True)
class DataRef:
    """The images that a job works on: recognised by their digest, wherever they are found."""

    digest: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    reading: Reading = spread(Reading)


@dataclass(frozen=True)
class Execution:
    """How arithmetic runs: stored with a run and kept on resume, for bits depend on it."""

    device: str
    num_threads: int
    autocast: str | None  # "bfloat16" or None (float32)


@dataclass(frozen=True)
class Environment:
    """What must be equal for a node to be grown again bit for bit."""

    device: str = "cpu"
    num_threads: int = 1
    autocast: str | None = None
    candidates_at_once: int = 1
    torch: str | None = None
    python: str | None = None
    cuda: str | None = None
    gpu: str | None = None
    instruction_set: str | None = None
    platform: str | None = None

    @property
    def execution(self) -> Execution:
        return Execution(self.device, self.num_threads, self.autocast)


@dataclass(frozen=True)
class _StoredScores:
    blocks: Mapping[str, float]
    filters: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Scores:
    """Importance (the least goes first): by block path, and by the path of a group a unit."""

    blocks: Mapping[str, float]
    units: Mapping[str, tuple[float, ...]]

    def as_json(self) -> JsonObject:
        """The scores as a store keeps them; the first ones were of filters only."""
        return encode_object(_StoredScores(self.blocks, self.units))

    @staticmethod
    def from_json(value: object) -> Scores:
        """The scores of `as_json`. Raises FormatError."""
        stored = decode(_StoredScores, value, "Scores")
        return Scores(stored.blocks, stored.filters)
