"""A new run: its root looked at, and its row in the store."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, cast

from engine.contracts.codec import encode_object
from engine.contracts.jobs import Opened, OpenRoot, Places
from engine.contracts.networks import DataRef, FileRef, NetworkRef
from engine.contracts.references import Factory, factory_here, is_own_method, is_persons, is_task
from engine.contracts.settings import Settings
from explorer.executors.base import Executor
from explorer.session.documents import Origin, architecture_document, settings_document
from explorer.session.events import Emit
from explorer.session.model_source import ModelSource
from explorer.session.network_defaults import with_network_defaults
from explorer.session.root_job import run_for_root
from explorer.session.speed import Subject
from store import Run, TreeStore


class Asked(Protocol):
    """What a request says of the root."""

    @property
    def trust_pickle(self) -> bool: ...
    @property
    def device(self) -> str: ...
    @property
    def output(self) -> str | None: ...
    @property
    def normalisation(self) -> str | None: ...


@dataclass(frozen=True)
class NewRun:
    """A run that may begin: its settings, and its root as it was looked at. Nothing of it is
    stored."""

    checkpoint: FileRef
    trusted_pickle: bool
    settings: Settings
    root: Opened
    normalisation: str | None = None  # as a person says

    @property
    def place(self) -> str:
        """Where its data lie."""
        return self.settings.data.source or self.root.data_name or ""

    @property
    def factory(self) -> Factory | None:
        """A person's function that makes its network."""
        reference = self.root.architecture.factory
        return factory_here(reference) if is_persons(reference) else None

    @property
    def task(self) -> Factory | None:
        """A person's function that makes its task."""
        return factory_here(self.place) if is_task(self.place) else None

    @property
    def criterion(self) -> Factory | None:
        """A person's function that ranks its structures."""
        name = self.settings.scoring.criterion
        return factory_here(name) if is_own_method(name) else None

    @property
    def subject(self) -> Subject:
        """The root, to be measured. Its weights are in the spool."""
        root = self.root
        chosen = root.data.loader, root.data.transforms
        reading = replace(self.settings.data.reading, loader=chosen[0], transforms=chosen[1])
        places = Places(
            data=self.place,
            factory=self.factory,
            task=self.task,
            transforms=chosen[1],
            validation=self.settings.data.validation_file,
            criterion=self.criterion,
        )
        return Subject(
            NetworkRef(root.architecture, root.snapshot),
            DataRef(root.data.digest, root.data.mean, root.data.std, reading),
            root.environment,
            None if root.structure is None or root.structure.read_off else root.structure,
            places,
        )

    def create(self, store: TreeStore, weights: bytes, name: str | None = None) -> Run:
        """The run's row; without a name it is called after the checkpoint."""
        settings = self.settings
        settings = replace(settings, data=replace(settings.data, source=self.place))
        origin = Origin(
            self.checkpoint,
            self.trusted_pickle,
            self.root.notes,
            doubts=self.root.doubts,
            factory=self.factory,
            task=self.task,
            own_criterion=self.criterion,
            normalisation=self.normalisation,
        )
        return store.create_run(
            name=name or f"{Path(self.checkpoint.name).stem}-{len(store.runs()) + 1}",
            seed=settings.seed,
            architecture=architecture_document(self.root.architecture, self.root.structure),
            data=encode_object(self.root.data),
            settings=settings_document(settings, origin),
            environment=encode_object(self.root.environment),
            root_metrics=self.root.metrics,
            root_snapshot=weights,
        )


async def look_at(
    source: ModelSource,
    checkpoint: FileRef,
    asked: Asked,
    settings: Settings,
    given: Collection[str],
    executor: Executor,
    emit: Emit,
) -> NewRun:
    """The run that would begin with a network: its root is opened and measured. Settings that are
    not among the `given` ones are the network's own. Raises JobFailedError."""
    named = settings.data.transforms
    transforms = None if named is None else factory_here(named)
    job = OpenRoot(
        checkpoint=checkpoint,
        arch=source.arch,
        trust_pickle=asked.trust_pickle,
        device=asked.device,
        reading=replace(settings.data.reading, transforms=transforms),
        untrained=source.untrained,
        output=asked.output,
        normalisation=asked.normalisation,
    )
    path = "" if source.path is None else str(source.path)
    place = settings.data.source
    task = factory_here(place) if is_task(place) else None  # it has been named
    places = Places(
        data=place,
        checkpoint=path,
        task=task,
        transforms=transforms,
        validation=settings.data.validation_file,
    )
    root = cast(Opened, await run_for_root(job, places, executor, emit))
    settings = with_network_defaults(settings, given, root.structure, len(root.data.classes))
    return NewRun(checkpoint, asked.trust_pickle, settings, root, asked.normalisation)
