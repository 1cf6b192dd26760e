"""What the jobs of one process share: a data set, the last parent's features, the spool."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
from torch import nn

from engine.contracts.errors import DataError, WeightsChangedError
from engine.contracts.files import write_bytes_atomically
from engine.contracts.jobs import Places
from engine.contracts.loaders import FROM_FILE, MEMORY, STREAMING
from engine.contracts.message_text import LONGEST_MESSAGE, plain
from engine.contracts.networks import (
    DataDescription,
    DataRef,
    Execution,
    NetworkRef,
    Reading,
    SnapshotRef,
)
from engine.contracts.references import Factory, is_task
from engine.contracts.spool import snapshot_path
from engine.contracts.working_folder import make_folder, read_own
from engine.data import ImageSet, load, open_data
from engine.measures.accuracy import NO_LAYERS, Evaluation, evaluate
from engine.pruning import editing
from engine.runtime.device import torch_device
from engine.runtime.progress import Monitor
from engine.runtime.sharing import apart
from engine.tasks import Split, Task, image_task
from engine.tasks.checking import CheckedTask
from engine.tasks.foreign import task_of_person
from engine.worker.factories import check_allowed, check_task_allowed
from engine.worker.transforms import transforms_of


class _FeaturesOf(NamedTuple):
    """Of which network, on which data, and how."""

    network: NetworkRef
    data: DataRef
    split: Split
    execution: Execution
    layers: tuple[tuple[str, str], ...]


class Workbench:
    """Kept from job to job, so that neither data nor features are made twice in a row."""

    def __init__(self, spool: Path) -> None:
        self.spool = spool
        self.told: set[str] = set()  # notes that once is enough for
        self.allowed_transforms: Factory | None = None  # of the request under way
        self.validation = ""  # likewise: where a person's own validation images lie
        self._data: tuple[tuple[str, Reading, bool, str], ImageSet] | None = None
        self._task: tuple[Factory, CheckedTask] | None = None
        self._features: tuple[_FeaturesOf, Evaluation] | None = None

    def images(
        self, source: str, reading: Reading, monitor: Monitor, *, as_before: bool = False
    ) -> ImageSet:
        """The data set of a source, or as earlier versions read it. Raises DataError."""
        validation = self.validation if reading.validation_from == FROM_FILE else ""
        key = (source, reading, as_before, validation)
        if self._data is None or self._data[0] != key:
            self._data = None  # room for the next one
            self._data = (key, self._opened(source, reading, as_before, monitor))
        return self._data[1]

    def _opened(self, source: str, reading: Reading, as_before: bool, monitor: Monitor) -> ImageSet:
        if not as_before:
            transforms = transforms_of(reading.transforms, self.allowed_transforms)
            return open_data(
                source, reading, on_progress=monitor.step, transforms=transforms,
                validation=self.validation,
            )  # fmt: skip
        size = {"image_size": reading.image_size, "resize": reading.resize}
        limit = reading.train_limit
        return load(source, train_limit=limit, **size, on_progress=monitor.step, as_before=True)

    def images_for(
        self, known: DataDescription | None, source: str, reading: Reading, monitor: Monitor
    ) -> ImageSet:
        """The data set of a source in the order of classes that a checkpoint names.

        What a person should know of it is told. Raises DataError.
        """
        data = self.images(source, reading, monitor)
        as_text = tuple(sorted(data.classes))
        is_older = known is not None and known.classes == as_text != data.classes
        if is_older and reading.validation_from != FROM_FILE:  # which no earlier version read
            # Trained when earlier versions sorted class folders named by numbers as text.
            data = self.images(source, reading, monitor, as_before=True)
        for note in data.notes:
            monitor.note(note)
        return data

    def task_of(self, ref: DataRef, places: Places, execution: Execution, monitor: Monitor) -> Task:
        """What a job's networks are for, on the device that is to compute. Raises DataError where
        the place has other data."""
        if not is_task(places.data):
            data = self.images_of(ref, places.data, monitor)
            return image_task(data, torch_device(execution))
        task = self.persons_task(places, ref.reading)
        if task.describe().digest != ref.digest:
            raise DataError(
                f"the task {places.data} has not the data that this tree was grown on (its digest "
                "differs); bring back the original, or start a new tree"
            )
        return task

    def persons_task(self, places: Places, reading: Reading) -> CheckedTask:
        """The task that a person's function makes, once for a file of theirs.

        Raises ForeignFactoryError where nobody has allowed that, UnknownFamilyError, DataError.
        """
        usual = replace(reading, loader=MEMORY) == Reading()
        if not usual or reading.loader == STREAMING:
            raise DataError(
                "--train-limit, --image-size, --resize, --loader, --transforms and "
                "--validation-from are for images that are read here; leave them out, and have "
                "the task do it"
            )
        allowed = check_task_allowed(places.data, places.task)
        if self._task is None or self._task[0] != allowed:
            self._task = None  # room for the next one
            self._task = (allowed, task_of_person(allowed.reference))
        return self._task[1]

    def images_of(self, ref: DataRef, source: str, monitor: Monitor) -> ImageSet:
        """The very images that a job is about. Raises DataError where the source has others."""
        # The reading that was right for the last job is, for the same run, right again.
        as_before = self._data is not None and self._data[0][:3] == (source, ref.reading, True)
        data = self.images(source, ref.reading, monitor, as_before=as_before)
        if data.digest != ref.digest and as_before:
            data = self.images(source, ref.reading, monitor)
        if data.digest != ref.digest:
            new = ref.reading.loader == STREAMING or ref.reading.validation_from == FROM_FILE
            if new:  # which earlier versions did not have
                raise _other_data(source)
            data = self._images_as_before(ref, source, monitor)
        return data.with_normalisation(ref.mean, ref.std)

    def _images_as_before(self, ref: DataRef, source: str, monitor: Monitor) -> ImageSet:
        """The images of a tree that an earlier version grew, which read folders in other ways."""
        with contextlib.suppress(DataError):
            data = self.images(source, ref.reading, monitor, as_before=True)
            if data.digest == ref.digest:
                monitor.note(
                    f"this tree was grown when {plain(data.name)} was read in another way (classes "
                    "named by numbers sorted as text, other spellings of val/ and folders below "
                    "classes passed over): it keeps that"
                )
                return data
        raise _other_data(source)

    def network(self, ref: NetworkRef, allowed: Factory | None) -> nn.Module:
        """A node's network with its weights, by a person's factory only where that is allowed.

        Raises EngineError, ForeignFactoryError.
        """
        check_allowed(ref.architecture, allowed)
        model = editing.rebuild(ref.architecture)
        model.load_state_dict(safetensors.torch.load(self._weights(ref.snapshot)))
        return model

    def _weights(self, ref: SnapshotRef) -> bytes:
        """The very bytes of a snapshot, read once: what was checked is what is used.

        Raises WeightsChangedError.
        """
        path = snapshot_path(self.spool, ref.sha256)
        try:
            content = read_own(path)
        except OSError as error:
            raise WeightsChangedError(
                f"cannot read the weights {path} ({error.strerror}); try again, and they are "
                "written anew"
            ) from error
        if hashlib.sha256(content).hexdigest() != ref.sha256:
            raise WeightsChangedError(
                f"the weights {path} are not those of their name, something changed them; try "
                "again, and they are written anew"
            )
        return content

    def features(
        self,
        of: NetworkRef,
        build: Callable[[], nn.Module],
        ref: DataRef,
        task: Task,
        split: Split,
        execution: Execution,
        monitor: Monitor,
        layers: Mapping[str, str] = NO_LAYERS,
    ) -> Evaluation:
        """A parent's features, made once for all of its candidates; with what those layers give."""
        key = _FeaturesOf(of, ref, split, execution, tuple(layers.items()))
        if self._features is None or self._features[0] != key:
            phase = "parent's features"
            found = evaluate(
                build(), task, split, execution, monitor=monitor, phase=phase, layers=layers
            )
            self._features = (key, found)
        return self._features[1]

    def keep(self, model: nn.Module) -> SnapshotRef:
        """Writes a model's tensors to the spool folder and names them by their hash."""
        content = safetensors.torch.save(apart(model.state_dict()))
        sha256 = hashlib.sha256(content).hexdigest()
        make_folder(self.spool)
        write_bytes_atomically(snapshot_path(self.spool, sha256), content)
        return SnapshotRef(sha256)


def _other_data(source: str) -> DataError:
    return DataError(
        f"{plain(source, LONGEST_MESSAGE)} is not the data that this tree was grown on (its "
        "images or labels differ); bring back the original, or start a new tree"
    )
