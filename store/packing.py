"""A store in another file: all of it as it is at one moment, or some nodes of a run."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from store import checks
from store.connection import raise_translated, reader
from store.copying import Part, RunCopy, check_seals
from store.errors import InvalidValueError, StoreNotFoundError
from store.tree import TreeStore

Progress = Callable[[int, int], None]  # pages written, and all of them
_PAGES_A_STEP = 1024


def pack(path: Path, out: Path, progress: Progress = lambda done, total: None) -> None:
    """Writes all of a store to `out`, as it was when this began, whoever writes meanwhile.

    `out` is there once it is whole. Raises InvalidValueError where it is there already, and the
    errors of `store.checks`, StoreFullError, StoreNotFoundError.
    """
    checks.check_header(path)
    unfinished = _unfinished(out)
    try:
        with (
            closing(reader(path)) as source,
            closing(sqlite3.connect(unfinished, isolation_level=None)) as target,
        ):
            # Within a transaction what others write does not make the copying start again.
            source.execute("BEGIN")
            checks.check_content(source, path, read_only=False)
            source.backup(
                target,
                pages=_PAGES_A_STEP,
                progress=lambda _, left, total: progress(total - left, total),
            )
        _put(unfinished, out)
    except sqlite3.Error as error:
        raise_translated(error, out)
    finally:
        unfinished.unlink(missing_ok=True)


def pack_nodes(path: Path, out: Path, run_id: int, names: Sequence[str]) -> None:
    """Writes these nodes to a new store, with the way from the root to each.

    Of that way the weights are there too; the candidates that were passed over come with their
    measurements only, so that the decisions still say why. Raises as `pack`, and UnknownNodeError.
    """
    unfinished = _unfinished(out)
    try:
        with (
            TreeStore.open(path, read_only=True) as source,
            TreeStore.open(unfinished, create=True) as target,
            source._connection.reading(),
        ):
            check_seals(source._connection)
            part = _part(source, run_id, names)
            copy = RunCopy(source._connection, target._connection, run_id, part)
            copy.upload()
            with target._connection.writing():
                copy.insert()
        _put(unfinished, out)
    finally:
        unfinished.unlink(missing_ok=True)


def _part(source: TreeStore, run_id: int, names: Sequence[str]) -> Part:
    ways = [source.lineage(source.node(run_id, name).id) for name in names]
    with_weights = {node.id for way in ways for node in way}
    parents = {node.id for way in ways for node in way[:-1]}
    beside = {child.id for parent_id in parents for child in source.children(parent_id)}
    return Part(with_weights | beside, with_weights, parents)


def _unfinished(out: Path) -> Path:
    """Where `out` is written until it is whole."""
    if out.exists():
        raise InvalidValueError(f"{out} is there already; name another file, or remove that one")
    if not out.parent.is_dir():
        raise StoreNotFoundError(
            f"cannot make {out}: the folder {out.parent} does not exist. Make it first"
        )
    unfinished = out.with_name(f"{out.name}.{os.getpid()}.new")
    unfinished.unlink(missing_ok=True)
    return unfinished


def _put(unfinished: Path, out: Path) -> None:
    for path in (unfinished, unfinished.parent):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    # Never over a file that came up meanwhile, as a rename would.
    try:
        os.link(unfinished, out)
    except FileExistsError:
        raise InvalidValueError(f"{out} is there already; name another file") from None
    except OSError:  # a file system without links
        unfinished.rename(out)
