"""What a candidate would be, told before it is made: what its making gives then."""

from __future__ import annotations

import asyncio

import pytest
from small import OPTIONS, write_data, write_network

from engine.contracts.preview import Previewed
from engine.contracts.requests import CandidateRequest, RemoveBlocks, RemoveUnits
from explorer.executors.in_process import InProcessExecutor
from explorer.session.job_runner import ProposedBy
from explorer.session.open_run import Request, open_session
from explorer.views.preview_text import preview_lines
from explorer.views.proposed_scores import scores_by


@pytest.mark.parametrize("edit", [RemoveBlocks(("layer1.2",)), RemoveUnits(3, "uniform")])
def test_a_preview_is_what_its_making_gives(tmp_path, monkeypatch, edit):
    monkeypatch.chdir(tmp_path)
    write_network(tmp_path)
    write_data(tmp_path)

    async def work():
        request = Request("tiny.pt", overrides={**OPTIONS, "data": "bars.npz"})
        session = await open_session(request, InProcessExecutor, lambda event: None)
        try:
            root = session.node("R")
            await session.expand(root)
            known = scores_by(session.store, root.id, "kl")
            assert known is not None and scores_by(session.store, root.id, "l1") is None
            before = [node.name for node in session.store.nodes(session.run.id)]
            seen = await session.jobs.preview(root, edit, ProposedBy("kl", known))
            assert [node.name for node in session.store.nodes(session.run.id)] == before
            made = await session.propose(root, CandidateRequest(edit))
            (node,) = await session.recover_all(made)
            return seen, node.metrics, root.metrics
        finally:
            await session.close()

    seen, made, root = asyncio.run(work())
    assert (seen.macs, seen.params) == (made["macs"], made["params"])
    assert (seen.parent_macs, seen.parent_params) == (root["macs"], root["params"])
    assert seen.num_bytes < seen.parent_bytes
    assert seen.num_items == 9, "all validation images, there being so few"
    assert seen.accuracy == pytest.approx(made["val_accuracy_before"])
    assert seen.parent_accuracy == pytest.approx(root["val_accuracy"])


def test_it_is_told_in_two_lines():
    seen = Previewed(900, 95, 2_000_000, 1_000, 100, 2_500_000, 256, 81.25, 93.5)
    assert preview_lines(seen) == [
        "−10.0 % MACs · −5.0 % parameters · 2.00 MB (−20.0 %)",
        "val acc 81.2 before recovery, its parent's 93.5 (of 256 images)",
    ]
    assert len(preview_lines(Previewed(9, 9, 9, 10, 10, 10))) == 1
