"""A store in another file: all of it as it is at one moment, or some nodes of a run."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from store.errors import InvalidValueError, StoreNotFoundError
from store.opening import open_store
from store.sqlite import file_checks, new_file
from store.sqlite.connection import Connection, reader, translating
from store.sqlite.writer_lock import WriterLock
from store.tables import hash_chain, nodes
from store.transfer.copy_run import Part, RunCopy

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
    file_checks.check_header(path)
    with _new_file(path, out, replace) as unfinished:
        with translating(path):
            source = reader(path)
        with closing(source):
            with translating(path):
                # Within a transaction what others write does not make the copying start again.
                source.execute("BEGIN")
                file_checks.check_content(source, path, read_only=False)
            with translating(out), closing(_empty(unfinished)) as target:
                source.backup(
                    target,
                    pages=_PAGES_A_STEP,
                    progress=lambda _, left, total: progress(total - left, total),
                )
                if target.execute("PRAGMA freelist_count").fetchone()[0]:
                    target.execute("VACUUM")


def _empty(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def pack_nodes(
    path: Path, out: Path, run_id: int, names: Sequence[str], *, replace: bool = False
) -> None:
    """Writes these nodes to a new store, with the way from the root to each.

    Of that way the weights are there too; the candidates that were passed over come with their
    measurements only, so that the decisions still say why. Raises as `pack`, and UnknownNodeError.
    """
    with (
        _new_file(path, out, replace) as unfinished,
        closing(open_store(path, read_only=True)) as source,
        closing(open_store(unfinished, create=True)) as target,
        source.reading(),
    ):
        hash_chain.check(source)
        copy = RunCopy(source, target, run_id, _part(source, run_id, names))
        copy.upload()
        with target.writing():
            copy.insert()


def _part(source: Connection, run_id: int, names: Sequence[str]) -> Part:
    ways = [nodes.lineage(source, nodes.by_name(source, run_id, name).id) for name in names]
    with_weights = {node.id for way in ways for node in way}
    parents = {node.id for way in ways for node in way[:-1]}
    beside = {child.id for parent_id in parents for child in nodes.children(source, parent_id)}
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
        file_checks.check_header(out)  # only a store is replaced
        old = WriterLock(out)
    unfinished = out.with_name(f"{out.name}.{os.getpid()}.new")
    try:
        new_file.remove(unfinished)
        yield unfinished
        if old is None:
            _put_new(unfinished, out)
        else:
            new_file.replace(unfinished, out)
    finally:
        new_file.remove(unfinished)
        if old is not None:
            old.release()


def _put_new(unfinished: Path, out: Path) -> None:
    try:
        new_file.put_new(unfinished, out)
    except FileExistsError:
        raise InvalidValueError(f"{out} is there already; name another file") from None
