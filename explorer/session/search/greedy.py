"""Algorithm 1 of the paper: prune, compare, keep, tune."""

from __future__ import annotations

from explorer.session.budget import Budget
from explorer.session.outcome import Outcome
from explorer.session.search.base import candidates_of, nothing_left
from explorer.session.session import Session


class Greedy:
    """One kept node a step, by the run's policy."""

    async def grow(self, session: Session, budget: Budget) -> Outcome:
        """From the root along what is kept."""
        parent = session.node("R")
        while (stopped := session.reason_to_stop(parent, budget)) is None:
            measured = (await candidates_of(session, [parent]))[parent.name]
            if not measured:
                return Outcome(parent, nothing_left(session))
            if session.decided(parent) is None:
                await session.confirm(measured)
                margin = session.suggest(parent, measured).margin
                if (left := budget.leaves(margin)) is not None:
                    return Outcome(parent, left)
            kept = session.decide(parent, measured)
            parent = await session.jobs.tune(kept)
        return Outcome(parent, stopped)
