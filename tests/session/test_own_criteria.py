"""A criterion of a person's own ranks a tree, and is called only with leave."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from small import request_of, write_data, write_network
from typer.testing import CliRunner

from engine.contracts.errors import CriterionError, SettingsError, UserError
from engine.contracts.networks import Scores
from engine.contracts.references import ForeignFactoryError, factory_here
from engine.contracts.setting_sections import ScoringSettings
from engine.worker.own_criteria import criterion_of
from explorer.cli.main import app
from explorer.executors.in_process import InProcessExecutor
from explorer.session.open_run import Request, open_session
from explorer.session.search import grow_tree
from explorer.views.proposed_scores import newest_scores
from explorer.views.setting_views import settings_in_a_line

# The last unit of every group is the least important one, and the last block.
CODE = """
from pathlib import Path
from engine.pruning.scores import Scores

def last_first(model, structure, task, items, execution, monitor, *, crossing=False):
    with open(Path(__file__).parent / "called", "a") as file:
        file.write("x")
    groups = structure.groups if crossing else structure.free_groups
    return Scores(
        {block.path: -float(n) for n, block in enumerate(structure.all_blocks())},
        {g.path: tuple(-float(n) for n in range(g.num_units)) for g in groups},
    )

def words(*about, crossing=False):
    return "the last one"

def endless(model, structure, *about, crossing=False):
    return Scores({}, {"g": (float("nan"),)})

def failing(*about, crossing=False):
    raise KeyError("oh")
"""
NAME = "my_criteria:last_first"


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_criteria.py").write_text(CODE)
    return write_network(tmp_path), write_data(tmp_path)


def grow(request, look=lambda session: None):
    async def work():
        session = await open_session(request, InProcessExecutor, [].append)
        try:
            outcome = await grow_tree(session)
            return session.document, outcome, look(session)
        finally:
            await session.close()

    return asyncio.run(work())


def test_it_ranks_and_a_store_that_names_it_asks_again(files, tmp_path):
    store = tmp_path / "a.db"
    request = request_of(files, store, iterations=1, criterion=NAME)
    document, _, proposed = grow(
        request, lambda session: newest_scores(session.store, session.node("R").id)
    )
    assert (tmp_path / "called").exists()
    assert proposed.scores.units["layer1.0.conv1"][:2] == (0.0, -1.0)
    assert document.origin.own_criterion == factory_here(NAME)
    assert "ranked by my_criteria:last_first (code of one's own, " in settings_in_a_line(
        document.settings
    )
    called = (tmp_path / "called").stat().st_size
    again = Request(str(store), overrides={"iterations": 2})
    with pytest.raises(UserError, match=r"ranked by my_criteria:last_first.*--allow-factory my_cr"):
        grow(again)
    assert (tmp_path / "called").stat().st_size == called, "nothing was called"
    assert grow(replace(again, allow_factory=(NAME,)))[1].stopped == "iterations: 2 done"
    (tmp_path / "my_criteria.py").write_text(CODE + "\n# changed\n")
    with pytest.raises(UserError, match="it has changed since the run began"):
        grow(replace(again, overrides={"iterations": 3}, allow_factory=(NAME,)))


def test_it_is_compared_with_the_others(files, monkeypatch):
    monkeypatch.setattr("explorer.cli.commands.criteria.workers", InProcessExecutor)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    arguments = ["criteria", "tiny.pt", "--data", "bars.npz", "--images", "8", "--draws", "2"]
    result = CliRunner().invoke(app, [*arguments, "--criterion", NAME, "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["criteria"]
    assert [each["name"] for each in found] == ["kl", NAME] and found[1]["applies"]


def test_nothing_is_called_without_leave_or_after_a_change(files, tmp_path):
    with pytest.raises(ForeignFactoryError, match="nobody has allowed it for this run"):
        criterion_of(NAME, None)
    with pytest.raises(ForeignFactoryError, match="nobody has allowed it"):
        criterion_of(NAME, factory_here("my_criteria:words"))
    leave = factory_here(NAME)
    (tmp_path / "my_criteria.py").write_text(CODE + "\n# changed\n")
    with pytest.raises(ForeignFactoryError, match="has changed since it was allowed"):
        criterion_of(NAME, leave)
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("words", "gives a str; it is to give"),
        ("endless", "no finite numbers"),
        ("failing", r"fails \(KeyError: 'oh'\); mend it"),
    ],
)
def test_what_it_does_wrong_is_told_in_words(files, name, told):
    reference = f"my_criteria:{name}"
    with pytest.raises(CriterionError, match=told):
        criterion_of(reference, factory_here(reference))(None, None, None, None, None)


def test_a_name_that_is_neither_ours_nor_code_is_refused_with_the_nearest():
    with pytest.raises(SettingsError, match="did you mean 'taylor'"):
        ScoringSettings(criterion="tailor")
    for wrong in ("timm:resnet18", "", "a:b:c", "../x:y"):
        with pytest.raises(SettingsError):
            ScoringSettings(criterion=wrong)
    assert ScoringSettings(criterion=NAME).criterion == NAME
    assert isinstance(Scores({}, {}), Scores)
