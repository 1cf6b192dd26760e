"""Deciding: approve, override, both, let it decide, pause, cancel, undo."""

from __future__ import annotations

import time
from collections.abc import Sequence

from explorer.session.allowance import Grant, words
from explorer.tui.actions.action import Action
from explorer.tui.context import Context
from explorer.views.counting import listed
from explorer.views.dialog_commands import alone_command, choose_command
from store import Decision, Node


def approve(at: Context) -> None:
    if (there := at.steering_at_subject()) is None:
        return
    steering, parent = there
    kept = at.run_or_notify(lambda: steering.approve(parent))
    _decided(at, [kept] if kept else [])


async def override(at: Context) -> None:
    from explorer.tui.screens.dialogs import ChooseDialog

    if (there := at.steering_at_subject()) is None:
        return
    steering, parent = there
    ready = [n for n in steering.store.children(parent.id) if n.state == "ready"]
    if len(ready) <= 2:
        kept = at.run_or_notify(lambda: steering.override(parent))
        _decided(at, [kept] if kept else [])
        return
    suggestion = steering.suggestion(parent)
    objects = at.state.live.objects
    values = [objects[n.name] for n in ready if n.name in objects]
    dialog = ChooseDialog(values, suggestion.node.name if suggestion else None)
    names = await at.ask(
        dialog.copied_as(
            lambda asked: choose_command(at.store_path, parent.name, asked).of_run(at.run_meant)
        )
    )
    if names:
        at.run_or_notify(lambda: steering.choose(parent, names))
        _decided(at, [n for n in ready if n.name in names])


def keep_both(at: Context) -> None:
    if (there := at.steering_at_subject()) is None:
        return
    steering, parent = there
    _decided(at, at.run_or_notify(lambda: steering.keep_both(parent)) or [])


def _decided(at: Context, kept: Sequence[Node]) -> None:
    at.screen.paint()
    if kept:
        at.notify("kept " + " and ".join(node.name for node in kept))
        at.screen.select(kept[0].name)


def next_decision(at: Context) -> None:
    _go_to_decision(at, 1)


def previous_decision(at: Context) -> None:
    _go_to_decision(at, -1)


def _go_to_decision(at: Context, step: int) -> None:
    """Selects the parent that awaits a word after (or before) the one on the card, round about."""
    awaiting = at.state.awaiting()
    if not awaiting:
        at.notify("no decision awaits you")
        return
    subject = at.state.subject
    if subject in awaiting:
        place = (awaiting.index(subject) + step) % len(awaiting)
    else:
        place = 0 if step > 0 else len(awaiting) - 1
    at.screen.select(awaiting[place])
    if len(awaiting) > 1 or subject in awaiting:
        at.notify(f"{awaiting[place]}: {place + 1} of {len(awaiting)} that await you")


async def let_decide(at: Context) -> None:
    from explorer.tui.screens.alone_dialog import AloneDialog

    if (there := at.steering_at_subject()) is None:
        return
    steering, top = there
    policy = steering.session.settings.search.policy
    already = words(steering.alone.grants)
    dialog = AloneDialog(top.name, policy, now=time.time(), left=already).copied_as(
        lambda asked: alone_command(
            at.store_path, top.name, asked.budget, everywhere=asked.everywhere, until=asked.until
        ).of_run(at.run_meant)
    )
    left = await at.ask(dialog)
    if left is None:
        return
    budget, everywhere = left.budget, left.everywhere
    if budget is None:
        steering.decide_no_more()
        at.notify("asks again from now on")
    else:
        at.run_or_notify(lambda: steering.let_decide(budget, top, everywhere=everywhere))
        at.notify(f"decides by {policy}: {words([Grant('R' if everywhere else top.name, budget)])}")
    at.screen.paint_title()


def pause(at: Context) -> None:
    if (steering := at.steering()) is None:
        return
    if steering.paused:
        steering.go_on()
        at.notify("goes on")
    else:
        at.run_or_notify(steering.pause)
        if steering.paused:
            at.notify("paused: the work stands still, nothing is lost")
    at.screen.paint()


def cancel_job(at: Context) -> None:
    if (there := at.steering_at_selected()) is None:
        return
    steering, node = there
    if steering.cancel(node):
        at.notify(f"{node.name}: cancelled")
    else:
        at.notify(f"{node.name} has no job to cancel; select the node it runs for", "warning")


def undo(at: Context) -> None:
    if (steering := at.steering()) is None:
        return
    undone = at.run_or_notify(steering.undo)
    if undone is not None:
        parent = steering.store.node_by_id(undone.parent_id)
        _back_at(at, parent, f"took back: {_told(at, undone)}")


def redo(at: Context) -> None:
    if (steering := at.steering()) is None:
        return
    redone = at.run_or_notify(steering.redo)
    if redone is not None:
        parent = steering.store.node_by_id(redone.parent_id)
        _back_at(at, parent, f"decided again: {_told(at, redone)}")


def _told(at: Context, decision: Decision) -> str:
    """`R.F.L kept at R.F`."""
    store = at.state.open_session.store
    kept = listed([store.node_by_id(node_id).name for node_id in decision.kept])
    return f"{kept or 'none'} kept at {store.node_by_id(decision.parent_id).name}"


def _back_at(at: Context, parent: Node, told: str) -> None:
    at.screen.paint()
    at.notify(told)
    at.screen.select(parent.name)


ACTIONS: dict[str, Action] = {
    "decide.approve": approve,
    "decide.override": override,
    "decide.both": keep_both,
    "decide.auto": let_decide,
    "decide.next": next_decision,
    "decide.previous": previous_decision,
    "history.undo": undo,
    "history.redo": redo,
    "work.pause": pause,
    "work.cancel": cancel_job,
}
