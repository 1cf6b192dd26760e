"""An archive for each format: a checkpoint, its data, and stores of runs grown from them."""

from __future__ import annotations

import hashlib
import sqlite3
import tarfile
from pathlib import Path

HERE = Path(__file__).parent
PLACE = Path("/tmp/pe-explore-golden")  # where they were grown, a path that they hold
PROCESSOR = "processor.txt"


def archive_of(format_number: int) -> Path:
    """The archive of the runs that a program wrote whose stores had this format."""
    return HERE / f"runs-{format_number}.tar.xz"


def pack(folder: Path, destination: Path) -> None:
    """Everything in a folder as one archive; of SQLite's files only the stores themselves."""
    for store in folder.glob("*.db"):
        with sqlite3.connect(store) as raw:  # else what a killed program wrote is in its journal
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        raw.close()
        for leftover in ("-wal", "-shm", ".lock"):
            store.with_name(store.name + leftover).unlink(missing_ok=True)
    (folder / PROCESSOR).write_text(processor())
    with tarfile.open(destination, mode="w:xz") as tar:
        for path in sorted(folder.rglob("*")):
            tar.add(path, path.relative_to(folder).as_posix(), recursive=False, filter=_plain)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def unpack(format_number: int, folder: Path) -> None:
    """The files of an archive, in a folder that is there."""
    with tarfile.open(archive_of(format_number)) as tar:
        tar.extractall(folder, filter="data")


def processor() -> str:
    """A name for what a processor can do; another one may round otherwise."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    told = [line for line in lines if line.startswith(("vendor_id", "model name", "flags"))]
    return hashlib.sha256("\n".join(sorted(set(told))).encode()).hexdigest()
