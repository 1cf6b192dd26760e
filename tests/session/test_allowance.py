"""How many decisions may be made alone, by branch: none is spent on another branch's account."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from explorer.session.allowance import Allowance, Grant, is_below
from explorer.session.budget import Budget

NAMES = st.lists(st.sampled_from(["L", "F", "L2"]), max_size=4).map(lambda p: ".".join(["R", *p]))


def decisions(top: str, count: int) -> Grant:
    return Grant(top, Budget(decisions=count))


def left(allowance: Allowance) -> int:
    return sum(grant.budget.decisions or 0 for grant in allowance.grants)


@given(st.dictionaries(NAMES, st.integers(1, 3), max_size=4), st.lists(NAMES, max_size=20))
def test_as_many_decisions_are_made_as_were_granted_and_only_below(granted, asked):
    allowance = Allowance()
    for top, count in granted.items():
        allowance.grant(decisions(top, count))
    for node in asked:
        before = left(allowance)
        spent = allowance.spend(node)
        assert left(allowance) == before - (spent is not None)
        if spent is not None:
            assert any(is_below(node, top) for top in granted)
    assert left(allowance) >= 0


def test_the_closest_branch_pays_first():
    allowance = Allowance()
    allowance.grant(decisions("R", 1))
    allowance.grant(decisions("R.L", 1))
    assert allowance.spend("R.L.F") and allowance.spend("R.L.F") and not allowance.spend("R.L.F")
    allowance.grant(decisions("R.L", 1))
    assert not allowance.spend("R.L2"), "a name that only begins alike is another branch"


def test_a_branch_that_ended_leaves_the_others_theirs():
    allowance = Allowance()
    allowance.grant(decisions("R.L", 5))
    allowance.grant(decisions("R.F", 2))
    assert allowance.end("R.L.F") == decisions("R.L", 5)
    assert left(allowance) == 2
    allowance.grant(decisions("R.F", 0))
    assert not allowance.grants


def test_one_without_a_count_stays_and_counts_what_it_made():
    allowance = Allowance()
    allowance.grant(Grant("R", Budget(until=1e9)))
    for _ in range(3):
        allowance.spend("R.L")
    assert allowance.grants == (Grant("R", Budget(until=1e9), made=3),)


def test_one_as_auto_is_there_until_its_last_node_is_tuned():
    allowance = Allowance()
    allowance.grant(Grant("R", Budget(decisions=1), as_auto=True))
    allowance.spend("R")
    assert [grant.budget.decisions for grant in allowance.grants] == [0]
