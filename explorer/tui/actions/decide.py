"""Deciding: approve, override, both, let it decide, pause, cancel, undo."""

from __future__ import annotations

from textual import work

from explorer.tui.state import AppBase
from store import Node


class DecideActions(AppBase):
    """The person's word at a node."""

    def action_approve(self) -> None:
        if (at := self.wheel_at_subject()) is None:
            return
        steering, parent = at
        kept = self.attempt(lambda: steering.approve(parent))
        self._decided([kept] if kept else [])

    @work
    async def action_override(self) -> None:
        from explorer.tui.screens.dialogs import ChooseDialog

        if (at := self.wheel_at_subject()) is None:
            return
        steering, parent = at
        ready = [n for n in steering.store.children(parent.id) if n.state == "ready"]
        if len(ready) <= 2:
            kept = self.attempt(lambda: steering.override(parent))
            self._decided([kept] if kept else [])
            return
        suggestion = steering.suggestion(parent)
        values = [self.live.objects[n.name] for n in ready if n.name in self.live.objects]
        names = await self.push_screen_wait(
            ChooseDialog(values, suggestion.node.name if suggestion else None)
        )
        if names:
            self.attempt(lambda: steering.choose(parent, names))
            self._decided([n for n in ready if n.name in names])

    def action_keep_both(self) -> None:
        if (at := self.wheel_at_subject()) is None:
            return
        steering, parent = at
        self._decided(self.attempt(lambda: steering.keep_both(parent)) or [])

    def _decided(self, kept: list[Node]) -> None:
        self.paint()
        if kept:
            self.tell("kept " + " and ".join(node.name for node in kept))
            self.select(kept[0].name)

    @work
    async def action_auto(self) -> None:
        from explorer.tui.screens.dialogs import NumberDialog

        if (steering := self.wheel()) is None:
            return
        count = await self.push_screen_wait(
            NumberDialog("Let it decide", "Decisions to make without asking", 3, 0, 1000)
        )
        if count is not None:
            self.attempt(lambda: steering.let_decide(count))
            policy = steering.session.settings.search.policy
            self.tell(f"decides {count} by {policy}" if count else "asks again from now on")

    def action_pause(self) -> None:
        if (steering := self.wheel()) is None:
            return
        if steering.paused:
            steering.go_on()
            self.tell("goes on")
        else:
            steering.pause()
            self.tell("paused: the work stands still, nothing is lost")
        self.paint()

    def action_cancel_job(self) -> None:
        if (at := self.wheel_at_selected()) is None:
            return
        steering, node = at
        if steering.cancel(node):
            self.tell(f"{node.name}: cancelled")
        else:
            self.tell(f"{node.name} has no job to cancel; select the node it runs for", "warning")

    def action_undo(self) -> None:
        if (steering := self.wheel()) is None:
            return
        undone = self.attempt(steering.undo)
        if undone is not None:
            self._back_at(undone.parent_id, "undone")

    def action_redo(self) -> None:
        if (steering := self.wheel()) is None:
            return
        redone = self.attempt(steering.redo)
        if redone is not None:
            self._back_at(redone.parent_id, "done again")

    def _back_at(self, parent_id: int, what: str) -> None:
        assert self.steering is not None
        name = self.steering.store.node_by_id(parent_id).name
        self.paint()
        self.tell(f"the decision at {name} is {what}")
        self.select(name)
