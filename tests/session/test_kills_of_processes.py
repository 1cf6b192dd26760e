"""Sessions and workers killed at any moment: nothing is lost, no orphan is left, the tree is the
same bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
from killing import BLOWS, VICTIMS, Findings, Killing, auto_command
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
