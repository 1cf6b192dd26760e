"""From what the user names (a checkpoint, the sample, a store) to a session on a run."""

from __future__ import annotations

import os
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import cast

from engine.contracts.codec import encode_object
from engine.contracts.errors import UnusableFileError, UsageError
from engine.contracts.events import Noted
from engine.contracts.jobs import JobRequest, Opened, OpenRoot, Places
from engine.contracts.near import nearest
from engine.contracts.networks import FileRef
from engine.contracts.options import SettingValue
from engine.contracts.outside import (
    MOST_CHECKPOINT_BYTES,
    check_regular,
    digest_of,
    open_regular,
)
from engine.contracts.settings import (
    Settings,
    preset,
    with_values,
)
from engine.contracts.working_folder import take_folder
from explorer.executors.base import Executor
from explorer.executors.spool_cleanup import clear_spool
from explorer.executors.unavailable import UnavailableExecutor
from explorer.session.accepting import Accept, check_accepted, whatever_it_is
from explorer.session.artifacts import Artifacts, made_in
from explorer.session.documents import Origin, RunDocument, settings_document
from explorer.session.events import Emit, JobAnswered, JobAsked, JobTold, RunResumed
from explorer.session.known_run import check_resumable, known_run, newest_run, resumed
from explorer.session.session import Session
from store import Run, StoreClaim, TreeStore

SQLITE_MAGIC = b"SQLite format 3\x00"


@dataclass(frozen=True)
class Request:
    """What the user asked to open. `overrides` holds only the settings that were given."""

    model: str
    store: Path | None = None
    device: str = "auto"
    arch: str | None = None
    trust_pickle: bool = False
    protocol: str = "default"
    overrides: Mapping[str, SettingValue] = field(default_factory=dict)


def is_store(path: Path) -> bool:
    """Whether the file is an SQLite one (whose, the store itself finds out)."""
    try:
        with open_regular(path) as file:
            return file.read(16) == SQLITE_MAGIC
    except (OSError, UnusableFileError):
        return False


def model_path(model: str) -> Path:
    """The file that MODEL names. Raises UsageError with the nearest name."""
    path = sample_path() if model == "sample" else Path(model).expanduser()
    try:
        check_regular(path)
        return path
    except UnusableFileError:
        if os.path.isdir(path):
            raise UsageError(f"{model} is a folder; give a checkpoint file or a store") from None
        if os.path.lexists(path):  # a pipe, a device, a link that leads nowhere
            raise
    folder = path.parent if path.parent.is_dir() else Path()
    near = nearest(path.name, (p.name for p in folder.iterdir()))
    hint = "" if near is None else f"; did you mean {str(path.with_name(near))!r}?"
    raise UsageError(f"there is no file {model!r}{hint} (the bundled network is called 'sample')")


def sample_path() -> Path:
    """The bundled network."""
    return Path(str(resources.files("sample_checkpoints") / "sample.pt"))


def default_store(model: str) -> Path:
    """Beside the checkpoint; in the current folder for the sample, or where that is read-only."""
    path = Path(model).expanduser()
    folder = path.parent
    if model == "sample" or not os.access(folder, os.W_OK):
        folder = Path()
    return folder / f"{path.stem}.pex.db"


def store_of(request: Request) -> Path:
    """The store that a request for a checkpoint means."""
    return (request.store or default_store(request.model)).expanduser()


def spool_of(store: Path) -> Path:
    """The folder in which finished work waits to be stored."""
    return store.with_name(store.name + ".spool")


def settings_of(request: Request) -> Settings:
    """The settings of a new run: presets first, then what was given."""
    data = str(request.overrides.get("data") or ("sample" if request.model == "sample" else ""))
    values = {**preset(request.protocol, data), **request.overrides}
    settings = with_values(Settings(), values)
    path = Path(data).expanduser()
    if data and path.exists():
        data = str(path.resolve())
    return replace(settings, data=replace(settings.data, source=data))


async def open_session(
    request: Request,
    make_executor: Callable[[Path], Executor],
    emit: Emit,
    accept: Accept = whatever_it_is,
) -> Session:
    """A session on the run that the request means: resumed where it is known, else a new one.

    The right to write the store is taken before anything is made beside it: who comes second is
    refused, and has touched nothing. `Session.close` gives it back. `accept` is asked before
    anything is stored of a new root that hours should not be spent on unasked.
    Raises UsageError, StoreError, WorkingFolderError, JobFailedError, DoubtfulRootError.
    """
    path = model_path(request.model)
    if is_store(path):
        check_resumable(path, request.overrides)
        opening = _Opening(request, StoreClaim(path), emit, accept)
        return await opening.with_executor(make_executor, opening.resume)
    settings = settings_of(request)
    checkpoint = FileRef(path.name, digest_of(path, MOST_CHECKPOINT_BYTES))
    opening = _Opening(request, StoreClaim(store_of(request)), emit, accept)
    return await opening.with_executor(
        make_executor,
        lambda executor: opening.resume_or_begin(path, checkpoint, settings, executor),
    )


class _Opening:
    """A session that is being opened, by who has the right to write its store."""

    def __init__(self, request: Request, claim: StoreClaim, emit: Emit, accept: Accept) -> None:
        self.request = request
        self.claim = claim
        self.emit = emit
        self.accept = accept
        self.spool = spool_of(claim.path)
        self.store: TreeStore | None = None

    async def with_executor(
        self,
        make_executor: Callable[[Path], Executor],
        work: Callable[[Executor], Awaitable[Session]],
    ) -> Session:
        """The session that `work` opens; where it fails, nothing is left behind.

        The right to the store is given up last: until then nobody else may be in its folder.
        """
        try:
            take_folder(self.spool)
            executor = make_executor(self.spool)
            try:
                return await work(executor)
            except BaseException:
                await executor.close()
                clear_spool(self.spool)
                raise
        except BaseException:
            if self.store is not None:
                self.store.close()
            self.claim.release()
            raise

    async def resume(self, executor: Executor) -> Session:
        """A session on the newest run of a store."""
        store = self.store = self.claim.open()
        document = newest_run(store)
        settings = with_values(document.settings, self.request.overrides)
        return self._resumed(store, resumed(store, document, settings), executor)

    async def resume_or_begin(
        self, path: Path, checkpoint: FileRef, settings: Settings, executor: Executor
    ) -> Session:
        """A session on the run of a checkpoint: the one that is known, or a new one."""
        store = self.store = self.claim.open() if self.claim.exists else None
        known = known_run(store, settings, checkpoint) if store else None
        if store and known:
            return self._resumed(store, resumed(store, known, settings), executor)
        request = self.request
        root = await _open_root(path, checkpoint, request, settings, executor, self.emit)
        await check_accepted(root.doubts, self.accept)
        weights = made_in(self.spool, root.snapshot)

        def begin(new: TreeStore) -> Run:
            return _new_run(new, weights, checkpoint, request, settings, root)

        if store:
            document = RunDocument.of(begin(store))
        else:
            # Only now, and with its first run: a checkpoint that cannot be opened leaves no store
            # behind, nor does a crash leave one without a run.
            store = self.store = self.claim.create(begin)
            document = newest_run(store)
        return self._session(store, document, executor)

    def _resumed(self, store: TreeStore, document: RunDocument, executor: Executor) -> Session:
        _tell_resuming(store, document, self.request, self.emit)
        return self._session(store, document, executor)

    def _session(self, store: TreeStore, document: RunDocument, executor: Executor) -> Session:
        session = Session(store, document, executor, Artifacts(store, self.spool), self.emit)
        session.jobs.sweep()
        return session


def open_read_only(path: Path, emit: Emit) -> Session:
    """A session that only looks at a store's newest run. Raises UsageError, StoreError."""
    store = TreeStore.open(path.expanduser(), read_only=True)
    try:
        document = newest_run(store)
    except BaseException:
        store.close()
        raise
    artifacts = Artifacts(store, spool_of(store.path))
    return Session(store, document, UnavailableExecutor(), artifacts, emit)


def _tell_resuming(store: TreeStore, document: RunDocument, request: Request, emit: Emit) -> None:
    emit(RunResumed(document.run.name, str(store.path)))
    device = document.environment.device
    if request.device not in ("auto", device):
        emit(Noted(f"the run keeps its device, {device}: bits depend on it"))


async def _open_root(
    path: Path,
    checkpoint: FileRef,
    request: Request,
    settings: Settings,
    executor: Executor,
    emit: Emit,
) -> Opened:
    job = OpenRoot(
        checkpoint=checkpoint,
        arch=request.arch,
        trust_pickle=request.trust_pickle,
        device=request.device,
        train_limit=settings.data.train_limit,
    )
    places = Places(data=settings.data.source, checkpoint=str(path))
    emit(JobAsked("R", job.KIND))
    try:
        result = await executor.run(
            JobRequest(uuid.uuid4().hex, job, "open R", places),
            lambda event: emit(JobTold("R", job.KIND, event)),
        )
    finally:
        emit(JobAnswered("R", job.KIND))
    return cast(Opened, result)


def _new_run(
    store: TreeStore,
    weights: bytes,
    checkpoint: FileRef,
    request: Request,
    settings: Settings,
    root: Opened,
) -> Run:
    source = settings.data.source or root.data_name or ""
    settings = replace(settings, data=replace(settings.data, source=source))
    origin = Origin(checkpoint, request.trust_pickle, root.notes, doubts=root.doubts)
    return store.create_run(
        name=f"{Path(checkpoint.name).stem}-{len(store.runs()) + 1}",
        seed=settings.seed,
        architecture=encode_object(root.architecture),
        data=encode_object(root.data),
        settings=settings_document(settings, origin),
        environment=encode_object(root.environment),
        root_metrics=root.metrics,
        root_snapshot=weights,
    )
