"""Plans of a node for budgets, and the branch that is grown of one."""

from __future__ import annotations

import asyncio

import pytest
from small import OPTIONS, write_data, write_network

from engine.contracts.edits import Edit
from engine.contracts.errors import UsageError
from engine.contracts.requests import BranchRequest, CandidateRequest, RemoveTogether
from explorer.executors.in_process import InProcessExecutor
from explorer.session.documents import edit_of, read_proposal
from explorer.session.fitting import Budget, budgets_of, fit_node
from explorer.session.open_run import Request, open_session
from explorer.session.steering import Steering
from explorer.views.fitted import budget_words, fitted_view, stage_words
from explorer.views.removed import removed, removed_briefly
from store.audit.verify import verify


def test_a_choice_of_blocks_and_filters_becomes_a_branch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_network(tmp_path)
    write_data(tmp_path)

    async def work():
        request = Request("tiny.pt", overrides={**OPTIONS, "data": "bars.npz"})
        session = await open_session(request, InProcessExecutor, lambda event: None)
        try:
            root = session.node("R")
            anew = await fit_node(session.jobs, "R", [Budget(macs=50)])
            assert [n.name for n in session.store.nodes(session.run.id)] == ["R"]
            await session.expand(root)
            budgets = budgets_of((80, 60, 45), (), ())
            found = await fit_node(session.jobs, "R", budgets)
            assert anew.scored_anew and not found.scored_anew
            view = fitted_view(found)
            mixed = next(fit for fit in view.fits if fit.blocks and fit.units)
            steering = Steering(session)
            edit = RemoveTogether(mixed.blocks, mixed.units)
            steering.branch(root, BranchRequest(CandidateRequest(edit, view.criterion)))
            await steering.idle()
            node = session.node("R.U")
            proposal = read_proposal(session.store.proposals(root.id)[-1])
            return anew, found, view, mixed, node, root.metrics, proposal, session.store.path
        finally:
            await session.close()

    anew, found, view, mixed, node, root, proposal, path = asyncio.run(work())
    # Scored anew, as the proposal scored it: the same sum for the same budget.
    assert anew.fitted.criterion == found.fitted.criterion == "kl"
    for fit in view.fits:
        assert fit.possible and fit.macs <= fit.budget_macs / 100 * root["macs"]
    importance = [fit.importance for fit in view.fits]
    assert importance == sorted(importance)
    assert (node.metrics["macs"], node.metrics["params"]) == (mixed.macs, mixed.params)
    assert node.kept and "tuned" in node.phases
    edit = edit_of(node)
    assert edit == Edit("unit", mixed.blocks, tuple(sorted(mixed.units.items())))
    assert proposal.request == RemoveTogether(mixed.blocks, mixed.units)
    assert removed(edit).startswith(mixed.blocks[0]) and "of" in removed(edit)
    assert all(len(words) < 30 for words in removed_briefly(edit))
    assert not [f for f in verify(path).findings]


def test_budgets_are_paired_and_checked():
    assert budgets_of((70, 50), (60,), ()) == (Budget(70, 60), Budget(50, 60))
    assert budgets_of((), (), (80,)) == (Budget(latency=80),)
    with pytest.raises(UsageError, match="--params has 2 budgets and another one 3"):
        budgets_of((70, 60, 50), (1, 2), ())
    with pytest.raises(UsageError, match="--macs is 0; give percent"):
        budgets_of((0,), (), ())


def test_a_plan_is_told_in_words():
    from explorer.views.fitted import BudgetFitted, StageLoses

    stages = (StageLoses("layer1", ("layer1.1",), 3), StageLoses("", (), 1))
    fit = BudgetFitted(70, 60.5, None, True, 0.1, 0.1, 7, 6, 7, 6, 70, 60, None, stages,
                       ("layer1.1",), {}, 0.1)  # fmt: skip
    assert budget_words(fit) == "70 % MACs, 60.5 % parameters"
    assert [stage_words(stage, "filter") for stage in stages] == [
        "layer1: 1 block (layer1.1), 3 filters", "outside of blocks: 1 filter",
    ]  # fmt: skip
