"""Nodes: drop, mark, compare, tag, note, copy."""

from __future__ import annotations

from collections.abc import Sequence

from explorer.tui import presenter
from explorer.tui.actions.action import Action
from explorer.tui.context import Context
from explorer.views.as_command import commands_for
from explorer.views.counting import counted
from explorer.views.measured_text import figures_text

COPIED = ("similarity", "val_accuracy", "test_accuracy", "macs_reduction")  # measures


async def drop(at: Context) -> None:
    from explorer.tui.screens.dialogs import ConfirmDialog

    if (there := at.steering_at_selected()) is None:
        return
    (steering, node), objects = there, at.state.live.objects
    if objects[node.name].dropped:
        at.run_or_notify(lambda: steering.drop(node, False))
        at.notify(f"{node.name} is back")
        return
    below = sum(name.startswith(node.name + ".") for name in objects)
    also = f" with the {counted(below, 'node')} below it" if below else ""
    text = (
        f"{node.name}{also} is marked as dropped and its work ends. Nothing is deleted: "
        "D on it brings it back; `pe-explore gc` frees its weights for good."
    )
    if await at.ask(ConfirmDialog(f"Drop {node.name}?", text, "Drop")):
        at.run_or_notify(lambda: steering.drop(node))


def mark(at: Context) -> None:
    marked, name = at.state.marked, at.state.selected
    if name in marked:
        marked.remove(name)
    elif name in at.state.shown:
        marked.append(name)
    at.screen.paint_title()
    names = ", ".join(marked) or "none"
    at.notify(f"marked: {names}" + ("; c compares them" if len(marked) > 1 else ""))


def compare(at: Context) -> None:
    from explorer.tui.screens.compare_screen import CompareScreen

    state = at.state
    names = [name for name in state.marked if name in state.shown]
    if len(names) < 2:
        value = state.shown.get(state.selected)
        if value is None or value.parent is None:
            at.notify("mark two nodes with m, then compare them with c", "warning")
            return
        names = [value.parent, *state.live.children(value.parent)]
    shapes = {name: presenter.stages_of(state, name) for name in names}
    nodes = [state.shown[name] for name in names]
    at.app.push_screen(CompareScreen(nodes, shapes, lambda: _see_difference(at, names)))


def _see_difference(at: Context, names: Sequence[str]) -> None:
    """How the network of the second node differs from that of the first one."""
    from explorer.tui.screens.network_screen import NetworkScreen

    screen = at.run_or_notify(lambda: NetworkScreen(at.state, names[1], names[0]))
    if screen is not None:
        at.app.push_screen(screen)


async def tag(at: Context) -> None:
    from explorer.tui.screens.dialogs import TextDialog

    if (there := at.steering_at_selected()) is None:
        return
    (steering, node), live = there, at.state.live
    has = live.objects[node.name].tags
    text = await at.ask(
        TextDialog(f"Tag {node.name}", "A tag; one that it has is taken away", "",
                   suggestions=live.tags())
    )  # fmt: skip
    if text:
        at.run_or_notify(lambda: steering.tag(node, text, text not in has))


async def note(at: Context) -> None:
    from explorer.tui.screens.dialogs import TextDialog

    if (there := at.steering_at_selected()) is None:
        return
    steering, node = there
    old = at.state.live.objects[node.name].note or ""
    text = await at.ask(TextDialog(f"Note on {node.name}", "Note", old))
    if text is not None:
        at.run_or_notify(lambda: steering.note(node, text))


def copy(at: Context) -> None:
    name = at.state.selected
    if (value := at.state.shown.get(name)) is None:
        return
    at.app.copy_to_clipboard(f"{name}  {figures_text(value, COPIED)}".rstrip())
    at.notify(f"copied {name} and its figures")


async def copy_command(at: Context) -> None:
    from explorer.tui.screens.dialogs import CommandsDialog

    state = at.state
    node = state.shown.get(state.selected)
    if node is None or state.session is None:
        return
    moment = None
    if state.moment is not None and state.replay is not None:
        moment = state.replay.moments[state.moment].event_id
    card = presenter.card(state).card
    found = commands_for(at.store_path, node, card, state.marked, moment, at.run_meant)
    text = await at.ask(CommandsDialog(found))
    if text:
        at.app.copy_to_clipboard(text)
        at.notify(f"copied: {text}")


ACTIONS: dict[str, Action] = {
    "node.mark": mark,
    "node.compare": compare,
    "node.tag": tag,
    "node.note": note,
    "node.drop": drop,
    "node.copy": copy,
    "node.command": copy_command,
}
