"""How many decisions may be made alone, by branch: none is spent on another branch's account."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from explorer.session.allowance import Allowance, is_below

NAMES = st.lists(st.sampled_from(["L", "F", "L2"]), max_size=4).map(lambda p: ".".join(["R", *p]))


@given(st.dictionaries(NAMES, st.integers(1, 3), max_size=4), st.lists(NAMES, max_size=20))
def test_as_many_decisions_are_made_as_were_granted_and_only_below(granted, asked):
    allowance = Allowance()
    for top, count in granted.items():
        allowance.grant(top, count)
    for node in asked:
        before = allowance.total
        spent = allowance.spend(node)
        assert allowance.total == before - spent
        if spent:
            assert any(is_below(node, top) for top in granted)
    assert allowance.total >= 0


def test_the_closest_branch_pays_first():
    allowance = Allowance()
    allowance.grant("R", 1)
    allowance.grant("R.L", 1)
    assert allowance.spend("R.L.F") and allowance.spend("R.L.F") and not allowance.spend("R.L.F")
    allowance.grant("R.L", 1)
    assert not allowance.spend("R.L2"), "a name that only begins alike is another branch"


def test_a_branch_that_ended_leaves_the_others_theirs():
    allowance = Allowance()
    allowance.grant("R.L", 5)
    allowance.grant("R.F", 2)
    allowance.end("R.L.F")
    assert allowance.total == 2
    allowance.grant("R.F", 0)
    assert allowance.total == 0
