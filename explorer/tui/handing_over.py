"""Taking a tree over from a process that works on it in the background, said until it is done."""

from __future__ import annotations

from pathlib import Path

from explorer.session import in_background
from explorer.session.open_run import spool_of
from explorer.tui.context import Context


async def is_handed_over(at: Context, store: Path) -> bool:
    """Whether a process that worked on the store in the background has let go of it for us."""
    spool, seconds = spool_of(store), in_background.HAND_OVER_SECONDS
    if in_background.process_on(store, spool) is None:
        return False
    _say_waiting(
        at,
        f"{store.name} is worked on in the background: it stores what it has and hands the tree "
        f"over (within {seconds:.0f} s, mostly at once); nothing of its work is lost",
    )
    try:
        if await in_background.ask(store, spool, in_background.HAND_OVER, seconds) is not False:
            return True
    finally:
        _say_waiting(at, "")
    at.notify(
        f"what works on it in the background did not answer within {seconds:.0f} s; "
        "pe-explore jobs stop ends it", "warning",
    )  # fmt: skip
    return False


def _say_waiting(at: Context, words: str) -> None:
    """Says where the tree will be what is waited for."""
    at.state.waits_for = words
    at.screen.paint_jobs()
    at.screen.paint_details()
