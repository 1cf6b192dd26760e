"""Runs of somebody else: no code of theirs is called; one that cannot be read is named."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from tampering import tamper

from engine.contracts.networks import FileRef
from engine.contracts.references import ForeignFactoryError
from engine.contracts.settings import Settings
from explorer.executors.unavailable import UnavailableExecutor
from explorer.session.artifacts import Artifacts
from explorer.session.data_places import DataPlaces
from explorer.session.documents import RunDocument, UnreadableRowError
from explorer.session.job_runner import JobRunner
from explorer.session.known_run import Choice, choose_run
from explorer.session.readable import unreadable_rows
from store import TreeStore

GOLDEN = Path(__file__).parents[1] / "store" / "golden" / "growing-6.db"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "foreign.pex.db"
    shutil.copy(GOLDEN, path)
    return path


@pytest.mark.parametrize("factory", ["os:system", "mynets:make"])
def test_a_function_that_a_store_names_is_never_called(path: Path, tmp_path, factory, monkeypatch):
    architecture = json.dumps({"factory": factory, "arguments": {"command": "touch gone"}})
    tamper(path, f"UPDATE run SET architecture = '{architecture}'")
    (tmp_path / "mynets.py").write_text("open('gone', 'w')\n")
    monkeypatch.chdir(tmp_path)
    with TreeStore.open(path, read_only=True) as store:
        document = RunDocument.of(store.runs()[0])
        jobs = JobRunner(
            store, document, UnavailableExecutor(), Artifacts(store, tmp_path / "spool"), print
        )
        for node in store.nodes(document.run.id):
            if node.parent_id is not None and node.state == "ready":
                with pytest.raises(ForeignFactoryError, match=factory):
                    jobs.recover_job(node)
                with pytest.raises(ForeignFactoryError, match=factory):
                    jobs.tune_job(node)
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE run SET data = '{\"classes\": 7}'",
        "UPDATE run SET architecture = '{\"factory\": []}'",
        'UPDATE environment SET json = \'{"num_threads": "many"}\'',
        'UPDATE run SET architecture = \'{"factory": "cifar_resnet", "edits": [{}]}\'',
    ],
)
def test_a_run_that_cannot_be_read_is_named_with_what_helps(path: Path, change: str) -> None:
    tamper(path, change)
    with (
        TreeStore.open(path, read_only=True) as store,
        pytest.raises(UnreadableRowError, match=r"run 1 .* cannot be read: .*`pe-explore verify"),
    ):
        RunDocument.of(store.runs()[0])
    assert any("run 1" in finding.text for finding in unreadable_rows(path))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE event SET payload = '{\"nodes\": 7}' WHERE kind = 'candidates'", "line"),
        ("UPDATE node SET edit = '{\"structure\": \"layer\"}' WHERE name = 'R.L'", "edit of R.L"),
    ],
)
def test_verify_names_rows_that_hold_together_and_say_nothing(path, change, words) -> None:
    assert list(unreadable_rows(path)) == []
    tamper(path, change)
    assert any(words in finding.text for finding in unreadable_rows(path))


def test_a_run_that_cannot_be_read_is_in_nobodys_way(path: Path, tmp_path: Path) -> None:
    tamper(path, "UPDATE run SET data = '{\"classes\": 7}'")
    told: list[str] = []

    async def describe(*_) -> None:
        raise AssertionError("no images are needed to pass a run over")

    with TreeStore.open(path) as store:
        wanted, checkpoint = Settings(), FileRef("x.pt", "0" * 64)
        places = DataPlaces()
        found = asyncio.run(
            choose_run(store, wanted, checkpoint, places, describe, told.append, may_begin=False)
        )
        assert found == Choice() and "run 1 is passed over" in told[0]
