"""A folder with a person's own `engine.py`, `store.py`, …: the commands run in it, and `--arch`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small import ARGUMENTS, OPTIONS, write_data, write_network

from store import TreeStore

PROGRAM = Path(sys.executable).parent / "pe-explore"
GROWING = [
    f"--{name.replace('_', '-')}={value}" for name, value in OPTIONS.items()
    if name != "num_resamples"
]  # fmt: skip
# Their factory imports their own modules at its start and while it is called; what it makes is a
# network of ours. It writes down which modules it met.
THEIRS = {
    "engine": "class Trainer:\n    who = 'theirs'\n",
    "store": "import engine\nshelf = engine.Trainer.who\n",
    "sample_checkpoints": "names = ['theirs']\n",
    "mynets": f"""
import engine
from engine import Trainer
from engine.models.cifar_resnet import CifarResNet

def make():
    from engine import Trainer as Again
    from explorer import width
    from sample_checkpoints import names
    from store import shelf
    assert Again is Trainer is engine.Trainer
    with open("met", "a") as file:
        print(engine.__file__, shelf, names[0], width, file=file)
    return CifarResNet(**{ARGUMENTS!r})
""",
}
IN_NOBODYS_WAY = ("random", "torch", "numpy", "json", "textual", "rich", "secrets", "platformdirs")


@pytest.fixture
def folder(tmp_path):
    write_network(tmp_path)
    write_data(tmp_path)
    for name, text in THEIRS.items():
        (tmp_path / f"{name}.py").write_text(text)
    for name in IN_NOBODYS_WAY:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('this is not the library')\n")
    return tmp_path


def ran(command: list, folder: Path) -> dict:
    ended = subprocess.run(
        list(map(str, command)), cwd=folder, capture_output=True, text=True, timeout=240
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def tree(store: Path) -> dict:
    """Each node's snapshots, by their hashes."""
    with TreeStore.open(store, read_only=True) as opened:
        nodes = opened.nodes(opened.latest_run().id)
        return {(n.name, p): opened.snapshot_hash(n.id, p) for n in nodes for p in n.phases}


@pytest.mark.slow
def test_their_factory_gets_their_modules_and_the_tree_is_that_of_our_engine(folder):
    (folder / "explorer.py").write_text("width = 7\n")
    # The weights alone, so that nothing but the factory tells what they belong to.
    bare = "import torch; torch.save(torch.load('tiny.pt')['state_dict'], 'bare.pt')"
    subprocess.run([sys.executable, "-P", "-c", bare], cwd=folder, check=True)
    auto = ["auto", "bare.pt", "--data", "bars.npz", *GROWING, "--json", "--yes"]
    ran([PROGRAM, *auto, "--store", "plain.pex.db"], folder)
    assert not (folder / "met").exists()
    ran([PROGRAM, *auto, "--arch", "mynets:make", "--store", "made.pex.db"], folder)
    plain = tree(folder / "plain.pex.db")
    assert len(plain) > 3 and tree(folder / "made.pex.db") == plain
    assert set((folder / "met").read_text().splitlines()) == {f"{folder}/engine.py theirs theirs 7"}


@pytest.mark.slow
def test_started_as_a_module_the_commands_run_in_such_a_folder_too(folder):
    command = [sys.executable, "-m", "explorer.cli"]
    auto = [
        "auto",
        "tiny.pt",
        "--data",
        "bars.npz",
        *GROWING[:-1],
        "--iterations=1",
        "--json",
        "--yes",
    ]
    told = ran([*command, *auto], folder)
    assert told["nodes"]
    shown = ran([*command, "show", "tiny.pex.db", "R", "--json"], folder)
    assert shown["name"] == "R"
    (folder / "explorer.py").write_text("width = 7\n")
    shown = ran([sys.executable, "-P", "-m", "explorer.cli", "show", "tiny.pex.db", "R", "--json"],
                folder)  # fmt: skip
    assert shown["name"] == "R"
