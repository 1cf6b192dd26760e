"""The benchmarks run; what they measure is in benchmarks/RESULTS.md and asserted nowhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("million.py --nodes 5000", "the app on it, in a pty"),  # measures keys too
        ("similarity.py --images 500", "200 resamples"),
        ("scoring_any.py --networks vit --images 2 --rounds 1 --steps 1", "ms an image"),
        ("building.py sample_checkpoints/sample.pt --filters 4", "build without 4 filters"),
        ("snapshots.py 1 2", "decide meanwhile"),
        ("resnet50.py", "Table II in blocks: 3.000 4.000 5.000 8.000"),
        ("node.py --set train_limit=100 criterion=l1 --threads 1", "one expansion and tuning"),
        (
            "scoring.py sample_checkpoints/sample.pt sample --images 5 --rounds 1 --plain 1",
            "overlap of the lowest tenth",
        ),
        ("precision.py sample_checkpoints/sample.pt sample --images 4", "blocks in the same order"),
        ("accuracy.py --images 320 --epochs 1 --seeds 2", "the seeds of one way spread by"),
        (
            "policies.py --seeds 1 --iterations 1 --policies random --train-limit 320"
            " --criterion l1 --recovery-epochs 0 --tune-epochs 0",
            "difference to random of the same seed",
        ),
    ],
)
def test_a_benchmark_prints_what_it_measured(command: str, words: str, tmp_path: Path) -> None:
    script, *arguments = command.replace("sample_", f"{BENCHMARKS.parent}/sample_").split()
    ended = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *arguments],
        capture_output=True, text=True, cwd=tmp_path, timeout=280,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert words in ended.stdout
