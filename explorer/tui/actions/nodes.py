"""Nodes: drop, mark, compare, tag, note, copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from textual import work

from explorer.tui.state import AppBase
from explorer.views.stage_widths import stages


class NodeActions(AppBase):
    """What can be said about a node."""

    @work
    async def action_drop(self) -> None:
        from explorer.tui.screens.dialogs import ConfirmDialog

        if (at := self.wheel_at_selected()) is None:
            return
        steering, node = at
        if self.live.objects[node.name].get("dropped"):
            self.attempt(lambda: steering.drop(node, False))
            self.tell(f"{node.name} is back")
            return
        below = sum(name.startswith(node.name + ".") for name in self.live.objects)
        also = f" with the {below} nodes below it" if below else ""
        text = (
            f"{node.name}{also} is marked as dropped and its work ends. Nothing is deleted: "
            "D on it brings it back; `pe-explore gc` frees its weights for good."
        )
        if await self.push_screen_wait(ConfirmDialog(f"Drop {node.name}?", text, "Drop")):
            self.attempt(lambda: steering.drop(node))

    def action_mark(self) -> None:
        if self.selected in self.marked:
            self.marked.remove(self.selected)
        elif self.selected in self.shown:
            self.marked.append(self.selected)
        names = ", ".join(self.marked) or "none"
        self.tell(f"marked: {names}" + ("; c compares them" if len(self.marked) > 1 else ""))

    def action_compare(self) -> None:
        from explorer.tui.screens.compare_screen import CompareScreen

        names = [name for name in self.marked if name in self.shown]
        if len(names) < 2:
            value = self.shown.get(self.selected)
            if value is None or value["parent"] is None:
                self.tell("mark two nodes with m, then compare them with c", "warning")
                return
            names = [value["parent"], *self.live.children(value["parent"])]
        assert self.session is not None
        shapes = {
            name: stages(
                self.session.run.architecture,
                self.session.architecture_of(self.session.node(name))["edits"][self._root_edits :],
            )
            for name in names
        }
        self.push_screen(CompareScreen([self.shown[name] for name in names], shapes))

    @property
    def _root_edits(self) -> int:
        """How many edits the root came with; `stages` counts those itself."""
        assert self.session is not None
        return len(cast(Sequence[Any], self.session.run.architecture.get("edits", ())))

    @work
    async def action_tag(self) -> None:
        from explorer.tui.screens.dialogs import TextDialog

        if (at := self.wheel_at_selected()) is None:
            return
        steering, node = at
        has = self.live.objects[node.name].get("tags") or []
        tag = await self.push_screen_wait(
            TextDialog(f"Tag {node.name}", "A tag; one that it has is taken away", "",
                       suggestions=self.live.tags())
        )  # fmt: skip
        if tag:
            self.attempt(lambda: steering.tag(node, tag, tag not in has))

    @work
    async def action_note(self) -> None:
        from explorer.tui.screens.dialogs import TextDialog

        if (at := self.wheel_at_selected()) is None:
            return
        steering, node = at
        old = self.live.objects[node.name].get("note") or ""
        text = await self.push_screen_wait(TextDialog(f"Note on {node.name}", "Note", old))
        if text is not None:
            self.attempt(lambda: steering.note(node, text))

    def action_copy(self) -> None:
        if (value := self.shown.get(self.selected)) is None:
            return
        figures = [
            f"{title} {value[key]:.{digits}f}"
            for title, key, digits in (
                ("CKA", "similarity", 4), ("val %", "val_accuracy", 2),
                ("test %", "test_accuracy", 2), ("MACs −%", "macs_reduction", 2),
            )
            if value.get(key) is not None
        ]  # fmt: skip
        self.copy_to_clipboard("  ".join([self.selected, *figures]))
        self.tell(f"copied {self.selected} and its figures")
