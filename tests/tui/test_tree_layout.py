"""The layout and the drawing of any tree: nothing overlaps, nothing is drawn twice."""

from __future__ import annotations

import itertools
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from trees import chain

from explorer.tui.drawing import tree as drawing
from explorer.tui.widgets.tree_canvas import TreeCanvas
from explorer.views.tree.layout import APART, TreeLayout
from explorer.views.tree.model import TreeModel
from explorer.views.tree.node import TreeNode


@st.composite
def models(draw):
    """Trees with up to five children a node and some folds."""
    count = draw(st.integers(1, 60))
    nodes = [TreeNode("n0", None, "root", "ready", True, None, 93.0, 0.0)]
    for number in range(1, count):
        parent = nodes[draw(st.integers(max(0, number - 12), number - 1))]
        structure = draw(st.sampled_from(("filter", "layer", "filter", "layer", "head")))
        kept = draw(st.sampled_from((True, False, None)))
        tagged = draw(st.booleans())
        nodes.append(
            TreeNode(f"n{number}", parent.name, structure, "ready", kept, 1.0, 100.0, 5.0, tagged)
        )
    model = TreeModel(nodes)
    for number in draw(st.lists(st.integers(0, count - 1), max_size=4)):
        model.toggle_fold(number)
    return model


def is_visible(model, number):
    """Whether no fold above a node hides it."""
    while (number := model.parents[number]) >= 0:
        if number in model.folded:
            return False
    return True


@settings(max_examples=60, deadline=None)
@given(models())
def test_no_two_nodes_or_connectors_overlap_and_sides_hold(model):
    layout = TreeLayout(model)
    visible = [number for number in range(len(model)) if is_visible(model, number)]
    assert sorted(number for row in layout.rows for number in row) == visible
    assert min(layout.columns[number] for number in visible) == 0
    assert max(layout.columns[number] for number in visible) < layout.num_columns
    for row in layout.rows:
        for one, next_ in itertools.pairwise(row):
            assert layout.columns[next_] - layout.columns[one] >= APART
        spans = [layout.span(number) for number in row if model.children[number]]
        for one, next_ in itertools.pairwise(spans):
            assert one[1] < next_[0]
    for number in visible[1:]:
        parent, side = model.parents[number], model.sides[number]
        assert layout.depths[number] == layout.depths[parent] + 1
        if side:
            assert (layout.columns[number] - layout.columns[parent]) * side > 0


@settings(max_examples=25, deadline=None)
@given(models(), st.sampled_from((0, 1, 2)))
def test_the_lines_of_the_virtual_canvas_hold_every_visible_node_once(model, zoom):
    canvas = DetachedCanvas(model, zoom)
    step = drawing.ZOOMS[zoom]
    width = canvas._layout.num_columns * step.column + step.width
    glyphs = set(drawing.GLYPHS.values())
    count = 0
    for y in range(len(canvas._layout.rows) * step.pitch):
        line = canvas.strip_at(y, 0, width)
        assert line.cell_length == cell_len(line.text) == width
        count += sum(character in glyphs for character in line.text)
        pieces = [canvas.strip_at(y, left, 7).text for left in range(0, width, 7)]
        assert "".join(pieces)[:width] == line.text
    assert count == sum(map(len, canvas._layout.rows))


class DetachedCanvas(TreeCanvas):
    """A canvas outside any app: no theme, and the selection out of the way."""

    def __init__(self, model, zoom):
        super().__init__(model)
        self._drawn = drawing.ZOOMS[zoom]

    def _style(self, tone):
        return None


def test_any_line_of_a_deep_and_of_a_wide_tree_is_made_alone():
    model = TreeModel(chain(10_000))
    canvas = DetachedCanvas(model, 1)
    assert len(canvas._layout.rows) > 5_000
    assert canvas.strip_at(2 * 4_000, 0, 4_000).text.count("●") == 1
    wide = [TreeNode("n0", None, "root", "ready", True, None, None, None)]
    wide += [
        TreeNode(f"n{i}", "n0", "layer", "ready", True, 1.0, 9.0, 1.0) for i in range(1, 5_000)
    ]
    canvas = DetachedCanvas(TreeModel(wide), 1)
    assert canvas.strip_at(1, 18 * 2_000, 80).text.count("┳") in (4, 5)


def test_the_box_characters_are_what_their_names_say():
    weights = ("", "LIGHT", "HEAVY")
    for arms in (
        (a, b, c, d) for a in (0, 1, 2) for b in (0, 1, 2) for c in (0, 1, 2) for d in (0, 1, 2)
    ):
        character = drawing.box(*arms)
        if not any(arms):
            assert character == " "
            continue
        name = unicodedata.name(character)
        assert name.startswith("BOX DRAWINGS")
        for weight in (1, 2):
            assert (weights[weight] in name) == (weight in arms)
        has = {
            0: "UP" in name or "VERTICAL" in name,
            1: "DOWN" in name or "VERTICAL" in name,
            2: "LEFT" in name or "HORIZONTAL" in name,
            3: "RIGHT" in name or "HORIZONTAL" in name,
        }
        assert [has[arm] for arm in range(4)] == [arm > 0 for arm in arms]


@pytest.mark.parametrize(
    ("children", "expected"),
    [
        ([(0, True), (6, False)], "┏━━┹──┐"),
        ([(0, False), (6, True)], "┌──┺━━┓"),
        ([(0, True), (6, True)], "┏━━┻━━┓"),
        ([(0, False), (6, False)], "┌──┴──┐"),
        ([(0, False), (1, True), (6, False)], "┌┲━┹──┐"),
        ([(0, True), (1, False), (6, False)], "┏┯━┹──┐"),
        ([(3, True)], "   ┃"),
        ([(6, True)], "   ┗━━┓"),
    ],
)
def test_a_connector_is_heavy_towards_what_was_kept_and_joined(children, expected):
    line = [" "] * 7
    for cell, text, tone in drawing.connector(3, children, 0, 7):
        line[cell : cell + len(text)] = text
        assert (tone == "path") == any(c in "━┏┓┗┛┃┹┺┻┲┯┳" for c in text)
    assert "".join(line).rstrip() == expected


@pytest.mark.parametrize(
    "name",
    [
        "R.[/foo]",
        "R.\x1b[31mred",
        "R.\u202egnp.F",
        "R.a\nb",
        "R.層層層層層層層層層層",
        "R." * 400 + "L",
    ],
)
def test_hostile_names_stay_within_their_cells(name):
    model = TreeModel([TreeNode("R", None, "root", "ready", True, None, 93.0, 0.0)])
    model.put(TreeNode(name, "R", "layer", "ready", True, 0.5, 50.0, 5.0, tagged=True))
    for zoom in (1, 2):
        canvas = DetachedCanvas(model, zoom)
        for y in range(2 * drawing.ZOOMS[zoom].pitch):
            for left in range(0, 12):
                strip = canvas.strip_at(y, left, 40)
                assert cell_len(strip.text) == 40
                assert not any(unicodedata.category(c) in ("Cc", "Cf") for c in strip.text)
