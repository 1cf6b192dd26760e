"""Whether a root is accepted about which there are doubts, before hours are spent on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from engine.contracts.doubts import Doubt, that_ask
from engine.contracts.errors import UserError

Accept = Callable[[tuple[Doubt, ...]], Awaitable[bool]]


class DoubtfulRootError(UserError):
    """A new root that nobody accepted; nothing of it was stored."""

    code = "doubtful-root"


async def whatever_it_is(_: tuple[Doubt, ...]) -> bool:
    """Accepts every root."""
    return True


async def check_accepted(doubts: tuple[Doubt, ...], accept: Accept) -> None:
    """Asks where a doubt asks. Raises DoubtfulRootError for a no."""
    serious = that_ask(doubts)
    if serious and not await accept(serious):
        why = "; ".join(doubt.words for doubt in serious)
        end = "" if why.endswith((".", "?")) else "."
        raise DoubtfulRootError(
            f"nothing was grown, nor stored: {why}{end} Give other data with --data, another "
            "checkpoint, or --yes to grow it all the same"
        )
