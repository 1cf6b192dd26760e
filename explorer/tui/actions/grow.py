"""Growing: further candidates, branches, growing on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.contracts.preview import Previewed
from engine.contracts.requests import CandidateRequest
from explorer.session.errors import NotNowError
from explorer.session.job_runner import ProposedBy
from explorer.tui.actions.action import Action
from explorer.tui.context import Context
from explorer.tui.state import AppState
from explorer.views.decide_card import edits_of
from explorer.views.dialog_commands import branch_command, candidate_command
from explorer.views.network_structure import fixed_blocks, structure_of_root
from explorer.views.proposed_scores import ProposedScores, newest_scores, scores_by
from store import Node

if TYPE_CHECKING:
    from explorer.tui.screens.dialogs import CandidateDialog


def grow(at: Context) -> None:
    if (there := at.steering_at_selected()) is None:
        return
    steering, node = there
    if steering.is_growing(node):
        at.notify(f"{node.name} is growing already")
        return
    at.run_or_notify(lambda: steering.grow(node))


async def branch(at: Context) -> None:
    from explorer.tui.screens.dialogs import BranchDialog

    if at.state.moment is not None:  # branching from the past is the same as branching now
        at.screen.show_moment(None)
    if (there := at.steering_at_selected()) is None:
        return
    steering, node = there
    taken = [c.structure for c in steering.store.children(node.id) if c.kept]
    unit = _unit_word(at.state)
    dialog = BranchDialog(at.state.live.objects[node.name], taken, unit)
    request = await at.ask(
        dialog.copied_as(
            lambda asked: branch_command(at.store_path, node.name, asked).of_run(at.run_meant)
        )
    )
    if request is not None:
        at.run_or_notify(lambda: steering.branch(node, request))


async def ask_for_candidate(at: Context, block: str | None = None) -> None:
    """Lets the person say what goes instead; `block` is put first."""
    if (there := at.steering_at_subject()) is None:
        return
    steering, parent = there
    proposed = newest_scores(steering.store, parent.id)
    if proposed is None:
        at.notify(f"{parent.name} has no scores yet; g makes its candidates", "warning")
        return
    dialog = _candidate_dialog(at.state, parent, proposed, block)
    request = await at.ask(
        dialog.copied_as(
            lambda asked: candidate_command(at.store_path, parent.name, asked).of_run(at.run_meant)
        )
    )
    if request is not None:
        at.run_or_notify(lambda: steering.candidate(parent, request))


def _candidate_dialog(
    state: AppState, parent: Node, proposed: ProposedScores, block: str | None
) -> CandidateDialog:
    from explorer.tui.screens.dialogs import CandidateDialog

    session, scores = state.open_session, proposed.scores
    ranked = sorted(scores.blocks.items(), key=lambda item: (item[0] != block, item[1]))
    spare = sum(len(values) - 1 for values in scores.units.values())
    edits = edits_of(session.store.children(parent.id)).values()
    usual = [edit.num_units for edit in edits if edit.units]
    scoring = session.settings.scoring
    fixed = fixed_blocks(structure_of_root(session.document))

    async def look(request: CandidateRequest) -> Previewed:
        """What the candidate would be. Raises NotNowError, and what jobs raise."""
        criterion = request.criterion or proposed.criterion or scoring.criterion
        known = proposed.scores
        if request.criterion is not None:
            by_it = scores_by(session.store, parent.id, criterion)
            if by_it is None:
                raise NotNowError(f"known once {parent.name} is ranked by {criterion}")
            known = by_it
        return await session.jobs.preview(parent, request.edit, ProposedBy(criterion, known))

    return CandidateDialog(
        state.live.objects[parent.name],
        [(path, score, path not in fixed) for path, score in ranked],
        max_units=spare,
        usual_count=usual[0] if usual else min(16, spare),
        criterion=proposed.criterion or scoring.criterion,
        allocation=scoring.allocation,
        unit=_unit_word(state),
        items=session.document.data.items,
        look=look,
    )


def _unit_word(state: AppState) -> str:
    """What units of the run's network are called."""
    root = structure_of_root(state.open_session.document)
    return "filter" if root is None else root.unit_word


ACTIONS: dict[str, Action] = {
    "grow.candidate": ask_for_candidate,
    "grow.branch": branch,
    "grow.on": grow,
}
