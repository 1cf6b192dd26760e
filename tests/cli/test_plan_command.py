"""`plan`: all that is known of a run before its first job, and nothing stored of it."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))
from small import write_data, write_network

from explorer.cli.main import app
from explorer.executors.in_process import InProcessExecutor

GOLDEN = Path(__file__).with_name("golden_json") / "plan.json"
# Numbers that a clock measured, and what follows from them: how many images were ranked with.
MEASURED = re.compile(
    r'"(seconds|low|high|training|training_beside|evaluating|ranking|step)": (null|[\d.e+-]+)'
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder; jobs run in this process, each part for a moment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("explorer.cli.commands.plan.workers", InProcessExecutor)
    monkeypatch.setattr("explorer.session.speed.SECONDS", 0.1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


def plan(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["plan", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_sample_as_json(here):
    printed = MEASURED.sub(r'"\1": 0', plan("sample", "--iterations", "2", "--json"))
    if os.environ.get("PE_UPDATE_GOLDEN"):
        GOLDEN.write_text(printed)
    assert printed == GOLDEN.read_text()
    assert list(here.iterdir()) == [], "nothing is stored"


@pytest.fixture
def tiny(here):
    """A network that is measured within a second, and its data."""
    write_network(here)
    write_data(here)
    return "tiny.pt", "--data", "bars.npz", "--min-blocks", "1", "--criterion-samples", "4"


def test_a_preset_changes_what_is_planned_and_what_is_given_counts_more(tiny):
    found = json.loads(plan(*tiny, "--preset", "quick", "--tune-epochs", "5", "--json"))
    settings = {each["name"]: each for each in found["settings"]}
    assert found["preset"] == "quick"
    assert (settings["criterion"]["value"], settings["criterion"]["because"]) == (
        "kl-fast", "preset")  # fmt: skip
    assert (settings["tune-epochs"]["value"], settings["tune-epochs"]["because"]) == (5, "given")
    tuned = next(p for p in found["prediction"]["phases"] if p["phase"] == "tune")
    assert (tuned["epochs"], tuned["items"]) == (4, 4 * found["data"]["train"])


def test_a_person_reads_it_as_lines(tiny):
    text = plan(*tiny, "--target-macs", "15", "--preset", "paper")
    for words in (
        "multiply-accumulates, val acc",
        "blocks and 24 filters may go",
        "training, ",
        "held in memory",
        "* criterion-samples",
        "by the preset",
        "measured here on cpu, 1 thread",
        "rank blocks and units",
        "one decision (2 candidates): about",
        "when 15 % of the multiply-accumulates are gone (--target-macs)",
    ):
        assert words in text, words


def test_a_stores_run_is_planned_from_where_it_stands(tiny, here, monkeypatch):
    monkeypatch.setattr("explorer.cli.sessions.workers", InProcessExecutor)
    grown = CliRunner().invoke(
        app, ["auto", *tiny, "--iterations", "1", "--criterion", "l1", "--recovery-epochs", "0",
              "--tune-epochs", "0", "--yes"],
    )  # fmt: skip
    assert grown.exit_code == 0, grown.output
    store = here / "tiny.pex.db"
    before = store.read_bytes()
    found = json.loads(plan(store, "--run", "1", "--json"))
    assert found["run"] == "tiny-1" and found["prediction"]["decisions"] == 0
    settings = {each["name"]: each for each in found["settings"]}
    assert (settings["criterion"]["value"], settings["criterion"]["because"]) == ("l1", "changed")
    assert store.read_bytes() == before and not (here / "tiny.pex.db.spool").exists()
    assert json.loads(plan(store, "--json", "--iterations", "3"))["prediction"]["decisions"] == 2


def test_options_that_a_stores_run_has_fixed_are_refused(here):
    Path("s.pex.db").write_bytes(b"SQLite format 3\x00" + bytes(100))
    result = CliRunner().invoke(app, ["plan", "s.pex.db", "--criterion", "l1"])
    assert result.exit_code == 2
    assert "--criterion is fixed for a run that exists" in result.output


def test_a_run_is_named_of_a_store_only(tiny):
    result = CliRunner().invoke(app, ["plan", *tiny, "--run", "1"])
    assert result.exit_code == 2 and "--run is about a run of a store" in result.output
