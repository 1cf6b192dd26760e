"""Who comes second touches nothing, and nothing is touched that is not ours."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from killing import auto_command, snapshots
from small import request_of, write_data, write_network

from engine.contracts.jobs import JobRequest, snapshots_needed
from engine.contracts.marker import start_of
from engine.contracts.networks import SnapshotRef
from engine.contracts.spool import events_path, marker_path, result_path, snapshot_path
from engine.contracts.working_folder import SIGN, WorkingFolderError, take_folder
from explorer.executors.detached_job import DetachedJob
from explorer.executors.in_process import InProcessExecutor
from explorer.executors.spool_cleanup import clear_spool
from explorer.executors.worker_pool import WorkerPool
from explorer.session.artifacts import Artifacts
from explorer.session.events import ignore
from explorer.session.open_run import Request, open_session, spool_of
from explorer.session.search import grow_tree
from store import StoreClaim, StoreLockedError, TreeStore
from store.audit.verify import verify

KEY = "0123456789abcdef" * 2
QUICK = [str(Path(__file__).with_name("quick_worker.py"))]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return write_network(folder), write_data(folder)


def grown(files, store: Path, make=InProcessExecutor) -> dict:
    """The snapshots of a tree that a session grows to its end."""

    async def work() -> None:
        session = await open_session(request_of(files, store, criterion="l1"), make, ignore)
        try:
            await grow_tree(session)
        finally:
            await session.close()

    asyncio.run(work())
    return snapshots(store)


def listing(folder: Path) -> dict[str, float]:
    return {str(path): path.lstat().st_mtime for path in sorted(folder.rglob("*"))}


# ------------------------------------------------------------ who comes second


def refused(request: Request) -> None:
    """A second session on a store is refused before it makes anything."""
    made: list[Path] = []

    def make(spool: Path) -> InProcessExecutor:
        made.append(spool)
        return InProcessExecutor(spool)

    with pytest.raises(StoreLockedError, match=f"process {os.getpid()} on "):
        asyncio.run(open_session(request, make, ignore))
    assert not made


@pytest.mark.parametrize("is_new", [True, False])
def test_who_comes_second_makes_nothing_and_deletes_nothing(files, tmp_path, is_new):
    store = tmp_path / "tree.pex.db"
    if not is_new:
        grown(files, store)
    claim = StoreClaim(store)
    spool = spool_of(claim.path)
    take_folder(spool)
    (spool / f"{'a' * 64}.safetensors").write_text("what the first one works with")
    before = listing(tmp_path)
    refused(request_of(files, store))
    if not is_new:
        refused(Request(str(store)))
    assert listing(tmp_path) == before
    claim.release()


def test_of_two_auto_on_one_new_store_one_wins_and_the_other_says_so(tmp_path):
    network, store = tmp_path / "net.pt", tmp_path / "tree.pex.db"
    network.write_bytes(b"a checkpoint")
    command = auto_command(QUICK, network, store, data="cifar10", iterations=2)
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[1] for process in both]
    (winner,) = [process for process in both if process.returncode == 0]
    (loser,) = [process for process in both if process is not winner]
    assert loser.returncode == 1
    last = said[both.index(loser)].splitlines()[-1]
    assert "is being written by process" in last and "Traceback" not in said[both.index(loser)]
    with TreeStore.open(store, read_only=True) as opened:
        assert len(opened.runs()) == 1 and len(opened.nodes(1)) == 5
    assert not spool_of(store).exists()


def test_what_fails_while_it_is_opened_leaves_nothing_and_lets_others_in(files, tmp_path):
    store = tmp_path / "tree.pex.db"
    bad = tmp_path / "bad.pt"
    bad.write_bytes(b"no network")
    closed: list[bool] = []

    class Watched(InProcessExecutor):
        async def close(self) -> None:
            with pytest.raises(StoreLockedError):  # the right is given up last
                StoreClaim(store)
            closed.append(True)
            await super().close()

    with contextlib.suppress(Exception):
        asyncio.run(open_session(request_of((bad, files[1]), store), Watched, ignore))
    assert closed and {path.name for path in tmp_path.iterdir()} == {"bad.pt"}
    grown(files, store)


def test_an_empty_store_is_taken_up_by_whoever_comes_next(files, tmp_path):
    store = tmp_path / "tree.pex.db"
    TreeStore.open(store, create=True).close()  # as an older version left it, killed
    assert grown(files, store)


# ------------------------------------------------------------ folders of others


@pytest.mark.parametrize("kind", ["link", "files"])
def test_a_working_folder_that_is_not_ours_is_refused_and_left_as_it_is(files, tmp_path, kind):
    store, models = tmp_path / "tree.pex.db", tmp_path / "models"
    spool = spool_of(store)
    models.mkdir()
    for name in ("best.safetensors", ".x.tmp", f"{KEY}.json", f"{'a' * 64}.safetensors"):
        (models / name).write_text("mine")
    if kind == "link":
        spool.symlink_to(models)
    else:
        models.rename(spool)
    before = listing(tmp_path)
    with pytest.raises(WorkingFolderError, match="Move that away"):
        grown(files, store)
    assert listing(tmp_path) == before
    spool.rename(tmp_path / "moved")  # the remedy
    assert grown(files, store)


def test_what_lies_in_our_folder_and_is_not_ours_is_left_alone(files, tmp_path):
    store = tmp_path / "tree.pex.db"
    spool = spool_of(store)
    take_folder(spool)
    for name in ("best.safetensors", "notes.tmp", ".x.tmp"):
        (spool / name).write_text("mine")
    os.mkfifo(spool / f"{KEY}.json")  # ours by its name, and nothing that can be read
    assert grown(files, store)
    left = {path.name for path in spool.iterdir()}
    assert left == {SIGN, "best.safetensors", "notes.tmp", ".x.tmp", f"{KEY}.json"}


# ------------------------------------------------------------ weights that were changed


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link(path: Path) -> None:
    other = path.with_name("other.safetensors")
    path.rename(other)
    path.symlink_to(other)


CHANGES = {
    "a bit flipped": _flip,
    "truncated": lambda path: os.truncate(path, path.stat().st_size - 1),
    "zero length": lambda path: os.truncate(path, 0),
    "a pipe": _pipe,
    "a link": _link,
    "gone": Path.unlink,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_parent_s_weights_that_were_changed_are_written_anew(tmp_path, change):
    content = os.urandom(5000)
    ref = SnapshotRef(hashlib.sha256(content).hexdigest())

    class Store:
        path = tmp_path / "of.pex.db"

        def snapshot(self, sha256: str) -> bytes:
            assert sha256 == ref.sha256
            return content

    artifacts = Artifacts(Store(), tmp_path)  # type: ignore[arg-type]
    path = artifacts.path(ref)
    CHANGES[change](path)
    assert artifacts.path(ref).read_bytes() == content
    assert path.is_file() and not path.is_symlink()


def test_a_tree_is_the_same_however_its_weights_are_changed_between_jobs(files, tmp_path):
    changes = list(CHANGES.values())
    done: list[str] = []

    class Changing(InProcessExecutor):
        async def run(self, request: JobRequest, on_event):
            result = await super().run(request, on_event)
            for ref in snapshots_needed(request.job):
                path = snapshot_path(self.engine.bench.spool, ref.sha256)
                changes[len(done) % len(changes)](path)
                done.append(request.label)
            return result

    undisturbed = grown(files, tmp_path / "whole.pex.db")
    assert grown(files, tmp_path / "tree.pex.db", Changing) == undisturbed
    assert len(done) >= len(changes)
    assert not verify(tmp_path / "tree.pex.db").findings


# ------------------------------------------------------------ processes of others


@contextlib.contextmanager
def somebody(*arguments: str, own_group: bool = True):
    process = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0 if own_group else None,
    )  # fmt: skip
    process.stdout.readline()  # it is that program by now
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def received(spool: Path, **marker: object) -> DetachedJob:
    """A detached job as the files beside a store from anywhere tell of one."""
    take_folder(spool)
    marker_path(spool, KEY).write_text(json.dumps({"job": "j", **marker}))
    events_path(spool, KEY).write_text("")
    job = DetachedJob.find(spool, KEY)
    assert job is not None
    return job


@pytest.mark.parametrize(
    ("pid", "started"),
    [(1, None), (0, None), (-1, None), (1, start_of(1)), (0, 0), (os.getpid(), None)],
    ids=["init", "own group", "everybody", "init with its start", "no start", "this process"],
)
def test_a_marker_that_names_everybody_or_proves_nothing_is_followed_by_no_signal(
    tmp_path, monkeypatch, pid, started
):
    signalled: list[object] = []
    for module, name in ((os, "killpg"), (os, "kill"), (signal, "pidfd_send_signal")):
        monkeypatch.setattr(module, name, lambda *args: signalled.append(args))
    job = received(tmp_path / "spool", pid=pid, started=started)
    assert not job.alive
    for number in (signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL):
        job.signal(number)
    assert asyncio.run(job.follow(print)) is None  # nothing to follow
    assert signalled == []


@pytest.mark.parametrize("what", ["another program", "another folder", "no leader"])
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_process_of_ours_that_is_no_worker_of_this_folder_is_not_signalled(tmp_path, what):
    spool = tmp_path / "spool"
    arguments = {
        "another program": [],
        "another folder": [str(tmp_path)],
        "no leader": [str(spool)],
    }
    with somebody(*arguments[what], own_group=what != "no leader") as process:
        job = received(spool, pid=process.pid, started=start_of(process.pid))
        assert not job.alive
        job.signal(signal.SIGKILL)
        job.end()
        assert process.poll() is None
        clear_spool(spool)  # and it holds nothing up
        assert not spool.exists() and process.poll() is None


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_worker_that_proves_to_be_one_is_signalled_with_its_group(tmp_path):
    spool = tmp_path / "spool"
    with somebody(str(spool)) as process:
        job = received(spool, pid=process.pid, started=start_of(process.pid))
        assert job.alive
        job.signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL


def test_folders_with_the_names_of_our_files_do_not_stop_a_job(tmp_path):
    spool = tmp_path / "spool"
    take_folder(spool)
    for path in (marker_path(spool, KEY), events_path(spool, KEY)):
        path.mkdir()

    async def work():
        pool = WorkerPool(spool)
        try:
            found = DetachedJob.find(spool, KEY)
            return None if found is None else await found.follow(print)
        finally:
            await pool.close()

    assert asyncio.run(work()) is None
    assert not result_path(spool, KEY).exists()
