"""Where a job's inputs and results lie on this machine: a store's weights as files of its spool."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from engine.contracts.errors import EngineError
from engine.contracts.files import write_bytes_atomically
from engine.contracts.jobs import Proposed, Recovered, Result, Tuned
from engine.contracts.networks import SnapshotRef
from engine.contracts.spool import read_result, result_path, snapshot_path
from engine.contracts.working_folder import is_ours, read_own, remove_file, write_own
from explorer.session.data_places import DataPlaces, folders_of
from explorer.session.factories import Factories
from store import TreeStore


class Artifacts:
    """A store's weights and finished results as files; the store itself no worker opens."""

    def __init__(
        self,
        store: TreeStore,
        spool: Path,
        data: DataPlaces | None = None,
        factories: Factories | None = None,
    ) -> None:
        self.store = store
        self.spool = spool
        self.data = data or DataPlaces(folders=folders_of(store.path))
        self.factories = factories or Factories()

    def path(self, ref: SnapshotRef) -> Path:
        """A snapshot as a file, written from the store where it is not there, or not as it was.

        Raises StoreError, WorkingFolderError.
        """
        path = snapshot_path(self.spool, ref.sha256)
        if _whole(self.spool, ref) is None:
            content = self.store.snapshot(ref.sha256)
            write_own(path, lambda path: write_bytes_atomically(path, content))
        return path

    def made(self, ref: SnapshotRef) -> bytes:
        """The weights that a job has made. Raises EngineError where they are not whole."""
        return made_in(self.spool, ref)

    def finished(self, key: str) -> Result | None:
        """The result of a job that was finished and not stored; None where it is not whole."""
        result = read_result(result_path(self.spool, key))
        if isinstance(result, Recovered | Tuned) and _whole(self.spool, result.snapshot) is None:
            return None  # the work is done again
        return result

    def forget(self, key: str, made: SnapshotRef | None = None) -> None:
        """Removes a result that is stored, and the weights that it made."""
        if made is not None:
            remove_file(snapshot_path(self.spool, made.sha256))
        remove_file(result_path(self.spool, key))

    def waiting(self) -> Iterator[tuple[str, Recovered | Tuned | Proposed]]:
        """The keys and results of finished jobs that lie here, stored or not."""
        for path in filter(lambda path: is_ours(path.name), self.spool.glob("*.json")):
            result = read_result(path)  # one that is not whole is made again by who asks for it
            if isinstance(result, Recovered | Tuned | Proposed):
                yield path.stem, result


def made_in(spool: Path, ref: SnapshotRef) -> bytes:
    """The weights that a job has made in a spool. Raises EngineError where they are not whole."""
    content = _whole(spool, ref)
    if content is None:
        raise EngineError(
            f"the weights in {snapshot_path(spool, ref.sha256)} are not those that the job made; "
            "try again, and they are made anew"
        )
    return content


def _whole(spool: Path, ref: SnapshotRef) -> bytes | None:
    """The weights in a file, None unless every bit is as their name says."""
    try:
        content = read_own(snapshot_path(spool, ref.sha256))
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == ref.sha256 else None
