"""`--new-run` and `--data` as a user gives them: real processes, the real worker."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from small import OPTIONS, write_data, write_network

COMMAND = [sys.executable, "-m", "explorer.cli"]
SMALL = [
    f"--{name.replace('_', '-')}={value}" for name, value in OPTIONS.items()
    if name not in ("num_resamples", "iterations", "batch_size")
]  # fmt: skip


def run(folder, *arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=240
    )


@pytest.mark.slow
def test_another_option_asks_for_a_word_and_moved_images_for_their_place(tmp_path):
    write_network(tmp_path), write_data(tmp_path)
    grow = ["auto", "tiny.pt", "--data", "bars.npz", *SMALL, "--iterations", "1", "--json", "--yes"]
    first = run(tmp_path, *grow, "--batch-size", "16")
    assert first.returncode == 0, first.stderr
    begun = json.loads(first.stdout)
    assert begun["is_new"] and begun["why_new"] is None
    refused = run(tmp_path, *grow, "--batch-size", "17")
    assert refused.returncode == 2 and refused.stdout == ""
    assert "--batch-size 17 instead of 16" in refused.stderr
    remedy = ["--batch-size", "16"]
    assert " ".join(["Say", *remedy, "to go on with it, or --new-run"]) in refused.stderr
    again = json.loads(run(tmp_path, *grow, *remedy).stdout)
    assert not again["is_new"] and again["run"] == begun["run"]
    other = json.loads(run(tmp_path, *grow, "--batch-size", "17", "--new-run").stdout)
    assert other["is_new"] and other["why_new"] == "--batch-size 17 instead of 16"
    newest = run(tmp_path, "auto", "tiny.pex.db", "--json")
    assert "resuming run tiny-2, the newest of 2, in" in newest.stderr

    (tmp_path / "scratch").mkdir()
    shutil.move(tmp_path / "bars.npz", tmp_path / "scratch" / "moved.npz")
    before = (tmp_path / "tiny.pex.db").read_bytes()
    lost = run(tmp_path, "branch", "tiny.pex.db", "R", "--take", "both")
    assert lost.returncode == 1 and "(--data PATH)" in lost.stderr
    assert (tmp_path / "tiny.pex.db").read_bytes() == before
    place = ["--data", "scratch/moved.npz"]
    found = run(tmp_path, "branch", "tiny.pex.db", "R", "--take", "both", "--json", *place)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["settings"]["data"]["source"].endswith("moved.npz")
    remade = run(tmp_path, "verify", "tiny.pex.db", "--reexecute", "R.L")
    assert remade.returncode == 0 and "identical, bit for bit" in remade.stdout
