"""Opening a network as the root of a tree: what it is, how good it is on these data."""

from __future__ import annotations

from torch import nn

from engine.checkpoints.root_doubts import doubts_of
from engine.contracts.doubts import Doubt
from engine.contracts.jobs import Opened, OpenRoot, Places
from engine.contracts.networks import Architecture, Execution
from engine.contracts.references import is_task
from engine.contracts.structure import NetworkStructure
from engine.measures.accuracy import Evaluation, evaluate
from engine.measures.cost import cost_of
from engine.measures.latency import latency_ms
from engine.models.cifar_resnet import CifarResNet
from engine.pruning.structure import structure_of
from engine.pruning.structure.find import find_structure
from engine.runtime import device
from engine.runtime.progress import Monitor
from engine.tasks import Task, examples
from engine.worker.factories import check_allowed
from engine.worker.image_roots import on_images
from engine.worker.root import Root, told_of_preparations
from engine.worker.task_roots import on_task
from engine.worker.workbench import Workbench

EXAMPLES = 4  # training items that a network is run on to find its structure


def open_root(
    job: OpenRoot, execution: Execution, bench: Workbench, places: Places, monitor: Monitor
) -> Opened:
    """The root of a job, measured. Raises CheckpointError, DataError, UnknownFamilyError."""
    if places.factory is not None and job.arch is not None:
        check_allowed(Architecture(job.arch), places.factory)
    if is_task(places.data):
        root = on_task(job, bench, places, monitor)
    else:
        root = on_images(job, execution, bench, places, monitor)
    model, task = root.model, root.task
    prepared = told_of_preparations(root.architecture)
    for note in prepared:
        monitor.note(note)
    structure, example = _structure(model, task, monitor), examples(task, 1)
    validation = evaluate(model, task, "validation", execution, monitor=monitor, phase="validation")
    test = evaluate(model, task, "test", execution, monitor=monitor, phase="test")
    doubts = _doubts(root, validation, test)
    for doubt in doubts:
        monitor.note(doubt.words)
    cost = cost_of(model, example)
    return Opened(
        architecture=root.architecture,
        snapshot=bench.keep(model),
        data=root.about,
        data_name=root.data_name,
        environment=device.environment_of(execution),
        notes=(
            *root.loaded.notes,
            *root.notes,
            *prepared,
            *(doubt.words for doubt in doubts),
        ),
        metrics={
            "val_accuracy": validation.accuracy,
            "val_loss": validation.loss,
            "test_accuracy": test.accuracy,
            "macs": cost.num_macs,
            "params": cost.num_params,
            "latency_ms": latency_ms(model, example, execution),
        },
        doubts=doubts,
        structure=structure,
    )


def _structure(model: nn.Module, task: Task, monitor: Monitor) -> NetworkStructure:
    """What can be removed from the network, found by running it on a few training items."""
    if isinstance(model, CifarResNet):
        return structure_of(model)
    return find_structure(model, examples(task, EXAMPLES).inputs, monitor)


def _doubts(root: Root, validation: Evaluation, test: Evaluation) -> tuple[Doubt, ...]:
    """What speaks against a root's figures; that an untrained network guesses is known."""
    if root.untrained is not None:
        return (*root.doubts, root.untrained)
    loaded = root.loaded
    measured = doubts_of(loaded.metrics, loaded.data is None, root.about, validation, test)
    return _each_once(*root.doubts, *measured)


def _each_once(*doubts: Doubt) -> tuple[Doubt, ...]:
    """The doubts, the first of each kind: a kind may be seen on training and validation images."""
    return tuple({doubt.code: doubt for doubt in reversed(doubts)}.values())[::-1]
