"""Opening a network as the root of a tree: what it is, how good it is on these data."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from engine.checkpoints import LoadedNetwork, normalisation
from engine.checkpoints import load as load_checkpoint
from engine.checkpoints.build import check_same_function
from engine.checkpoints.fitting import untrained
from engine.checkpoints.folder_fit import fit_to
from engine.checkpoints.image_fit import check_output
from engine.checkpoints.root_doubts import doubts_of, doubts_on_splits
from engine.contracts.doubts import Doubt
from engine.contracts.errors import DataNotNamedError, EngineError, UnknownFamilyError
from engine.contracts.events import NetworkRead
from engine.contracts.jobs import Opened, OpenRoot, Places
from engine.contracts.networks import Architecture, Execution
from engine.contracts.references import is_reference
from engine.contracts.structure import NetworkStructure
from engine.data import ImageData, normalise
from engine.data.sources import KNOWN_NAMES
from engine.measures.accuracy import Evaluation, evaluate
from engine.measures.cost import cost_of
from engine.measures.latency import latency_ms
from engine.models import FAMILIES
from engine.models.cifar_resnet import CifarResNet, arguments_of
from engine.models.preparations import OUTPUT, PREPARATIONS, prepare
from engine.pruning.structure import structure_of
from engine.pruning.structure.find import find_structure
from engine.runtime import device
from engine.runtime.progress import Monitor
from engine.worker.factories import check_allowed
from engine.worker.workbench import Workbench

EXAMPLES = 4  # training images that a network is run on to find its structure


@dataclass(frozen=True, eq=False)
class _Root:
    """A network ready to be measured, and what was seen on the way to it."""

    loaded: LoadedNetwork
    choice: normalisation.Choice
    data: ImageData
    data_name: str | None = None
    doubts: tuple[Doubt, ...] = ()  # about what was never trained

    @property
    def model(self) -> nn.Module:
        return self.choice.model


def open_root(
    job: OpenRoot, execution: Execution, bench: Workbench, places: Places, monitor: Monitor
) -> Opened:
    """The root of a job, measured. Raises CheckpointError, DataError, UnknownFamilyError."""
    if places.factory is not None and job.arch is not None:
        check_allowed(Architecture(job.arch), places.factory)
    root = (_untrained if job.untrained else _loaded)(job, execution, bench, places, monitor)
    model, data = root.model, root.data
    structure = _structure(model, data, monitor)
    validation = evaluate(
        model, data.validation, data, execution, monitor=monitor, phase="validation"
    )
    test = evaluate(model, data.test, data, execution, monitor=monitor, phase="test")
    doubts = _doubts(root, validation, test)
    for doubt in doubts:
        monitor.note(doubt.words)
    cost = cost_of(model, data.image_shape_HWC)
    return Opened(
        architecture=root.choice.architecture,
        snapshot=bench.keep(model),
        data=replace(data.describe(), normalisation=root.choice.name),
        data_name=root.data_name,
        environment=device.environment_of(execution),
        notes=(
            *root.loaded.notes,
            *data.notes,
            *root.choice.notes,
            *(doubt.words for doubt in doubts),
        ),
        metrics={
            "val_accuracy": validation.accuracy,
            "val_loss": validation.loss,
            "test_accuracy": test.accuracy,
            "macs": cost.num_macs,
            "params": cost.num_params,
            "latency_ms": latency_ms(model, data.image_shape_HWC, execution),
        },
        doubts=doubts,
        structure=structure,
    )


def _loaded(
    job: OpenRoot, execution: Execution, bench: Workbench, places: Places, monitor: Monitor
) -> _Root:
    """The network of a checkpoint, in the layout and with the scaling that fit it best."""
    loaded = load_checkpoint(places.checkpoint, arch=job.arch, trust_pickle=job.trust_pickle)
    for note in loaded.notes:
        monitor.note(note)
    architecture = _known_architecture(loaded)
    monitor.tell(_network_read(architecture))
    named = None if places.data else _data_named_by(loaded)
    data = bench.images_for(loaded.data, places.data or named or "", job.reading, monitor)
    normalisation.check_fit(architecture, loaded.data, data)
    architecture = _prepared(architecture, loaded.model, job.output)
    if not isinstance(loaded.model, CifarResNet):
        fitting = fit_to(data, loaded)
        for note in fitting:
            monitor.note(note)
        loaded = replace(loaded, notes=(*loaded.notes, *fitting))
    choice = normalisation.choose(loaded, architecture, data, execution, monitor)
    data = data.with_normalisation(choice.mean, choice.std)
    return _Root(loaded, choice, data, named)


def _untrained(
    job: OpenRoot, execution: Execution, bench: Workbench, places: Places, monitor: Monitor
) -> _Root:
    """A network with random weights, for the classes of the data."""
    reference = job.arch or ""
    if not is_reference(reference):
        raise UnknownFamilyError(
            "--random-weights are for networks by reference, such as torchvision.models:resnet18; "
            f"{reference!r} is none"
        )
    if not places.data:
        raise DataNotNamedError(
            "a network with random weights does not say where its data are; give them with "
            "--data NAME, a folder or .zip of train/<class>/* and test/<class>/*, or an .npz"
        )
    data = bench.images_for(None, places.data, job.reading, monitor)
    architecture, model = untrained(reference, len(data.classes), data.image_shape_HWC[2])
    monitor.tell(_network_read(architecture))
    architecture = _prepared(architecture, model, job.output)
    check_output(model, data)
    loaded = LoadedNetwork(architecture, model, None, {}, (), "")
    choice = normalisation.of_the_data(loaded, architecture, data)
    doubt = Doubt("untrained", f"{reference} has random weights (--random-weights): it guesses")
    return _Root(loaded, choice, data, doubts=(doubt,))


def _prepared(architecture: Architecture, model: nn.Module, output: str | None) -> Architecture:
    """With modules that cannot be pruned replaced by equal ones; in place, before any edit."""
    if output is not None and (isinstance(model, CifarResNet) or architecture.edits):
        raise EngineError(
            "the network was opened here before, or has one output: leave --output out"
        )
    if isinstance(model, CifarResNet) or architecture.edits:
        return architecture
    done = prepare(model, PREPARATIONS if output is None else (*PREPARATIONS, OUTPUT + output))
    new = tuple(name for name in done if name not in architecture.prepared)
    return replace(architecture, prepared=(*architecture.prepared, *new))


def _structure(model: nn.Module, data: ImageData, monitor: Monitor) -> NetworkStructure:
    """What can be removed from the network, found by running it on a few training images."""
    if isinstance(model, CifarResNet):
        return structure_of(model)
    pixels_BHWC = data.train.pixels_NHWC[:EXAMPLES]
    images_BCHW = normalise(pixels_BHWC, data.mean, data.std)
    return find_structure(model, images_BCHW.contiguous(), monitor)


def _doubts(root: _Root, validation: Evaluation, test: Evaluation) -> tuple[Doubt, ...]:
    """What speaks against a root's figures; that an untrained network guesses is known."""
    splits, loaded = doubts_on_splits(root.data), root.loaded
    if root.doubts:
        return (*splits, *root.doubts)
    measured = doubts_of(loaded.metrics, loaded.data is None, root.data, validation, test)
    return _each_once(*splits, *root.choice.doubts, *measured)


def _each_once(*doubts: Doubt) -> tuple[Doubt, ...]:
    """The doubts, the first of each kind: a kind may be seen on training and validation images."""
    return tuple({doubt.code: doubt for doubt in reversed(doubts)}.values())[::-1]


def _known_architecture(loaded: LoadedNetwork) -> Architecture:
    """The architecture; a person's CIFAR ResNet is one of our family, whose code needs no leave."""
    if loaded.architecture.factory in FAMILIES or not isinstance(loaded.model, CifarResNet):
        return loaded.architecture
    architecture = Architecture("cifar_resnet", arguments_of(loaded.model))
    check_same_function(loaded.model, architecture)
    return architecture


def _network_read(architecture: Architecture) -> NetworkRead:
    told = architecture.arguments
    channels, classes = told.get("in_channels", told.get("in_chans")), told.get("num_classes")
    return NetworkRead(
        channels if isinstance(channels, int) else None,
        classes if isinstance(classes, int) else None,
    )


def _data_named_by(loaded: LoadedNetwork) -> str:
    """The data that a checkpoint names, where that name alone finds them."""
    name = loaded.data.name if loaded.data is not None else ""
    if name in KNOWN_NAMES:
        return name
    told = f" (it was trained on {name!r})" if name else ""
    raise DataNotNamedError(
        f"the checkpoint does not say where its data are{told}; give them with --data NAME, "
        "a folder or .zip of train/<class>/* and test/<class>/*, or an .npz"
    )
