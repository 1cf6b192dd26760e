"""The wheel as a user installs it: what is in it, and that it runs outside of the checkout."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest
from installed import PACKAGES, ROOT, build_wheel, environment, install, tracked
from tmux import Terminal

from store import TreeStore

AUTO = ("auto", "sample", "--iterations", "1", "--json")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def programs(wheel, tmp_path_factory) -> Path:
    return install(wheel, tmp_path_factory.mktemp("new") / "environment")


@pytest.fixture
def ran(tmp_path):
    """Runs a command in an empty folder; gives its standard output."""

    def run(*command, **options) -> str:
        ended = subprocess.run(
            list(map(str, command)), cwd=tmp_path, env=environment(), capture_output=True,
            text=True, timeout=280, **options,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


def test_every_file_of_ours_is_in_it_and_none_of_anything_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    about = {name for name in names if name.partition("/")[0].endswith(".dist-info")}
    assert set(names) - about == tracked(*PACKAGES)
    assert {f"{package}/py.typed" for package in ("engine", "store", "explorer")} < set(names)


def test_it_says_who_made_it_for_whom_and_under_which_licence(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        about = message_from_string(archive.read(name).decode())
        licences = [n for n in archive.namelist() if ".dist-info/licenses/" in n]
    assert about["Author"] == "pe-explore contributors" and about["License-Expression"] == "MIT"
    assert {"pruning", "CKA"} <= set(about["Keywords"].split(","))
    classifiers = " | ".join(about.get_all("Classifier"))
    for words in ("Linux", "MacOS", "3.11", "Console", "Science", "Typed"):
        assert words in classifiers
    assert "Windows" not in classifiers and len(licences) == 2


def test_it_runs_from_its_own_files(programs, ran):
    find = "import engine, store, explorer, explorer.tui.app as app; print(engine.__file__, " \
           "store.__file__, explorer.__file__, app.__file__, sep='\\n')"  # fmt: skip
    places = ran(programs / "python", "-c", find).splitlines()
    assert len(places) == 4
    assert all(Path(place).is_relative_to(programs.parent) for place in places)
    assert not any(Path(place).is_relative_to(ROOT) for place in places)
    shown = ran(programs / "pe-explore", "--help")
    assert "auto" in shown and "doctor" in shown
    assert "pe-explore 0." in ran(programs / "pe-explore", "--version")
    published = ran(programs / "pe-explore", "published", "--network", "resnet56", "--json")
    assert len(json.loads(published)["results"]) == 135


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
def test_the_app_opens_the_sample(programs, tmp_path):
    with Terminal([str(programs / "pe-explore"), "sample", "--yes"], cwd=tmp_path) as terminal:
        screen = terminal.wait_for("●")
        assert "Error" not in screen and "pe-explore" in screen
        terminal.press("q")
        terminal.wait_for(lambda screen: "ended with 0" in screen or "Stop" in screen)


@pytest.mark.slow
def test_it_grows_the_tree_of_the_checkout_bit_for_bit(programs, ran, tmp_path):
    def grown(name: str, *command) -> tuple[dict, dict]:
        told = json.loads(ran(*command, *AUTO, "--store", name))
        with TreeStore.open(tmp_path / name, read_only=True) as store:
            nodes = store.nodes(store.latest_run().id)
            hashes = {(n.name, p): store.snapshot_hash(n.id, p) for n in nodes for p in n.phases}
        return told, hashes

    told, hashes = grown("wheel.pex.db", programs / "pe-explore")
    told_here, hashes_here = grown("checkout.pex.db", sys.executable, "-m", "explorer.cli")
    assert [node["name"] for node in told["nodes"]] == ["R", "R.L", "R.F"]
    assert hashes == hashes_here and len(hashes) == 4
    assert told["path"] == told_here["path"] and told["settings"] == told_here["settings"]
