"""Growing: further candidates, branches, growing on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from textual import work

from explorer.tui.state import AppBase
from explorer.views.stage_widths import shape_changing
from store import Node

if TYPE_CHECKING:
    from explorer.tui.screens.dialogs import CandidateDialog


class GrowActions(AppBase):
    """What is made next."""

    def action_grow(self) -> None:
        if (at := self.wheel_at_selected()) is None:
            return
        steering, node = at
        if steering.is_growing(node):
            self.tell(f"{node.name} is growing already")
            return
        self.attempt(lambda: steering.grow(node))

    @work
    async def action_branch(self) -> None:
        from explorer.tui.screens.dialogs import BranchDialog

        if self.moment is not None:  # branching from the past is the same as branching now
            self.show_moment(None)
        if (at := self.wheel_at_selected()) is None:
            return
        steering, node = at
        taken = [c.structure for c in steering.store.children(node.id) if c.kept]
        wish = await self.push_screen_wait(BranchDialog(self.live.objects[node.name], taken))
        if wish is not None:
            iterations = wish.get("iterations") or 1
            self.attempt(lambda: steering.branch(node, wish["take"], iterations))

    @work
    async def action_candidate(self) -> None:
        await self.ask_for_candidate()

    async def ask_for_candidate(self, block: str | None = None) -> None:
        """Lets the person say what goes instead; `block` is put first."""
        if (at := self.wheel_at_subject()) is None:
            return
        steering, parent = at
        scores = self._scores_of(parent)
        if scores is None:
            self.tell(f"{parent.name} has no scores yet; g makes its candidates", "warning")
            return
        dialog = self._candidate_dialog(parent, scores, block)
        wish = await self.push_screen_wait(dialog)
        if wish is not None:
            self.attempt(lambda: steering.candidate(parent, wish))

    def _scores_of(self, parent: Node) -> dict[str, Any] | None:
        """The newest proposal's scores and edits of a parent."""
        assert self.session is not None
        proposals = self.session.store.proposals(parent.id)
        return cast(dict[str, Any], proposals[-1].content) if proposals else None

    def _candidate_dialog(
        self, parent: Node, content: dict[str, Any], block: str | None
    ) -> CandidateDialog:
        from explorer.tui.screens.dialogs import CandidateDialog

        assert self.session is not None
        scores = content["scores"]
        ranked = sorted(scores["blocks"].items(), key=lambda item: (item[0] != block, item[1]))
        spare = sum(len(values) - 1 for values in scores["filters"].values())
        usual = [
            sum(map(len, cast(dict[str, Any], child.edit)["filters"].values()))
            for child in self.session.store.children(parent.id)
            if child.edit and "filters" in child.edit
        ]
        settings = self.session.settings
        fixed = shape_changing(self.session.run.architecture)
        return CandidateDialog(
            self.live.objects[parent.name],
            [(path, score, path not in fixed) for path, score in ranked],
            max_filters=spare,
            usual_count=usual[0] if usual else min(16, spare),
            criterion=content.get("criterion", settings.criterion),
            allocation=settings.allocation,
        )
