"""Where a job's inputs and results lie on this machine: a store's weights as files of its spool."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from engine.contracts.files import write_bytes_atomically
from engine.contracts.jobs import Proposed, Recovered, Result, Tuned
from engine.contracts.networks import SnapshotRef
from engine.contracts.spool import read_result, result_path, snapshot_path
from explorer.session.data_places import DataPlaces, folders_of
from store import TreeStore


class Artifacts:
    """A store's weights and finished results as files; the store itself no worker opens."""

    def __init__(self, store: TreeStore, spool: Path, data: DataPlaces | None = None) -> None:
        self.store = store
        self.spool = spool
        self.data = data or DataPlaces(folders=folders_of(store.path))

    def path(self, ref: SnapshotRef) -> Path:
        """A snapshot as a file, written from the store where it is not there yet."""
        path = snapshot_path(self.spool, ref.sha256)
        if not path.exists():
            self.spool.mkdir(parents=True, exist_ok=True)
            # Whole or not at all: a file cut short by a crash must not be taken for the snapshot.
            write_bytes_atomically(path, self.store.snapshot(ref.sha256))
        return path

    def made(self, ref: SnapshotRef) -> Path:
        """The file of a snapshot that a job has made."""
        return snapshot_path(self.spool, ref.sha256)

    def finished(self, key: str) -> Result | None:
        """The result of a job that was finished and not stored; None where it is not whole."""
        result = read_result(result_path(self.spool, key))
        if isinstance(result, Recovered | Tuned) and not self._is_whole(result.snapshot):
            return None  # the work is done again
        return result

    def _is_whole(self, ref: SnapshotRef) -> bool:
        try:
            content = self.made(ref).read_bytes()
        except OSError:
            return False
        return hashlib.sha256(content).hexdigest() == ref.sha256

    def forget(self, key: str) -> None:
        """Removes a result that is stored."""
        result_path(self.spool, key).unlink(missing_ok=True)

    def waiting(self) -> Iterator[tuple[str, Recovered | Tuned | Proposed]]:
        """The keys and results of finished jobs that lie here, stored or not."""
        for path in self.spool.glob("*.json"):
            result = read_result(path)  # one that is not whole is made again by who asks for it
            if isinstance(result, Recovered | Tuned | Proposed):
                yield path.stem, result
