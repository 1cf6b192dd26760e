"""What is known of a run before its first job: its network, data, settings, and what they take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from engine.contracts.doubts import Doubt
from engine.contracts.jobs import Opened
from engine.contracts.loaders import STREAMING
from engine.contracts.networks import Architecture, DataDescription, Environment
from engine.contracts.settings import Settings
from engine.contracts.structure import NetworkStructure
from explorer.session.documents import RunDocument
from explorer.session.new_run import NewRun
from explorer.session.speed import Speed
from explorer.views.deciding import deciding_words
from explorer.views.doubts import DoubtView
from explorer.views.network_structure import structure_of_root
from explorer.views.plan import Prediction, predict
from explorer.views.setting_views import SettingView, setting_views
from explorer.views.shape_fields import told


@dataclass(frozen=True)
class NetworkRecognised:
    """The network that a tree would grow from, and how sure that is."""

    factory: str = told("by what it is made")
    how: str = told("how what can be removed was found, in words")
    macs: float = told("multiply-accumulates of a forward pass")
    params: float = told("parameters")
    blocks: int = told("how many blocks it has")
    removable_blocks: int = told("how many of them may go at the beginning")
    units: Mapping[str, int] = told("how many units may go, by their kind")
    val_accuracy: float | None = told("its accuracy on the validation images, percent")
    test_accuracy: float | None = told("its accuracy on the test images, percent")
    notes: tuple[str, ...] = told("what was read off, tried or guessed")
    doubts: tuple[DoubtView, ...] = told("what speaks against its figures")


@dataclass(frozen=True)
class DataPlanned:
    """The data that it would be grown on."""

    name: str = told("its name")
    place: str = told("where it lies")
    train: int = told("training images (items)")
    validation: int = told("validation images")
    test: int = told("test images")
    classes: int = told("how many classes")
    image_shape: tuple[int, ...] = told("height, width, channels; empty for other data")
    in_memory: bool = told("whether it is held in memory; else it is streamed")
    normalisation: str | None = told("by which known preset images are scaled")
    deciding: str = told("which images decide, in words; empty where they are the data's own")


@dataclass(frozen=True)
class SpeedTold:
    """How quickly its work went here, tried for a second or two a part."""

    device: str = told("`cpu` or `cuda:N`")
    threads: int = told("threads of a job that has the machine alone")
    training: float = told("images a second through fine-tuning, alone")
    training_beside: float = told("through each of the recoveries that run at once")
    evaluating: float = told("images a second through an evaluation, which gives features, alone")
    ranking: float | None = told("images a second through ranking; null where it looks at none")


@dataclass(frozen=True)
class Plan:
    """What a run is before its first job, or at any time after."""

    model: str = told("what was named")
    run: str | None = told("the run's name, of a store's run; null for a new one")
    preset: str | None = told("the preset that was named")
    network: NetworkRecognised = told("the network")
    data: DataPlanned = told("the data")
    settings: tuple[SettingView, ...] = told("every setting")
    speed: SpeedTold = told("how quickly work goes here")
    prediction: Prediction = told("what it takes from here on")


def network_recognised(
    architecture: Architecture,
    structure: NetworkStructure | None,
    metrics: Mapping[str, float],
    notes: Collection[str],
    doubts: Collection[Doubt],
    settings: Settings,
) -> NetworkRecognised:
    """The network of a root."""
    scoring = settings.scoring
    known = structure or NetworkStructure()
    units: Counter[str] = Counter()
    for group in known.offered_groups(scoring.units):
        units[group.kind] += max(group.num_units - 1, 0)
    words = {doubt.words for doubt in doubts}
    return NetworkRecognised(
        factory=architecture.factory,
        how=_how_found(structure),
        macs=metrics.get("macs", 0),
        params=metrics.get("params", 0),
        blocks=len(known.blocks),
        removable_blocks=len(known.removable_blocks(scoring.min_blocks)),
        units=dict(units),
        val_accuracy=metrics.get("val_accuracy"),
        test_accuracy=metrics.get("test_accuracy"),
        notes=tuple(note for note in notes if note not in words),
        doubts=tuple(DoubtView(doubt.code, doubt.words) for doubt in doubts),
    )


def _how_found(structure: NetworkStructure | None) -> str:
    if structure is None:
        return "its structure was not stored"
    if structure.read_off:
        return "read off, its family being known"
    return "found by running it, and checked on it"


def data_planned(data: DataDescription, place: str, validation_from: str) -> DataPlanned:
    """The data of a run."""
    return DataPlanned(
        data.name,
        place,
        data.num_train,
        data.num_validation,
        data.num_test,
        len(data.classes) or data.num_classes,
        data.image_shape,
        data.loader != STREAMING,
        data.normalisation,
        deciding_words(data, validation_from),
    )


def speed_told(speed: Speed, environment: Environment) -> SpeedTold:
    """Speeds as they are printed."""
    each = speed.alone.ranking_seconds_per_item
    return SpeedTold(
        environment.device,
        environment.num_threads,
        round(speed.alone.training_items_per_second, 1),
        round(speed.beside.training_items_per_second, 1),
        round(speed.alone.evaluating_items_per_second, 1),
        round(1 / each, 2) if each > 0 else None,
    )


def plan_of_new_run(
    model: str,
    new: NewRun,
    speed: Speed,
    *,
    given: Collection[str],
    preset: str | None,
    start_seconds: float,
) -> Plan:
    """The plan of a run that may begin."""
    root: Opened = new.root
    macs = root.metrics.get("macs", 0)
    prediction = predict(new.settings, root.data, macs, speed, start_seconds=start_seconds)
    return Plan(
        model=model,
        run=None,
        preset=preset,
        network=network_recognised(
            root.architecture, root.structure, root.metrics, root.notes, root.doubts, new.settings
        ),
        data=data_planned(root.data, new.place, new.settings.data.validation_from),
        settings=setting_views(
            new.settings, given=given, preset=preset, data=new.settings.data.source
        ),
        speed=speed_told(speed, root.environment),
        prediction=prediction,
    )


def plan_of_run(
    model: str,
    document: RunDocument,
    metrics: Mapping[str, float],
    speed: Speed,
    *,
    decided: int,
    start_seconds: float,
) -> Plan:
    """The plan of a store's run from here on; `metrics` are its root's."""
    settings = document.settings
    prediction = predict(
        settings,
        document.data,
        metrics.get("macs", 0),
        speed,
        start_seconds=start_seconds,
        decided=decided,
    )
    origin = document.origin
    return Plan(
        model=model,
        run=document.run.name,
        preset=None,
        network=network_recognised(
            document.architecture,
            structure_of_root(document),
            metrics,
            origin.notes,
            origin.doubts,
            settings,
        ),
        data=data_planned(document.data, settings.data.source, settings.data.validation_from),
        settings=setting_views(settings),
        speed=speed_told(speed, document.environment),
        prediction=prediction,
    )
