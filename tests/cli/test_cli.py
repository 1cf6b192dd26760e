"""The command line as a user runs it: real processes, real files, the real worker."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from json_shapes import problems
from small import OPTIONS, write_data, write_network
from tampering import tamper

from engine.checkpoints import load
from engine.contracts.methods import CRITERIA
from engine.contracts.networks import DataDescription
from engine.contracts.setting_sections import ScoringSettings
from engine.contracts.settings import Settings
from explorer.cli.commands.auto import decided_by
from explorer.cli.json_types import Machine, NetworkTrained, NodeExported, TreeSummary
from explorer.views.node_view import NodeDetails
from store import TreeStore

COMMAND = [sys.executable, "-m", "explorer.cli"]
GROWING = [
    f"--{name.replace('_', '-')}={value}"
    for name, value in OPTIONS.items()
    if name not in ("num_resamples", "iterations")
]


def run(*arguments, **options) -> subprocess.CompletedProcess:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, **options)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return write_network(folder), write_data(folder)


def auto_arguments(files, store: Path, iterations: int = 2) -> list:
    model, data = files
    return ["auto", model, "--data", data, "--store", store, *GROWING,
            "--iterations", iterations, "--json", "--yes"]  # fmt: skip


@pytest.fixture(scope="module")
def grown(files, tmp_path_factory):
    store = tmp_path_factory.mktemp("grown") / "tree.pex.db"
    return store, run(*auto_arguments(files, store))


def snapshots(store: Path) -> dict:
    with TreeStore.open(store, read_only=True) as opened:
        nodes = opened.nodes(opened.latest_run().id)
        return {(n.name, p): opened.snapshot_hash(n.id, p) for n in nodes for p in n.phases}


def test_help_and_version():
    shown = run("--help")
    assert shown.returncode == 0 and "auto" in shown.stdout and "doctor" in shown.stdout
    assert "pe-explore 0." in run("--version").stdout
    assert "--recovery-epochs" in run("auto", "--help").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["atuo", "x.pt"], 2, "did you mean 'auto'?"),
        (["auto", "nowhere.pt"], 2, "there is no file 'nowhere.pt'"),
        (["auto", "sample", "--policy", "layer"], 2, "did you mean 'layers'"),
        (["auto", "sample", "--iterations", "0"], 2, "--iterations is 0"),
        (["auto", "sample", "--target-macs", "300"], 2, "--target-macs is 300"),
        (["auto", "sample", "--max-drop", "nan"], 2, "--max-drop is nan"),
        (["auto", "sample", "--learning-rate", "inf"], 2, "--learning-rate is inf"),
        (["sample"], 2, "needs a terminal; without one use: pe-explore auto sample"),
        (["log", "nowhere.pex.db"], 1, "nowhere.pex.db"),
    ],
)
def test_mistakes_get_one_line_and_an_exit_code(arguments, code, words, tmp_path):
    ended = run(*arguments, cwd=tmp_path)
    assert ended.returncode == code
    assert words in ended.stderr and "Traceback" not in ended.stderr and ended.stdout == ""
    assert not list(tmp_path.iterdir())  # nothing is left behind


def test_a_file_that_is_no_checkpoint_leaves_no_store(tmp_path):
    page = tmp_path / "model.pt"
    page.write_text("<!DOCTYPE html><html>404</html>")
    ended = run("auto", page, "--data", "sample", cwd=tmp_path)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert "model.pt" in ended.stderr
    assert not list(tmp_path.glob("*.db*"))


def test_auto_prints_one_json_object_and_nothing_else(grown):
    store, ended = grown
    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    assert problems(TreeSummary, summary) == []
    assert summary["store"] == str(store) and summary["stopped"] == "iterations: 2 done"
    assert summary["settings"]["scoring"]["criterion"] in CRITERIA
    assert len(summary["path"]) == 2 and set(summary["path"]) <= {"layer", "filter"}
    fields = {
        "name", "parent", "structure", "state", "kept", "decided_by", "similarity",
        "val_accuracy", "test_accuracy", "macs", "params", "macs_reduction", "seconds",
    }  # fmt: skip
    assert all(fields <= set(node) for node in summary["nodes"])
    assert summary["root"]["name"] == "R" and summary["best"]["kept"]
    assert {"margin", "margin_low", "margin_high", "too_close"} <= set(summary["root"])
    assert "R.L: CKA" in ended.stderr and "kept" in ended.stderr
    assert not list(store.parent.glob("*-wal")) and not list(store.parent.glob("*.lock"))


IMAGES = DataDescription("bars", ("a", "b"))


@pytest.mark.parametrize("criterion", CRITERIA)
def test_auto_says_by_what_it_ranked_and_kept(criterion):
    said = decided_by(Settings(scoring=ScoringSettings(criterion, 20)), IMAGES)
    assert said.startswith(f"ranked by {criterion}, ") and said.endswith("; kept by cka")
    assert ("20 images a class" in said) == ("{items}" in CRITERIA[criterion].looked_at)
    tokens = replace(IMAGES, row="token", classes=(), num_classes=9)
    said = decided_by(Settings(scoring=ScoringSettings(criterion, 20)), tokens)
    assert ("20 items;" in said) == ("{items}" in CRITERIA[criterion].looked_at)


def test_log_and_show_tell_the_same_as_auto(grown):
    store, ended = grown
    nodes = json.loads(ended.stdout)["nodes"]
    assert json.loads(run("log", store, "--json").stdout)["nodes"] == nodes
    shown = json.loads(run("show", store, "R.F", "--json").stdout)
    (expected,) = [n for n in nodes if n["name"] == "R.F"]
    assert expected.items() <= shown.items() and problems(NodeDetails, shown) == []
    assert shown["edit"]["structure"] == "filter" and shown["epochs"]
    table = run("show", store, "R.F").stdout.splitlines()
    lines = [re.split(r"\s\s+", line.strip(), maxsplit=1) for line in table]
    told = dict(words for words in lines if len(words) == 2)
    assert told["val accuracy"] == f"{shown['val_accuracy']:.2f} %"
    assert told["macs"] == f"{shown['macs']:,}" and told["params"] == f"{shown['params']:,}"
    assert told["latency ms"].endswith(" ms") and told["macs reduction"].endswith(" %")
    text = run("log", store).stdout
    assert all(node["name"] in text for node in nodes) and "●" in text and "○" in text
    assert f"{json.loads(ended.stdout)['best']['name']} ★" in text and text.count("★") == 1
    missing = run("show", store, "R.X")
    assert missing.returncode == 1 and "R.X" in missing.stderr


@pytest.mark.slow
def test_an_exported_node_opens_with_the_engine_alone_and_starts_a_new_tree(grown, tmp_path, files):
    store, _ = grown
    target = tmp_path / "best.pt"
    exported = run("export", store, "best", target, "--json")
    assert exported.returncode == 0 and problems(NodeExported, json.loads(exported.stdout)) == []
    content = torch.load(target, weights_only=True)
    assert content["format"] == "pe-explore/1" and content["architecture"]["edits"]
    script = (
        "import sys, engine, torch\n"
        f"loaded = engine.load({str(target)!r})\n"
        "logits = loaded.model(torch.zeros(1, 1, 8, 8))\n"
        "print(tuple(logits.shape), 'store' in sys.modules, 'explorer' in sys.modules)"
    )
    opened = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert opened.stdout.strip() == "(1, 3) False False", opened.stderr
    arguments = auto_arguments((target, files[1]), tmp_path / "next.pex.db", iterations=1)
    next_tree = json.loads(run(*arguments).stdout)
    assert next_tree["root"]["macs"] == content["metrics"]["macs"]
    other = tmp_path / "best.safetensors"
    assert run("export", store, "best", other).returncode == 0
    assert load(other).architecture == load(target).architecture
    refused = run("export", store, "best", tmp_path / "best.onnx")
    assert refused.returncode == 2 and ".pt and .safetensors" in refused.stderr


@pytest.mark.slow  # six commands
def test_what_verify_says_can_be_used_is_exported_beside_what_cannot(grown, tmp_path):
    store = shutil.copy(grown[0], tmp_path / "hurt.pex.db")
    tamper(store, "UPDATE node SET edit = '{nope' WHERE name = 'R.L'")
    verified = run("verify", store)
    assert "can be used: R, R.F" in verified.stdout, verified.stdout
    exported = run("export", store, "R.F", tmp_path / "beside.pt")
    assert exported.returncode == 0, exported.stderr
    assert load(tmp_path / "beside.pt").model


@pytest.mark.parametrize(
    "numbers",
    [
        [signal.SIGINT],
        pytest.param([signal.SIGTERM], marks=pytest.mark.slow),
        pytest.param([signal.SIGTERM, signal.SIGTERM, signal.SIGHUP], marks=pytest.mark.slow),
    ],
)
def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(grown, files, tmp_path, numbers):
    store = tmp_path / "tree.pex.db"
    command = [*COMMAND, *map(str, auto_arguments(files, store)), "--iterations", "9"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # A shell's job in the background ignores it, and so would everything started from there.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    for line in process.stderr:  # the first candidate is stored, the others are to come
        if line.startswith("R.") and ": CKA" in line:
            for number in numbers:  # `timeout` sends its own twice
                process.send_signal(number)
            break
    _, stderr = process.communicate(timeout=240)
    assert process.returncode == 130 and "interrupted" in stderr and "Traceback" not in stderr
    ended = run(*auto_arguments(files, store))
    assert ended.returncode == 0 and "resuming" in ended.stderr
    assert snapshots(grown[0]).items() <= snapshots(store).items()


def worker_pids(session_pid: int) -> list[int]:
    children = Path(f"/proc/{session_pid}/task/{session_pid}/children").read_text().split()
    return [int(pid) for pid in children]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the worker through /proc")
@pytest.mark.parametrize("moment", [0.1, 0.6])
def test_kill_9_of_session_and_worker_loses_at_most_the_candidate_in_progress(
    grown, files, tmp_path, moment
):
    store = tmp_path / "tree.pex.db"
    command = [*COMMAND, *map(str, auto_arguments(files, store))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    stored = []
    for line in process.stderr:
        if line.startswith("R.") and ": CKA" in line:
            stored.append(line.split(":")[0])
            break
    deadline = time.monotonic() + moment  # the moment of the blow, not a wait for something
    while time.monotonic() < deadline:
        pass
    for pid in [*worker_pids(process.pid), process.pid]:
        os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=240)
    with TreeStore.open(store, read_only=True) as opened:
        run_id = opened.latest_run().id
        assert all(opened.node(run_id, name).state == "ready" for name in stored)
    ended = run(*auto_arguments(files, store))
    assert ended.returncode == 0, ended.stderr
    assert snapshots(store) == snapshots(grown[0])


@pytest.mark.slow
def test_a_killed_worker_is_replaced_while_the_session_goes_on(grown, files, tmp_path):
    store = tmp_path / "tree.pex.db"
    command = [*COMMAND, *map(str, auto_arguments(files, store))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith("R.") and ": CKA" in line:
            for pid in worker_pids(process.pid):
                os.kill(pid, signal.SIGKILL)
            break
    _, stderr = process.communicate(timeout=240)
    assert process.returncode == 0, stderr
    assert snapshots(store) == snapshots(grown[0])


@pytest.mark.slow
def test_train_writes_the_same_checkpoint_for_the_same_seed(files, tmp_path):
    paths = [tmp_path / "first.pt", tmp_path / "second.pt"]
    for path in paths:
        ended = run("train", "resnet8", "--width", 4, "--data", files[1], "--epochs", 2,
                    "--batch-size", 16, "-o", path, "--json")  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        trained = json.loads(ended.stdout)
        assert problems(NetworkTrained, trained) == [] and trained["metrics"]["params"] > 0
    first, second = (torch.load(path, weights_only=True)["state_dict"] for path in paths)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_doctor_tells_what_follows_from_the_machine():
    found = json.loads(run("doctor", "--device", "cpu", "--json").stdout)
    assert problems(Machine, found) == []
    assert found["device"] == "cpu" and found["num_threads"] >= 1
    assert run("doctor", "--device", "cuda:99").returncode == 1
