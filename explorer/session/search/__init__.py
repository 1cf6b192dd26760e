"""In which order a tree is grown: every search by its name.

All of them work on the same tree: what the store holds already is not done again, whoever grew it,
and what a person decided stays decided.
"""

from __future__ import annotations

from collections.abc import Mapping

from explorer.session.budget import Budget
from explorer.session.outcome import Outcome
from explorer.session.search.base import Search
from explorer.session.search.beam import Beam
from explorer.session.search.best_first import BestFirst
from explorer.session.search.greedy import Greedy
from explorer.session.search.lookahead import Lookahead
from explorer.session.session import Session

__all__ = ["SEARCHES", "Search", "grow_tree"]

SEARCHES: Mapping[str, Search] = {
    "greedy": Greedy(),
    "beam": Beam(),
    "best-first": BestFirst(),
    "lookahead": Lookahead(),
}


async def grow_tree(session: Session, budget: Budget | None = None) -> Outcome:
    """Grows a run's tree by its search, until a reason to stop.

    What the store holds already is not done again, so this is also how a run is resumed. Raises
    CandidatesFailedError, what jobs raise.
    """
    return await SEARCHES[session.settings.search.strategy].grow(session, budget or Budget())
