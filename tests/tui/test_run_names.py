"""Names by runs: unambiguous, read back exactly, and within their cells."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from explorer.views.run_names import by_runs, expanded, fitted_name

parts = st.from_regex(r"[A-Z]{1,3}[1-9]?[0-9]?", fullmatch=True)
names = st.lists(st.tuples(parts, st.integers(1, 12)), max_size=8).map(
    lambda runs: ".".join(["R", *(part for part, count in runs for _ in range(count))])
)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("R", "R"),
        ("R.L", "R.L"),
        ("R.F" + 6 * ".L" + 4 * ".F", "R.F.L⁶.F⁴"),
        ("R.L2.L2.L.L12", "R.L2².L.L12"),
        ("R.L.L2.L", "R.L.L2.L"),
        ("R" + 13 * ".BIAS", "R.BIAS¹³"),
    ],
)
def test_runs_are_counted_and_numbers_of_candidates_stay(name, short):
    assert by_runs(name) == short and expanded(short) == name


@given(names, names)
@example("R.L2", "R.L.L")
@example("R.L.L2", "R.L2.L")
def test_no_two_names_share_a_short_one_and_each_is_read_back(one, other):
    assert expanded(by_runs(one)) == one
    assert (by_runs(one) == by_runs(other)) == (one == other)


@given(st.one_of(names, st.text(max_size=60)), st.integers(0, 40))
def test_a_fitted_name_fits_and_is_whole_where_it_can_be(name, width):
    shown = fitted_name(name, width)
    assert cell_len(shown) <= width
    if name.isascii() and name.isprintable() and len(name) <= width:
        assert shown == name


def test_what_is_left_out_are_whole_runs_at_the_beginning():
    name = "R.F" + 12 * ".L" + 3 * ".F2" + ".L.L"
    assert fitted_name(name, 30) == "R.F.L¹².F2³.L²"
    assert fitted_name(name, 12) == "…L¹².F2³.L²"
    assert fitted_name(name, 9) == "…F2³.L²"
