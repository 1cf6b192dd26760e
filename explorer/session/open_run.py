"""From what the user names (a checkpoint, the sample, a store) to a session on a run."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, cast

from engine.contracts.errors import UsageError
from engine.contracts.settings import (
    Settings,
    flag,
    preset,
    with_values,
)
from explorer.executors.base import Executor
from explorer.executors.unavailable import UnavailableExecutor
from explorer.session.session import Listener, Session
from store import Run, TreeStore

# Settings that may change on a resume: they say when to stop, not what a node is.
STOPPING = ("iterations", "max_drop", "target_macs")
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
    overrides: Mapping[str, Any] = field(default_factory=dict)


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
    near = difflib.get_close_matches(path.name, [p.name for p in folder.iterdir()], n=1)
    hint = f"; did you mean {str(path.with_name(near[0]))!r}?" if near else ""
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
    data = request.overrides.get("data") or ("sample" if request.model == "sample" else "")
    values = {**preset(request.protocol, data), **request.overrides, "data": data}
    path = Path(data).expanduser()
    if data and path.exists():
        values["data"] = str(path.resolve())
    return with_values(Settings(), values)


async def open_session(
    request: Request, make_executor: Callable[[Path], Executor], listener: Listener
) -> Session:
    """A session on the run that the request means: resumed where it is known, else a new one.

    Raises UsageError, StoreError, JobFailedError.
    """
    path = model_path(request.model)
    if is_store(path):
        return _resume_store(path, request, make_executor, listener)
    settings = settings_of(request)
    store_path = (request.store or default_store(request.model)).expanduser()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    executor = make_executor(spool_of(store_path.resolve()))
    store = TreeStore.open(store_path) if store_path.exists() else None
    try:
        known = _known_run(store, settings, digest) if store else None
        if store and known:
            run = store.extend_run_settings(known.id, {**known.settings, **_stopping(settings)})
            _tell_resuming(store, run, request, listener)
        else:
            root = await _open_root(path, request, settings, executor, listener)

            def begin(new: TreeStore) -> Run:
                return _new_run(new, path, request, settings, digest, root)

            if store:
                run = begin(store)
            else:
                # Only now, and with its first run: a checkpoint that cannot be opened leaves no
                # store behind, nor does a crash leave one without a run.
                store = TreeStore.create(store_path, begin)
                (run,) = store.runs()
    except BaseException:
        if store:
            store.close()
        raise
    return _swept(Session(store, run, executor, spool_of(store.path), listener))


def _swept(session: Session) -> Session:
    session.sweep()
    return session


def open_read_only(path: Path, listener: Listener) -> Session:
    """A session that only looks at a store's newest run. Raises UsageError, StoreError."""
    store = TreeStore.open(path.expanduser(), read_only=True)
    run = store.latest_run()
    if run is None:
        store.close()
        raise UsageError(f"{path.name} holds no run yet; give a checkpoint to start one")
    return Session(store, run, UnavailableExecutor(), spool_of(store.path), listener)


def _resume_store(
    path: Path, request: Request, make_executor: Callable[[Path], Executor], listener: Listener
) -> Session:
    fixed = sorted(set(request.overrides) - set(STOPPING))
    if fixed:
        raise UsageError(
            f"{flag(fixed[0])} is fixed for a run that exists; leave it out to resume "
            f"{path.name}, or give the checkpoint instead of the store to start another run"
        )
    store = TreeStore.open(path)
    try:
        run = store.latest_run()
        if run is None:
            raise UsageError(f"{path.name} holds no run yet; give a checkpoint to start one")
        settings = with_values(Settings.from_dict(run.settings), request.overrides)
        run = store.extend_run_settings(run.id, {**run.settings, **_stopping(settings)})
    except BaseException:
        store.close()
        raise
    _tell_resuming(store, run, request, listener)
    spool = spool_of(store.path)
    return _swept(Session(store, run, make_executor(spool), spool, listener))


def _tell_resuming(store: TreeStore, run: Run, request: Request, listener: Listener) -> None:
    listener({"event": "resuming", "store": str(store.path), "run": run.name})
    device = run.environment["device"]
    if request.device not in ("auto", device):
        listener(
            {"event": "note", "text": f"the run keeps its device, {device}: bits depend on it"}
        )


def _stopping(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in STOPPING}


def _known_run(store: TreeStore, settings: Settings, digest: str) -> Run | None:
    wanted = settings.as_dict()
    for run in reversed(store.runs()):
        found = cast(dict[str, Any], run.settings)
        same = all(
            found.get(key) == value
            for key, value in wanted.items()
            # Data may be left out: the checkpoint then names them.
            if key not in STOPPING and not (key == "data" and not value)
        )
        if same and found.get("checkpoint", {}).get("sha256") == digest:
            return run
    return None


async def _open_root(
    path: Path, request: Request, settings: Settings, executor: Executor, listener: Listener
) -> dict[str, Any]:
    job = {
        "id": "open",
        "kind": "open",
        "path": str(path),
        "arch": request.arch,
        "trust_pickle": request.trust_pickle,
        "device": request.device,
        "settings": settings.as_dict(),
    }
    about = {"node": "R", "kind": "open"}
    listener({"event": "asked", **about})
    try:
        return await executor.run(job, lambda event: listener({**event, **about}))
    finally:
        listener({"event": "answered", **about})


def _new_run(
    store: TreeStore,
    path: Path,
    request: Request,
    settings: Settings,
    digest: str,
    root: Mapping[str, Any],
) -> Run:
    return store.create_run(
        name=f"{path.stem}-{len(store.runs()) + 1}",
        seed=settings.seed,
        architecture=root["architecture"],
        data=root["data"],
        settings={
            **settings.as_dict(),
            "data": root["source"],
            "checkpoint": {"name": path.name, "sha256": digest},
            "trusted_pickle": request.trust_pickle,
            "notes": root["notes"],
        },
        environment=root["environment"],
        root_metrics=root["metrics"],
        root_snapshot=Path(root["snapshot"]["path"]).read_bytes(),
    )
