"""From what the user names (a checkpoint, the sample, a store) to a session on a run."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.contracts.errors import UsageError
from engine.contracts.events import Noted
from engine.contracts.loaders import FROM_DATA, validation_file
from engine.contracts.networks import FileRef
from engine.contracts.options import SettingValue
from engine.contracts.presets import preset_of, values_of_preset
from engine.contracts.references import (
    is_persons,
    is_reference,
    name_of,
)
from engine.contracts.settings import Settings, all_settings, with_values
from engine.contracts.working_folder import take_folder
from explorer.executors.base import Executor
from explorer.executors.spool_cleanup import clear_spool
from explorer.executors.unavailable import UnavailableExecutor
from explorer.session.accepting import Accept, check_accepted, whatever_it_is
from explorer.session.artifacts import Artifacts, made_in
from explorer.session.data_places import (
    DataPlaces,
    ImagesAt,
    at_full_paths,
    describer,
    folders_of,
    full_path,
    moved,
)
from explorer.session.documents import (
    RunDocument,
)
from explorer.session.events import Emit, RunBegun, RunResumed
from explorer.session.factories import Allow, Factories, nobody
from explorer.session.known_run import (
    Choice,
    check_has_own,
    check_resumable,
    choose_run,
    newest_run,
    resumed,
    run_meant,
    settings_with,
)
from explorer.session.model_source import ModelSource, is_network, source_of
from explorer.session.named_files import (
    check_data,
    check_new_store,
    check_task,
    check_validation,
    default_store,
    expanded,
    is_store,
    may_write_beside,
)
from explorer.session.new_run import NewRun, look_at
from explorer.session.offer import Offer, Plan, as_asked
from explorer.session.session import Session
from store import StoreClaim, TreeStore


@dataclass(frozen=True)
class Request:
    """What the user asked to open. `overrides` holds only the settings that were given; a
    `new_run` may begin where the store has others of the checkpoint; `weights` are those of a
    model that is a network by reference, and `allow_factory` the functions that may be called;
    `task` is the one that makes the data's task; `protocol` and `preset` say what holds where a
    setting was not given. `read_only`: the tree is looked at only, by who shows one; `run`: which
    of a store, by its number, name or uuid, the newest where nobody says; `normalisation` is how
    images are scaled for the network, where a person says it; `name` that of a new run."""

    model: str
    store: Path | None = None
    device: str = "auto"
    arch: str | None = None
    trust_pickle: bool = False
    protocol: str = "default"
    overrides: Mapping[str, SettingValue] = field(default_factory=dict)
    new_run: bool = False
    weights: Path | None = None
    random_weights: bool = False
    allow_factory: Sequence[str] = ()
    output: str | None = None
    task: str | None = None
    preset: str | None = None
    read_only: bool = False
    run: str | None = None
    normalisation: str | None = None
    name: str | None = None

    @property
    def data(self) -> str | None:
        """The place of the data that was given: the function that makes a task, or of images."""
        given = self.overrides.get("data") if self.task is None else self.task
        return None if given is None else str(given)

    @property
    def validation(self) -> str | None:
        """The place of a person's own images that are to decide, where one was given."""
        return validation_file(str(self.overrides.get("validation_from") or FROM_DATA)) or None

    def check_data(self) -> None:
        """Raises UsageError or ForeignFactoryError where nothing can be there."""
        if self.validation is not None:
            check_validation(self.validation)
        if self.task is None:
            check_data(self.data or "")
        else:
            check_task(self.task)

    @property
    def given_factories(self) -> tuple[str, ...]:
        """The factories that a person has named in this request."""
        transforms = str(self.overrides.get("transforms") or "")
        criterion = str(self.overrides.get("criterion") or "")
        named = [self.arch, self.model, self.task, transforms, criterion]
        mine = [name for name in named if name and is_reference(name) and is_persons(name)]
        return (*mine, *self.allow_factory)

    def of_new_runs(self, store: Path) -> list[str]:
        """The options that were given and say nothing of a run which `store` holds already."""
        kept = expanded(self.store or store)
        given = {
            "--store": os.path.realpath(kept) != os.path.realpath(store),
            "--new-run": self.new_run,
            "--arch": self.arch is not None,
            "--weights": self.weights is not None,
            "--random-weights": self.random_weights,
            "--output": self.output is not None,
            "--protocol": self.protocol != Request.protocol,
            "--preset": self.preset is not None,
            "--normalisation": self.normalisation is not None,
        }
        return [option for option, is_given in given.items() if is_given]


def store_of(request: Request) -> Path:
    """The store that a request for a checkpoint means."""
    if request.store is None and is_network(request.model):
        return Path(f"{name_of(request.model)}.pex.db")
    return expanded(request.store or default_store(request.model))


def spool_of(store: Path) -> Path:
    """The folder in which finished work waits to be stored."""
    return store.with_name(store.name + ".spool")


def elsewhere(path: Path | None, request: Request) -> str | None:
    """Why a tree is not kept beside its checkpoint, where nobody said so."""
    if request.store is not None or request.model == "sample" or is_network(request.model):
        return None
    if path is None or may_write_beside(path):
        return None
    there = path.with_name(f"{path.stem}.pex.db")
    beside = f"; the tree in {there} is another one" if is_store(there) else ""
    return f"the tree is kept in the current folder: {path.parent} may not be written to{beside}"


def _values_of(request: Request) -> dict[str, SettingValue]:
    """The settings that somebody has chosen for a new run: presets first, then what was given.

    Raises UsageError.
    """
    named = preset_of(request.protocol, request.preset)
    if named != (request.preset or named):
        raise UsageError(
            f"--protocol {request.protocol} and --preset {request.preset} say different things; "
            "give one of them"
        )
    is_task = request.task is not None
    of_preset = values_of_preset(named, _data_of(request), is_task=is_task)
    return {**of_preset, **request.overrides}


def _data_of(request: Request) -> str:
    """The data of a new run, empty where nobody says and the checkpoint may."""
    return request.data or ("sample" if request.model == "sample" else "")


def settings_of(request: Request) -> Settings:
    """The settings of a new run, of a CIFAR ResNet where they depend on its network."""
    data = _data_of(request)
    settings = with_values(Settings(), _values_of(request))
    place = data if request.task is not None else full_path(data)
    return at_full_paths(replace(settings, data=replace(settings.data, source=place)))


async def open_session(
    request: Request,
    make_executor: Callable[[Path], Executor],
    emit: Emit,
    accept: Accept = whatever_it_is,
    allow: Allow = nobody,
    plan: Plan = as_asked,
) -> Session:
    """A session on the run that the request means: resumed where it is known, else a new one.

    The right to write the store is taken before anything is made beside it: who comes second is
    refused, and has touched nothing. `Session.close` gives it back. `accept` is asked before
    anything is stored of a new root that hours should not be spent on unasked, `allow` before a
    person's factory is called that a store names, `plan` with which settings a new run begins.
    Raises UsageError, StoreError, WorkingFolderError, JobFailedError, DoubtfulRootError,
    NotBegunError.
    """
    source = source_of(request)
    request.check_data()
    if source.path is not None and is_store(source.path):
        path = source.path
        check_resumable(path, request.overrides, request.of_new_runs(path))
        opening = _Opening(request, StoreClaim(path), emit, accept, allow, plan)
        return await opening.with_executor(make_executor, opening.resume)
    if request.run is not None:
        raise UsageError(f"--run is about a run of a store, and {request.model} is none")
    settings = settings_of(request)
    check_new_store(store_of(request), source.num_bytes)
    opening = _Opening(request, StoreClaim(store_of(request)), emit, accept, allow, plan)
    return await opening.with_executor(
        make_executor, lambda executor: opening.resume_or_begin(source, settings, executor)
    )


class _Opening:
    """A session that is being opened, by who has the right to write its store."""

    def __init__(
        self,
        request: Request,
        claim: StoreClaim,
        emit: Emit,
        accept: Accept,
        allow: Allow,
        plan: Plan,
    ) -> None:
        self.request = request
        self.claim = claim
        self.emit = emit
        self.accept = accept
        self.allow = allow
        self.plan = plan
        self.factories = Factories(request.given_factories)
        self.spool = spool_of(claim.path)
        self.store: TreeStore | None = None
        self.places = DataPlaces(folders=folders_of(claim.path))

    async def with_executor(
        self,
        make_executor: Callable[[Path], Executor],
        work: Callable[[Executor], Awaitable[Session]],
    ) -> Session:
        """The session that `work` opens; where it fails, nothing is left behind.

        The right to the store is given up last: until then nobody else may be in its folder.
        """
        async with AsyncExitStack() as undo:
            undo.callback(self._release)
            take_folder(self.spool)
            undo.callback(clear_spool, self.spool)
            executor = make_executor(self.spool)
            undo.push_async_callback(executor.close)
            session = await work(executor)
            undo.pop_all()
        return session

    def _note(self, text: str) -> None:
        self.emit(Noted(text))

    def _release(self) -> None:
        if self.store is not None:
            self.store.close()
        self.claim.release()

    async def resume(self, executor: Executor) -> Session:
        """A session on a store's run: the one that was named, else the newest."""
        store = self.store = self.claim.open()
        known = run_meant(store, self.request.run)
        self.places.given = self.request.data
        self.places.given_validation = self.request.validation
        check_has_own(known, self.request.validation)
        return await self._resumed(
            store, known, settings_with(known, self.request.overrides), executor
        )

    async def resume_or_begin(
        self, source: ModelSource, settings: Settings, executor: Executor
    ) -> Session:
        """A session on the run of a checkpoint: the one that is known, or a new one."""
        source = await source.with_weights(executor, self.emit)
        checkpoint = source.checkpoint()
        self.places.folders = folders_of(self.claim.path, source.path)
        if (word := elsewhere(source.path, self.request)) is not None:
            self.emit(Noted(word))
        store = self.store = self.claim.open() if self.claim.exists else None
        request, choice = self.request, Choice()
        if store:
            choice = await self._choose(store, settings, checkpoint, executor, request.overrides)
            if choice.known:
                return await self._resumed(store, choice.known, settings, executor)
        new, as_planned = await self._looked_at(source, checkpoint, settings, executor)
        if as_planned and store:
            everything = [each.option.name for each in all_settings()]
            choice = await self._choose(
                store, new.settings, checkpoint, executor, everything, may_begin=True
            )
            if choice.known:
                return await self._resumed(store, choice.known, new.settings, executor)
        weights = made_in(self.spool, new.root.snapshot)
        self.factories.task_at(new.place)  # raises where nobody has named it
        for named in (new.factory, new.task, new.root.data.transforms):
            if named is not None:
                self.factories.allow(named)  # who begins the run has named it
        if store:
            document = RunDocument.of(new.create(store, weights, request.name))
        else:
            # Only now, and with its first run: a checkpoint that cannot be opened leaves no store
            # behind, nor does a crash leave one without a run.
            store = self.store = self.claim.create(
                lambda made: new.create(made, weights, request.name)
            )
            document = newest_run(store)
        data = document.settings.data
        self.places.found[document.data.digest] = ImagesAt(data.source, data.validation_file)
        self.emit(RunBegun(document.run.name, choice.why))
        return self._session(store, document, executor)

    async def _choose(
        self,
        store: TreeStore,
        settings: Settings,
        checkpoint: FileRef,
        executor: Executor,
        given: Collection[str],
        *,
        may_begin: bool = False,
    ) -> Choice:
        """The run that these settings mean."""
        describe = describer(executor, self.emit, self.factories)
        return await choose_run(
            store, settings, checkpoint, self.places, describe, self._note,
            given=given, may_begin=may_begin or self.request.new_run,
        )  # fmt: skip

    async def _looked_at(
        self, source: ModelSource, checkpoint: FileRef, settings: Settings, executor: Executor
    ) -> tuple[NewRun, bool]:
        """The run that is to begin; whether it is with other settings than were asked for."""
        request, started = self.request, time.monotonic()
        given: Collection[str] = request.overrides
        new = await look_at(source, checkpoint, request, settings, given, executor, self.emit)
        await check_accepted(new.root.doubts, self.accept)
        offer = Offer(
            request.model,
            new,
            preset_of(request.protocol, request.preset),
            request.overrides,
            lambda name: settings_of(replace(request, protocol="default", preset=name)),
            executor,
            time.monotonic() - started,
        )
        chosen = at_full_paths(await self.plan(offer))
        if chosen.data == new.settings.data:
            return replace(new, settings=chosen), chosen != new.settings
        given = [each.option.name for each in all_settings()]  # other images: looked at again
        new = await look_at(source, checkpoint, request, chosen, given, executor, self.emit)
        await check_accepted(new.root.doubts, self.accept)
        return new, True

    async def _resumed(
        self, store: TreeStore, known: RunDocument, wanted: Settings, executor: Executor
    ) -> Session:
        describe = describer(executor, self.emit, self.factories)
        await self.factories.ask(known, self.allow)
        document = await resumed(store, known, wanted, self.places, describe)
        _tell_resuming(store, known, document, self.request, self.emit)
        return self._session(store, document, executor)

    def _session(self, store: TreeStore, document: RunDocument, executor: Executor) -> Session:
        artifacts = Artifacts(store, self.spool, self.places, self.factories)
        session = Session(store, document, executor, artifacts, self.emit)
        session.jobs.sweep()
        return session


def open_read_only(path: Path, emit: Emit, run: str | None = None) -> Session:
    """A session that only looks at a store's run, the newest where none is named. Raises
    UsageError, StoreError."""
    store = TreeStore.open(expanded(path), read_only=True)
    try:
        document = run_meant(store, run)
    except BaseException:
        store.close()
        raise
    artifacts = Artifacts(store, spool_of(store.path))
    return Session(store, document, UnavailableExecutor(), artifacts, emit)


def _tell_resuming(
    store: TreeStore, known: RunDocument, document: RunDocument, request: Request, emit: Emit
) -> None:
    runs = store.runs()
    is_newest = runs[-1].id == document.run.id
    emit(RunResumed(document.run.name, str(store.path), len(runs), is_newest))
    if document.settings.data != known.settings.data:
        emit(moved(document))
    scaled = document.data.normalisation
    if request.normalisation not in (None, scaled):
        emit(Noted(f"the run keeps its normalisation, {scaled}; --new-run begins one with another"))
    device = document.environment.device
    if request.device not in ("auto", device):
        emit(Noted(f"the run keeps its device, {device}: bits depend on it"))
