"""Curves in braille."""

from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_app import PlainApp
from rich.cells import cell_len

from explorer.tui.drawing.plot import (
    braille_lines,
)
from explorer.tui.widgets.curves import LiveCurves
from explorer.views.ticks import nice_ticks, number_text


def text_of(series, width=40, height=10, **more):
    return [
        line.plain
        for line in braille_lines(series, width, height, x_label="epoch", y_label="loss", **more)
    ]


def is_braille(character):
    return "\u2800" < character <= "\u28ff"


def test_a_straight_line():
    lines = text_of({"a": [(0, 0), (4, 4)]}, 28, 8)
    assert [cell_len(line) for line in lines] == [28] * 8
    first = [next(i for i, c in enumerate(line) if is_braille(c)) for line in lines[1:6]]
    assert first == sorted(first, reverse=True), "it rises to the right"
    assert lines[0].split() == ["loss", "⣀⣀", "a", "4"]
    assert lines[-1].split() == ["0", "epoch", "4"]


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=6),
        st.lists(st.tuples(st.floats(), st.floats()), max_size=12),
        max_size=6,
    ),
    st.integers(0, 60),
    st.integers(0, 14),
)
def test_any_values_fill_the_frame_exactly(series, width, height):
    lines = text_of(series, width, height)
    assert len(lines) == height
    assert {cell_len(line) for line in lines} <= {width}


@pytest.mark.parametrize(
    "values",
    [
        [(1, 1)],
        [(1, 5), (2, 5), (3, 5)],
        [(1, 1e308), (2, -1e308)],
        [(1, 1), (2, math.nan), (3, 1)],
    ],
)
def test_one_point_equal_values_huge_values_and_gaps(values):
    assert any(is_braille(c) for line in text_of({"a": values}) for c in line[8:])


def test_nothing_to_draw_says_so():
    for series in ({}, {"a": []}, {"a": [(math.nan, 1), (1, math.inf)]}):
        assert any("no values yet" in line for line in text_of(series))


def test_series_differ_by_shape_and_by_style():
    points = [(x, 1.0) for x in range(50)]
    drawn = []
    for place in range(3):
        series = {str(i): points if i == place else [] for i in range(3)}
        drawn.append([c for line in text_of(series)[1:8] for c in line[8:] if is_braille(c)])
    assert drawn[0] != drawn[1] != drawn[2] != drawn[0]
    lines = braille_lines({"a": points, "b": points}, 60, 9, x_label="", y_label="")
    assert len({span.style for span in lines[0].spans}) >= 2


def test_values_outside_a_given_range_stay_inside_the_frame():
    lines = text_of({"acc": [(0, -50), (1, 150)]}, y_range=(0, 100))
    assert lines[1].lstrip().startswith("100") and "0┤" in lines[-3]


def test_numbers_take_at_most_seven_cells():
    for value in (0, -1, 0.123456, 1e-9, -1e-9, 99_999, 123_456.7, -1e300, 1e22, 93.25, -0.00012):
        assert len(number_text(value)) <= 7


def test_round_ticks():
    assert nice_ticks(0, 70, 4) == [0, 20, 40, 60]
    assert nice_ticks(90.8, 93.4, 3) == [91, 92, 93]
    assert nice_ticks(-0.3, 0.2, 5) == [-0.3, -0.2, -0.1, 0, 0.1, 0.2]


def test_the_curves_draw_and_follow_their_data():
    class Plots(PlainApp):
        def compose(self):
            yield LiveCurves()

    async def run():
        app = Plots()
        async with app.run_test(size=(80, 40)) as pilot:
            curves = app.query_one(LiveCurves)
            await pilot.pause()
            curves.set_series({"[/x] loss": [(1, 2.0), (2, 1.0)]}, {"val": [(1, 90.0), (2, 91.0)]})
            await pilot.pause()
            shown = "\n".join(curves.render_line(y).text for y in range(curves.size.height))
            assert "[/x] loss 1" in shown and "val 91" in shown
            assert {curves.render_line(y).cell_length for y in range(curves.size.height)} == {80}

    asyncio.run(run())


@pytest.mark.parametrize("height", range(1, 8))
def test_where_there_is_little_room_names_stay_longer_than_axes(height):
    series = {"R.L": [(1.0, 0.5), (2.0, 0.25)]}
    lines = braille_lines(series, 40, height, x_label="epoch", y_label="loss")
    text = "\n".join(line.plain for line in lines)
    assert len(lines) == height and all(line.cell_len == 40 for line in lines)
    assert ("R.L 0.25" in text) == (height >= 3)
    assert ("epoch" in text) == (height >= 5)
    assert any("⠀" < character <= "⣿" for character in lines[-1 if height < 5 else 1].plain)
