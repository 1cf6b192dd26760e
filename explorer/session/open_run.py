"""From what the user names (a checkpoint, the sample, a store) to a session on a run."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import cast

from engine.contracts.codec import encode_object
from engine.contracts.errors import UsageError
from engine.contracts.events import Noted
from engine.contracts.jobs import JobRequest, Opened, OpenRoot, Places
from engine.contracts.near import nearest
from engine.contracts.networks import FileRef
from engine.contracts.options import SettingValue
from engine.contracts.settings import (
    Settings,
    preset,
    with_values,
)
from engine.contracts.spool import snapshot_path
from explorer.executors.base import Executor
from explorer.executors.unavailable import UnavailableExecutor
from explorer.session.artifacts import Artifacts
from explorer.session.documents import Origin, RunDocument, settings_document
from explorer.session.events import Emit, JobAnswered, JobAsked, JobTold, RunResumed
from explorer.session.known_run import check_resumable, known_run, newest_run, resumed
from explorer.session.session import Session
from store import Run, TreeStore

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
        with open(path, "rb") as file:
            return file.read(16) == SQLITE_MAGIC
    except OSError:
        return False


def model_path(model: str) -> Path:
    """The file that MODEL names. Raises UsageError with the nearest name."""
    path = sample_path() if model == "sample" else Path(model).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        raise UsageError(f"{model} is a folder; give a checkpoint file or a store")
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
    request: Request, make_executor: Callable[[Path], Executor], emit: Emit
) -> Session:
    """A session on the run that the request means: resumed where it is known, else a new one.

    Raises UsageError, StoreError, JobFailedError.
    """
    path = model_path(request.model)
    if is_store(path):
        return _resume_store(path, request, make_executor, emit)
    settings = settings_of(request)
    store_path = (request.store or default_store(request.model)).expanduser()
    checkpoint = FileRef(path.name, hashlib.sha256(path.read_bytes()).hexdigest())
    spool = spool_of(store_path.resolve())
    executor = make_executor(spool)
    store = TreeStore.open(store_path) if store_path.exists() else None

    def tell(text: str) -> None:
        emit(Noted(text))

    try:
        known = known_run(store, settings, checkpoint, tell) if store else None
        if store and known:
            document = resumed(store, known, settings)
            _tell_resuming(store, document, request, emit)
        else:
            root = await _open_root(path, checkpoint, request, settings, executor, emit)

            def begin(new: TreeStore) -> Run:
                weights = snapshot_path(spool, root.snapshot.sha256).read_bytes()
                return _new_run(new, weights, checkpoint, request, settings, root)

            if store:
                document = RunDocument.of(begin(store))
            else:
                # Only now, and with its first run: a checkpoint that cannot be opened leaves no
                # store behind, nor does a crash leave one without a run.
                store = TreeStore.create(store_path, begin)
                document = newest_run(store)
    except BaseException:
        if store:
            store.close()
        raise
    return _session(store, document, executor, emit)


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


def _session(store: TreeStore, document: RunDocument, executor: Executor, emit: Emit) -> Session:
    session = Session(store, document, executor, Artifacts(store, spool_of(store.path)), emit)
    session.jobs.sweep()
    return session


def _resume_store(
    path: Path, request: Request, make_executor: Callable[[Path], Executor], emit: Emit
) -> Session:
    check_resumable(path, request.overrides)
    store = TreeStore.open(path)
    try:
        document = newest_run(store)
        settings = with_values(document.settings, request.overrides)
        document = resumed(store, document, settings)
    except BaseException:
        store.close()
        raise
    _tell_resuming(store, document, request, emit)
    return _session(store, document, make_executor(spool_of(store.path)), emit)


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
    origin = Origin(checkpoint, request.trust_pickle, root.notes)
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
