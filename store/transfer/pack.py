"""A store in another file: all of it as it is at one moment, or some nodes of a run."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from store.errors import InvalidValueError, StoreNotFoundError
from store.sqlite import file_checks as checks
from store.sqlite.connection import raise_translated, reader
from store.sqlite.writer_lock import WriterLock
from store.transfer.copy_run import Part, RunCopy, check_seals
from store.tree_store import TreeStore

Progress = Callable[[int, int], None]  # pages written, and all of them
_PAGES_A_STEP = 1024


def pack(
    path: Path,
    out: Path,
    progress: Progress = lambda done, total: None,
    *,
    replace: bool = False,
) -> None:
    """Writes all of a store to `out`, as it was when this began, whoever writes meanwhile.

    Pages that nothing uses any more are left out. `out` is there once it is whole. Raises
    InvalidValueError where it is there already (with `replace` where it is `path`), and the errors
    of `store.sqlite.file_checks`, StoreFullError, StoreNotFoundError, StoreLockedError.
    """
    checks.check_header(path)
    with _new_file(path, out, replace) as unfinished:
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
                if target.execute("PRAGMA freelist_count").fetchone()[0]:
                    target.execute("VACUUM")
        except sqlite3.Error as error:
            raise_translated(error, out)


def pack_nodes(
    path: Path, out: Path, run_id: int, names: Sequence[str], *, replace: bool = False
) -> None:
    """Writes these nodes to a new store, with the way from the root to each.

    Of that way the weights are there too; the candidates that were passed over come with their
    measurements only, so that the decisions still say why. Raises as `pack`, and UnknownNodeError.
    """
    with (
        _new_file(path, out, replace) as unfinished,
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


def _part(source: TreeStore, run_id: int, names: Sequence[str]) -> Part:
    ways = [source.lineage(source.node(run_id, name).id) for name in names]
    with_weights = {node.id for way in ways for node in way}
    parents = {node.id for way in ways for node in way[:-1]}
    beside = {child.id for parent_id in parents for child in source.children(parent_id)}
    return Part(with_weights | beside, with_weights, parents)


@contextmanager
def _new_file(path: Path, out: Path, replace: bool) -> Iterator[Path]:
    """Where `out` is written until it is whole; put in its place when the block is left."""
    if out.exists() and path.exists() and os.path.samefile(path, out):
        raise InvalidValueError(f"{path} cannot be packed into itself; name another file")
    if out.exists() and not replace:
        raise InvalidValueError(
            f"{out} is there already; name another file, or replace that one (--force)"
        )
    if not out.parent.is_dir():
        raise StoreNotFoundError(
            f"cannot make {out}: the folder {out.parent} does not exist. Make it first"
        )
    old = None
    if out.exists():
        checks.check_header(out)  # only a store is replaced
        old = WriterLock(out)
    unfinished = out.with_name(f"{out.name}.{os.getpid()}.new")
    try:
        _remove(unfinished)
        yield unfinished
        _put(unfinished, out, replace=old is not None)
    finally:
        _remove(unfinished)
        if old is not None:
            old.release()


def _remove(unfinished: Path) -> None:
    for path in (unfinished, *_companions(unfinished)):
        path.unlink(missing_ok=True)


def _companions(path: Path) -> list[Path]:
    """What SQLite keeps beside a file."""
    return [path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")]


def _put(unfinished: Path, out: Path, *, replace: bool) -> None:
    _sync(unfinished)
    if replace:
        # What the old file's -wal holds would be taken for a part of the new one.
        for path in _companions(out):
            path.unlink(missing_ok=True)
        unfinished.replace(out)
    else:
        _link(unfinished, out)
    _sync(out.parent)


def _link(unfinished: Path, out: Path) -> None:
    # Never over a file that came up meanwhile, as a rename would.
    try:
        os.link(unfinished, out)
    except FileExistsError:
        raise InvalidValueError(f"{out} is there already; name another file") from None
    except OSError:  # a file system without links
        unfinished.rename(out)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
