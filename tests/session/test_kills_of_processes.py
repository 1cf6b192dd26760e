"""Sessions and workers killed at any moment: nothing is lost, no orphan is left, the tree is the
same bit for bit."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from killing import (
    BLOWS,
    VICTIMS,
    Auto,
    Findings,
    Killing,
    auto_command,
    snapshots,
    spool_of,
)
from small import OPTIONS, write_data, write_network

QUICK = [str(Path(__file__).with_name("quick_worker.py"))]
REAL = ["-m", "explorer.cli"]
EVERY_BLOW = {f"{victim} {blow}" for victim in VICTIMS for blow in BLOWS}
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="finds workers through /proc"
)


def kill(folder: Path, blows: int, seed: int) -> Findings:
    """Kills the real command, whose workers do jobs of a quarter of a second."""
    network = folder / "net.pt"
    network.write_bytes(b"a checkpoint, for an engine that does not look")

    def command(store: Path) -> list[str]:
        return auto_command(QUICK, network, store, data="cifar10", iterations=5)

    return Killing(command, folder, seed).run(blows)


def kill_with_the_real_engine(folder: Path, blows: int, seed: int) -> Findings:
    network, data = write_network(folder), write_data(folder)
    options = {**OPTIONS, "criterion": "l1", "iterations": 4, "data": data}
    del options["num_resamples"]

    def command(store: Path) -> list[str]:
        return auto_command(REAL, network, store, **options)

    return Killing(command, folder, seed).run(blows)


@pytest.mark.slow
def test_every_blow_to_session_worker_and_both_loses_nothing(tmp_path):
    found = kill(tmp_path, len(EVERY_BLOW), seed=8)
    assert found.problems == []
    assert set(found.blows) == EVERY_BLOW and found.grown


@pytest.mark.parametrize("under_nohup", [True, False])
def test_a_terminal_that_is_closed_ends_auto_in_order_but_not_under_nohup(tmp_path, under_nohup):
    network, store = tmp_path / "net.pt", tmp_path / "tree.pex.db"
    network.write_bytes(b"a checkpoint")
    command = auto_command(QUICK, network, store, data="cifar10", iterations=2)
    if under_nohup:
        command = ["nohup", *command]
    auto = Auto(command, spool_of(store), {**os.environ})
    assert auto.next_stored()
    auto.process.send_signal(signal.SIGHUP)
    code = auto.process.wait(60)
    if under_nohup:
        assert code == 0 and len(snapshots(store)) == 7
    else:
        assert code == 130 and len(snapshots(store)) < 7
        assert not spool_of(store).exists() and not store.with_name("tree.pex.db.lock").exists()
        assert "interrupted; what was finished is kept" in auto.rest()


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_three_hundred_kills_lose_nothing(tmp_path):
    found = kill(tmp_path, 300, seed=12)
    print(found)
    assert found.problems == [] and set(found.blows) == EVERY_BLOW


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_thirty_kills_of_training_workers_lose_nothing(tmp_path):
    found = kill_with_the_real_engine(tmp_path, 30, seed=3)
    print(found)
    assert found.problems == [] and set(found.blows) == EVERY_BLOW
