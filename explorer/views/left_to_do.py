"""What a plan holds that is still to be done, in words."""

from __future__ import annotations

from explorer.session.allowance import words
from explorer.session.plan import Plan
from explorer.views.counting import counted, listed

_MOST_NAMED = 3


def left_in_words(plan: Plan) -> str:
    """`3 decisions from R.L on; 1 asked candidate; growing R.F`."""
    tops = {grant.top for grant in plan.grants}
    growing = [name for name in plan.growing if name not in tops]
    parts = [
        words(plan.grants),
        counted(len(plan.candidates), "asked candidate") if plan.candidates else "",
        counted(len(plan.branches), "asked branch") if plan.branches else "",
        f"growing {_named(growing)}" if growing else "",
    ]
    return "; ".join(part for part in parts if part)


def _named(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return listed([*names[:_MOST_NAMED], f"{more:,} more"]) if more > 0 else listed(names)
