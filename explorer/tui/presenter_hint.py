"""What the line above the footer says: the hint for how the state stands, and where one is."""

from __future__ import annotations

from explorer.tui import presenter
from explorer.tui.keys import shown
from explorer.tui.state import AppState
from explorer.views.decide_card import Card
from explorer.views.hints import Hint, Situation
from explorer.views.hints import hint as hint_at


def hint(state: AppState, card: Card | None, filter_text: str, num_found: int) -> Hint:
    """The hint; `card` is the one that is shown."""
    keys = {key.id: shown(key.keys) for key in state.config.key_table}
    return hint_at(_situation(state, card, filter_text, num_found), keys)


def _situation(
    state: AppState, card: Card | None, filter_text: str, num_found: int
) -> Situation:  # fmt: skip
    steering, node = state.steering, state.briefs.get(state.selected)
    if steering is None or node is None or card is None:  # or not painted yet
        return Situation(is_open=False)
    past = None
    if state.moment is not None and state.replay is not None:
        past = state.moment + 1, len(state.replay.moments)
    awaiting = state.awaiting()
    asks = state.subject in awaiting and card.parent.name == state.subject
    return Situation(
        read_only=presenter.is_read_only(state),
        past=past,
        playing=state.playing,
        filter_text=filter_text,
        num_found=num_found,
        paused=steering.paused,
        alone=bool(steering.alone.grants),
        asks=asks,
        suggested=(card.suggested or "") if asks else "",
        awaiting=awaiting,
        num_jobs=len(state.live.jobs),
        node=node.name,
        state=node.state,
        rejected=node.kept is False,
        has_children=bool(state.live.children(node.name)),
        num_marked=len(state.marked),
    )


def work_in_brief(state: AppState) -> str:
    """`◐ L 38% +1`, for where the jobs have no pane."""
    jobs = presenter.jobs(state).jobs
    running = [job for job in jobs if job.state != "queued"]
    if not running:
        return f"◌ {len(jobs)} wait" if len(jobs) > 1 else "◌ 1 waits" if jobs else ""
    first, more = running[0], len(jobs) - 1
    share = "" if first.share is None else f" {100 * first.share:.0f}%"
    mark = "‖" if first.state == "paused" else "◐"
    return f"{mark} {first.node.rpartition('.')[2]}{share}" + (f" +{more}" if more else "")
