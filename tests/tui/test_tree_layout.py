"""The layout and the drawing of any tree: nothing overlaps, nothing is drawn twice."""

from __future__ import annotations

import itertools
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from trees import chain

from explorer.tui.drawing import tree as drawing
from explorer.tui.widgets.tree_canvas import TreeCanvas
from explorer.views.standing import GLYPHS
from explorer.views.tree.layout import APART, TreeLayout
from explorer.views.tree.model import TreeModel
from explorer.views.tree.node import TreeNode
from explorer.views.tree.overview import Overview
from explorer.views.tree.scene import STEPS, Box, Fitting


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
@given(models(), st.booleans())
def test_no_two_nodes_or_connectors_overlap_and_sides_hold(model, with_stubs):
    layout = TreeLayout(model, with_stubs)
    visible = [number for number in range(len(model)) if is_visible(model, number)]
    small = [number for number in visible if layout.is_stub(number)]
    assert bool(small) <= with_stubs
    assert sorted([*(i for row in layout.rows for i in row), *small]) == visible
    placed = [number for number in visible if number not in small]
    assert min(layout.columns[number] for number in placed) == 0
    assert max(layout.columns[number] for number in placed) < layout.num_columns
    for row in layout.rows:
        for one, next_ in itertools.pairwise(row):
            assert layout.columns[next_] - layout.columns[one] >= APART
        spans = [layout.span(number) for number in row if model.children[number]]
        for one, next_ in itertools.pairwise(spans):
            assert one[1] < next_[0]
    for number in visible[1:]:
        parent, side = model.parents[number], model.sides[number]
        assert layout.depths[number] == layout.depths[parent] + 1
        if number in small:
            assert model.nodes[number].kept is False and layout.stub_at(parent, side or 1) == number
            (sibling,) = (i for i in model.children[parent] if i not in small)
            assert model.nodes[sibling].kept
            assert layout.columns[sibling] == layout.columns[parent], "the path goes straight"
        elif side and parent not in layout.stubs:
            assert (layout.columns[number] - layout.columns[parent]) * side > 0


SPACES = [(20, 4), (40, 6), (78, 8), (66, 28), (108, 42), (160, 60)]


@settings(max_examples=120, deadline=None)
@given(models(), st.sampled_from(SPACES), st.sampled_from((None, 0, 1, 2, 3)))
def test_what_can_fit_is_drawn_within_the_space_and_apart(model, space, step):
    scene = Fitting(model).scene(space, step)
    assert step is None or scene.number == step
    visible = [number for number in range(len(model)) if is_visible(model, number)]
    boxes = {number: scene.box(number) for number in visible}
    whole = Box(scene.left, scene.top, scene.width, scene.height)
    for number, box in boxes.items():
        assert whole.x <= box.x and whole.y <= box.y
        assert box.right <= whole.right and box.bottom <= whole.bottom, number
        assert scene.at(box.x, box.y) == scene.at(box.right - 1, box.bottom - 1) == number
    rows = sorted(boxes.values(), key=lambda box: (box.y, box.x))
    for one, next_ in itertools.pairwise(rows):
        assert not one.meets(next_)
    if scene.fits:
        assert whole.right <= space[0] and whole.bottom <= space[1]
    elif step is None:
        assert not any(Fitting(model).scene(space, each).fits for each in range(len(STEPS)))
    for view in (Box(0, 0, *space), Box(scene.width // 2, scene.height // 2, 20, 5)):
        assert set(scene.in_box(view)) == {i for i, box in boxes.items() if box.meets(view)}


@settings(max_examples=60, deadline=None)
@given(models(), st.sampled_from(SPACES), st.sampled_from((0, 1, 2, 3)))
def test_the_lines_of_the_virtual_canvas_hold_every_visible_node_once(model, space, zoom):
    canvas = DetachedCanvas(model, zoom, space)
    scene = canvas._scene
    width = scene.left + scene.width
    glyphs = set(GLYPHS.values())
    count = 0
    for y in range(scene.top + scene.height):
        line = canvas.strip_at(y, 0, width)
        assert line.cell_length == cell_len(line.text) == width
        count += sum(character in glyphs for character in line.text)
        pieces = [canvas.strip_at(y, left, 7).text for left in range(0, width, 7)]
        assert "".join(pieces)[:width] == line.text
    signed = sum(  # a stub of one cell shows the sign that it has
        scene.layout.is_stub(i) and scene.stub_left < 3 and model.nodes[i].tagged
        for i in range(len(model))
        if is_visible(model, i)
    )
    assert count + signed == sum(is_visible(model, number) for number in range(len(model)))


@settings(max_examples=60, deadline=None)
@given(models(), st.sampled_from(SPACES))
def test_stubs_hang_on_their_parents_line_or_touch_their_siblings(model, space):
    canvas = DetachedCanvas(model, 1, space)
    scene = canvas._scene
    for parent, stubs in scene.layout.stubs.items():
        for stub in stubs:
            if not is_visible(model, stub):
                continue
            box = scene.box(stub)
            line = canvas.strip_at(box.y, 0, scene.left + scene.width + 1).text
            if scene.way == "dense":
                sibling = next(i for i in model.children[parent] if i not in stubs)
                assert scene.box(sibling).y == box.y
                assert "─" in (line[box.right - 1], line[box.x])
            else:
                rail = scene.cell(parent)
                assert line[rail] in "┠┨╂"
                assert line[rail + (1 if box.x > rail else -1)] == "─"


class DetachedCanvas(TreeCanvas):
    """A canvas outside any app: no theme, and the selection out of the way."""

    def __init__(self, model, zoom, space=(80, 24)):
        super().__init__(model)
        self._scene = Fitting(model).scene(space, zoom)
        self._cursor = -1

    def _style(self, tone):
        return None


def test_any_line_of_a_deep_and_of_a_wide_tree_is_made_alone():
    model = TreeModel(chain(10_000))
    canvas = DetachedCanvas(model, 1)
    assert len(canvas._scene.layout.rows) > 4_000
    line = canvas._scene.tops[4_000]
    assert canvas.strip_at(line, 0, 4_000).text.count("●") == 1
    wide = [TreeNode("n0", None, "root", "ready", True, None, None, None)]
    wide += [
        TreeNode(f"n{i}", "n0", "layer", "ready", True, 1.0, 9.0, 1.0) for i in range(1, 5_000)
    ]
    canvas = DetachedCanvas(TreeModel(wide), 1)
    above = canvas._scene.box(1).y - 1
    assert canvas.strip_at(above, 12 * 2_000, 80).text.count("┳") in (6, 7)


def test_the_overview_holds_every_generation_the_path_and_what_is_seen():
    model = TreeModel(chain(301))
    scene = Fitting(model).scene((60, 20))
    overview = Overview(scene, 2, 20)
    lines = [overview.line(y) for y in range(20)]
    assert all(line.strip("\u2800") for line in lines)
    tip = model.kept_path()[-1]
    assert {overview.cell_of(0).y, overview.cell_of(tip).y} == {0, 19}
    assert overview.path <= {(x, y) for x in range(2) for y in range(20)}
    seen = overview.box_of(Box(0, 0, 60, 20))
    assert seen.y == 0 and 1 <= seen.height <= 4
    assert overview.place_of(overview.cell_of(tip)).y > scene.height * 0.9
    last = overview.box_of(Box(0, scene.height - 20, 60, 20))
    assert last.bottom == 20


def test_deep_trees_are_set_out_and_looked_over_quickly():
    """Not a benchmark: it only fails where something grows with the square of the nodes."""
    model = TreeModel(chain(10_000))
    started = time.process_time()
    scene = Fitting(model).scene((66, 28))
    Overview(scene, 2, 28)
    assert time.process_time() - started < 2.0


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
    for zoom in (1, 2, 3):
        canvas = DetachedCanvas(model, zoom)
        for y in range(canvas._scene.top + canvas._scene.height):
            for left in range(0, 12):
                strip = canvas.strip_at(y, left, 40)
                assert cell_len(strip.text) == 40
                assert not any(unicodedata.category(c) in ("Cc", "Cf") for c in strip.text)
