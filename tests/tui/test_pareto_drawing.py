"""The Pareto plot as text: everything within its lines, names where there is room, the cursor."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from test_pareto_view import RESNET56, view

from explorer.tui.drawing import pareto as drawing
from explorer.tui.drawing import pareto_text as words
from explorer.views.figures.pareto_svg import pareto_svg
from explorer.views.pareto.axes import AXES
from explorer.views.pareto.frontier import frontier
from explorer.views.pareto.view import MARKS, OWN, OWN_KINDS, Choice, ParetoView, Point


def plain(lines):
    return ["".join(text for text, _ in line) for line in lines]


def of(points):
    """A view of one's own points."""
    on = frontier([(p.x, p.y) for p in points], "higher", "higher")
    return ParetoView(Choice(), AXES["macs"], AXES["val"], points, {OWN: on})


_coordinates = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(0, 100),
    st.sampled_from([0.0, 50.0, 93.2]),
)
_points = st.lists(
    st.builds(
        Point, _coordinates, _coordinates, st.sampled_from(OWN_KINDS),
        st.text(min_size=1, max_size=30),
    ),
    min_size=1, max_size=40,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(_points, st.integers(0, 130), st.integers(0, 40))
def test_any_points_fill_the_lines_exactly(points, width, height):
    chart = drawing.draw(of(points), width, height)
    assert [cell_len(line) for line in plain(chart.lines)] == [width] * height


@settings(max_examples=60, deadline=None)
@given(_points, st.integers(24, 100), st.integers(6, 30))
def test_every_point_is_reached_by_arrows_from_every_other(points, width, height):
    chart = drawing.draw(of(points), width, height)
    assert len(chart.places) == len(points)
    ways = {
        number: {
            drawing.step(chart, number, way) for way in ("left", "right", "up", "down")
        }
        for number in range(len(points))
    }  # fmt: skip
    for start in {0, len(points) - 1}:
        seen, waiting = {start}, [start]
        while waiting:
            new = ways[waiting.pop()] - seen
            seen |= new
            waiting += new
        assert seen == set(range(len(points)))


@settings(max_examples=60, deadline=None)
@given(_points, st.integers(24, 100), st.integers(6, 30))
def test_an_arrow_goes_where_it_points(points, width, height):
    chart = drawing.draw(of(points), width, height)
    for number, (column, row) in enumerate(chart.places):
        right = chart.places[drawing.step(chart, number, "right")]
        up = chart.places[drawing.step(chart, number, "up")]
        assert right[0] > column or right == (column, row)
        assert up[1] <= row


def test_names_overlap_neither_points_nor_each_other_and_the_frontier_has_its_own():
    shown = view(fits=RESNET56, choice=Choice(published="all"),
                 test_accuracy={"R": 93.0, "R.L": 92.5, "R.L.F": 93.1})  # fmt: skip
    chart = drawing.draw(shown, 140, 40)
    text = plain(chart.lines)
    for number, (column, row) in enumerate(chart.places):
        upper = chart.at[column, row][-1]
        assert text[row][column] == MARKS[shown.points[upper].kind], number
    joined = "\n".join(text)
    assert "R.L.F" in joined and "CORING" in joined
    assert joined.count("★") == 1 and all(mark in joined for mark in "▲△▵●")


def test_a_published_result_far_below_stands_on_the_lowest_line_and_is_counted():
    shown = view(fits=RESNET56, test_accuracy={"R": 93.0, "R.L": 92.5})
    chart = drawing.draw(shown, 100, 30)
    lowest = min(range(len(shown.points)), key=lambda number: shown.points[number].y)
    assert chart.num_below == 1 and chart.places[lowest][1] == 27
    assert "1 further down" in plain([words.legend(shown, chart.num_below, 100)])[0]
    assert drawing.draw(view(), 100, 30).num_below == 0, "one's own nodes are always in range"


def test_the_mouse_finds_the_nearest_point():
    chart = drawing.draw(of([Point(0, 90, "kept", "R"), Point(50, 92, "best", "R.L")]), 60, 12)
    column, row = chart.places[1]
    assert chart.nearest(column + 1, row) == 1 and chart.nearest(column - 20, row) is None


def test_what_is_told_of_a_point():
    shown = view(fits=RESNET56, test_accuracy={"R": 93.0, "R.L": 92.5})
    number = next(i for i, point in enumerate(shown.points) if point.node == "R.L")
    first, _ = plain(words.about(shown, number))
    assert first == "● R.L · kept · MACs −7.1% · Δ test −0.50 · frontier"
    number = next(i for i, point in enumerate(shown.points) if point.name == "CORING")
    first, second = plain(words.about(shown, number))
    assert "▲ CORING · 20" in first and second.startswith(
        "primary: measured by who proposed it, root 93."
    )
    assert "pvti/CORING" in second


def test_latency_is_told_with_its_interval_and_how_it_came_about():
    ratios = {"R.L": 0.9, "R.L.F": 0.8}
    shown = view(Choice(x="latency"), latency_ratio=ratios,
                 latency_ratio_low={n: v - 0.1 for n, v in ratios.items()},
                 latency_ratio_high={n: v + 0.1 for n, v in ratios.items()})  # fmt: skip
    number = next(i for i, point in enumerate(shown.points) if point.node == "R.L.F")
    _, second = plain(words.about(shown, number))
    assert "0.72× [" in second and "the product of 2 steps" in second


@pytest.mark.parametrize("height", [3, 8, 30])
def test_the_frontier_as_a_table_keeps_its_width(height):
    shown = view(fits=RESNET56, test_accuracy={"R": 93.0, "R.L": 92.5, "R.L.F": 93.1})
    lines = plain(words.frontier_table(shown, 42, height))
    assert len(lines) <= height
    assert {cell_len(line) for line in lines} <= {0, 42}


def test_the_legend_drops_words_before_it_is_cut():
    shown = view(fits=RESNET56, choice=Choice(published="all"), test_accuracy={"R": 93, "R.L": 92})
    (wide,), (narrow,) = (plain([words.legend(shown, 0, width)]) for width in (100, 50))
    assert wide == "● kept 2  ▲ primary 56  △ rerun 29  ▵ quoted 50  r published: all"
    assert narrow == "● 2  ▲ 56  △ 29  ▵ 50  r all"


@settings(max_examples=60, deadline=None)
@given(_points)
def test_any_points_make_a_sound_picture(points):
    drawn = pareto_svg(of(points))
    root = ElementTree.fromstring(drawn)
    assert "nan" not in drawn and "inf" not in drawn.replace("info", "")
    texts = [text for text in root.iter() if text.tag.endswith("text")]
    assert all(0 <= float(text.get("x")) <= 720 for text in texts)


def test_names_in_the_picture_overlap_neither_marks_nor_each_other():
    shown = view(fits=RESNET56, choice=Choice(published="all"),
                 test_accuracy={"R": 93.0, "R.L": 92.5, "R.L.F": 93.1})  # fmt: skip
    root = ElementTree.fromstring(pareto_svg(shown))
    names = [t for t in root.iter() if t.tag.endswith("text") and t.get("font-size") == "9"]
    places = [(float(t.get("x")), float(t.get("y")), len(t.text) * 5.2) for t in names]
    assert len(places) > 15 and "R.L.F" in {t.text for t in names}
    for number, (x, y, wide) in enumerate(places):
        for other_x, other_y, other_wide in places[:number]:
            assert abs(y - other_y) >= 9.9 or x >= other_x + other_wide or other_x >= x + wide


def test_arrows_in_the_heading_point_to_the_better_side():
    def head(x, width=100):
        return plain([words.heading(view(Choice(x=x)), width)])[0]

    assert head("macs") == "Y validation accuracy (%) ↑  against  X MACs removed (%) →"
    assert head("latency").endswith("X latency over the root's (×) ←")
    assert head("depth", 40) == "Y val acc % ↑  X depth"


def test_heading_and_legend_share_a_line_where_lines_are_few():
    shown = view(fits=RESNET56, choice=Choice(published="all"), test_accuracy={"R": 93, "R.L": 92})
    (line,) = plain(words.head(shown, 0, 80, is_low=True))
    assert line == "Y Δ test acc ↑  X MACs removed % →   ● 2  ▲ 56  △ 29  ▵ 50  r all"
    assert len(words.head(shown, 0, 80, is_low=False)) == 2


def test_a_latency_that_a_busy_machine_measured_says_so():
    shown = view(Choice(x="latency"), latency_ratio={"R.L": 1.02}, latency_ratio_low={"R.L": 0.35},
                 latency_ratio_high={"R.L": 3.01})  # fmt: skip
    number = next(i for i, point in enumerate(shown.points) if point.node == "R.L")
    _, second = plain(words.about(shown, number))
    assert second.endswith("in turns with its parent, the root; the machine was busy")
    assert any("latency of 1 node says little" in note for note in shown.notes)
