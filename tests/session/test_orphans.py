"""Workers end with their session, however it died; detached ones do not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from data_files import image_folder
from executors import state_of, until

from engine.contracts.marker import start_of

SECONDS = 5.0
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

# A session with one job under way; it tells its worker's number, and does as it is told after that.
SESSION = """
import asyncio, json, sys
from pathlib import Path
from types import SimpleNamespace

here, folder, script, then = sys.argv[1:]
sys.path[:0] = [here, str(Path(here).parents[1])]
import stub_worker
from executors import Started
from explorer.executors.worker_pool import WorkerPool

stub_worker.install(Path(folder), SimpleNamespace(setattr=setattr))

async def work():
    pool = WorkerPool(Path(folder) / "spool", log=Path(folder) / "worker.log")
    job = await Started(pool, key="k", **json.loads(script)).works()
    if then == "pause":
        pool.pause()
    if then == "detach":
        assert await pool.detach() == 1
        await asyncio.gather(job.task, return_exceptions=True)
        print(job.pid, flush=True)
        return
    print(job.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(work())
"""


def own_signals() -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # ignored, where the tests run in the background


@contextlib.contextmanager
def session(folder: Path, script: dict, then: str = "", **environment: str):
    """A session in a process of its own, with its worker's number."""
    here = str(Path(__file__).parent)
    process = subprocess.Popen(
        [sys.executable, "-c", SESSION, here, str(folder), json.dumps(script), then],
        stdout=subprocess.PIPE, text=True, env={**os.environ, **environment},
        preexec_fn=own_signals,
    )  # fmt: skip
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    try:
        yield process, pid
    finally:
        process.kill()
        process.communicate()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def ends(*pids: int) -> bool:
    """Whether all of these processes end in time."""
    deadline = time.monotonic() + SECONDS
    while any(state_of(pid) not in ("", "Z") for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


@pytest.mark.parametrize("how", ["SIGKILL", "SIGHUP", "SIGTERM"])
@pytest.mark.parametrize("worker", ["busy", "stopped", "paused"])
def test_a_worker_ends_with_its_session(tmp_path, how, worker):
    script = {"until": "/never", "then": "deaf"}
    with session(tmp_path, script, "pause" if worker == "paused" else "") as (process, pid):
        if worker == "stopped":
            os.kill(pid, signal.SIGSTOP)
        if worker != "busy":
            asyncio.run(until(lambda: state_of(pid) == "T"))
        process.send_signal(signal.Signals[how])
        process.wait(30)
        assert ends(pid)


@pytest.mark.parametrize("worker", ["busy", "stopped"])
def test_where_the_kernel_kills_nothing_the_closed_pipe_does(tmp_path, worker):
    script = {"until": "/never", "then": "deaf", "fork": str(tmp_path / "child")}
    with session(tmp_path, script, STUB_WITHOUT_KERNEL="1") as (process, pid):
        child = forked(tmp_path)
        if worker == "stopped":  # woken as the member of an orphaned group
            os.kill(pid, signal.SIGSTOP)
            asyncio.run(until(lambda: state_of(pid) == "T"))
        process.kill()
        assert ends(pid, child)


def test_what_a_worker_started_ends_with_it(tmp_path):
    with session(
        tmp_path, {"until": "/never", "then": "deaf", "fork": str(tmp_path / "child")}
    ) as (process, pid):
        child = forked(tmp_path)
        os.killpg(pid, signal.SIGSTOP)
        process.kill()
        assert ends(pid, child)


def forked(folder: Path) -> int:
    """The child of a worker, once it runs."""
    told = folder / "child"
    asyncio.run(until(lambda: told.exists() and told.read_text()))
    return int(told.read_text())


def test_a_worker_that_was_started_by_a_session_that_is_gone_by_then_ends(tmp_path):
    """Its standard input is closed from the start: it does not wait for commands."""
    reading, writing = os.pipe()
    program = (
        "import sys; sys.path[:0] = sys.argv[3:5]; del sys.argv[3:5]; import runpy; "
        f"runpy.run_path({str(Path(__file__).with_name('stub_worker.py'))!r}, run_name='__main__')"
    )
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(writing), str(tmp_path / "spool"), *paths],
        stdin=subprocess.DEVNULL, pass_fds=(writing,), start_new_session=True,
    )  # fmt: skip
    os.close(writing)
    os.close(reading)
    process.wait(60)


def test_a_detached_worker_outlives_its_session(tmp_path):
    gate = tmp_path / "gate"
    with session(tmp_path, {"until": str(gate)}, "detach") as (process, pid):
        assert process.wait(60) == 0
        started = start_of(pid)
        assert json.loads((tmp_path / "spool" / "k.running").read_text())["pid"] == pid
        # Past the moment at which an orphan would be ended by itself.
        asyncio.run(asyncio.sleep(2.5))
        assert start_of(pid) == started
        gate.touch()
        assert ends(pid)
        assert (tmp_path / "spool" / "k.json").exists()


# Opens streamed images, takes a batch out of each of two processes that load them, so both have
# begun, and tells their numbers.
LOADING = """
import multiprocessing, sys, threading
import torch
from engine.contracts.networks import Reading
from engine.data import open_data

if __name__ == "__main__":
    data = open_data(sys.argv[1], Reading(loader="streaming"))
    batches = data.test.batches(4, torch.arange(80).repeat(10))
    next(batches), next(batches)
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    threading.Event().wait()
"""


@pytest.mark.slow  # two processes import torch
@pytest.mark.parametrize("loader", ["busy", "stopped"])
def test_processes_that_load_images_end_with_the_one_they_load_for(tmp_path, loader):
    folder = image_folder(tmp_path / "images", each=40)
    script = tmp_path / "loading.py"
    script.write_text(LOADING)
    environment = {**os.environ, "PE_EXPLORE_LOADER_WORKERS": "2",
                   "PE_EXPLORE_CACHE": str(tmp_path / "cache")}  # fmt: skip
    with subprocess.Popen(
        [sys.executable, str(script), str(folder)], stdout=subprocess.PIPE, text=True,
        env=environment,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            pids = [int(pid) for pid in process.stdout.readline().split()]
            assert len(pids) == 2
            if loader == "stopped":
                for pid in pids:
                    os.kill(pid, signal.SIGSTOP)
                asyncio.run(until(lambda: all(state_of(pid) == "T" for pid in pids)))
        finally:
            process.kill()
    assert ends(*pids)
