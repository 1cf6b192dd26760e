"""The canvas in an app: keys, mouse, folding, what stays selected."""

from __future__ import annotations

from dataclasses import replace

import pytest
from canvas import drive, frame, place, styles
from trees import chain, small_tree

from explorer.tui.widgets.tree_canvas import TreeCanvas
from explorer.views.tree.model import TreeModel


def test_keys_follow_the_edges_and_lead_back():
    async def play(pilot, canvas):
        assert canvas.selected == "R.L.F", "the tip of the kept path"
        steps = [
            ("down", "R.L.F.L"), ("l", "R.L.F.F"), ("right", "R.L.F.F"), ("up", "R.L.F"),
            ("j", "R.L.F.F"), ("h", "R.L.F.L"), ("k", "R.L.F"), ("left", "R.L.L2"),
            ("left", "R.L.L"), ("up", "R.L"), ("home", "R"), ("up", "R"), ("left", "R"),
            ("down", "R.L"), ("right", "R.F"), ("down", "R.F"), ("end", "R.L.F"),
        ]  # fmt: skip
        for key, name in steps:
            await pilot.press(key)
            assert canvas.selected == name, key
        await pilot.press("enter")
        await pilot.pause()
        assert canvas.app.said[0] == "R.L.F.L" and canvas.app.said[-1] == "open R.L.F"
        assert len(canvas.app.said) == 14, "a step that goes nowhere says nothing"

    drive(play)


@pytest.mark.parametrize("zoom", [0, 1])
def test_small_siblings_are_walked_to_clicked_and_shown_under_the_cursor(zoom):
    async def play(pilot, canvas):
        canvas.zoom = zoom
        await pilot.pause()
        assert canvas._scene.way != "full"
        canvas.select("R.L")
        await pilot.press("right")
        await pilot.pause()
        assert canvas.selected == "R.F"
        there = place(canvas, "R.F")
        line = canvas.render_line(there.y).crop(there.x, there.right)
        assert any(segment.style.reverse and "○" in segment.text for segment in line)
        await pilot.press("left")
        assert canvas.selected == "R.L"
        at = there.x + line.text.index("○")
        await pilot.click(TreeCanvas, offset=(at, there.y))
        assert canvas.selected == "R.F"
        await pilot.press("up")
        assert canvas.selected == "R"

    drive(play, size=(40, 6))


def test_folding_by_key_and_by_double_click():
    async def play(pilot, canvas):
        await pilot.press("home", "down", "z")
        assert "⋮5" in frame(canvas) and "R.L.F" not in canvas.app.said[-1]
        await pilot.press("z")
        assert "⋮5" not in frame(canvas) and "R.L.F" in frame(canvas)
        await pilot.click(TreeCanvas, offset=place(canvas, "R.F").offset)
        assert canvas.selected == "R.F"
        await pilot.click(TreeCanvas, offset=place(canvas, "R.F").offset, times=2)
        assert "✗L failed" in frame(canvas) and "○F .9100" in frame(canvas)
        await pilot.click(TreeCanvas, offset=(119, 35))
        assert canvas.selected == "R.F", "a click beside the tree changes nothing"

    drive(play)


def test_selecting_a_hidden_node_unfolds_its_way():
    async def play(pilot, canvas):
        canvas.select("R.F.L")
        assert "✗L failed" in frame(canvas) and canvas.selected == "R.F.L"
        with pytest.raises(KeyError):
            canvas.select("R.X")

    drive(play)


def test_a_decision_never_hides_the_selected_node():
    async def play(pilot, canvas):
        canvas.select("R.L.F.F")
        for name in ("R.L.F.F", "R.L.F.L", "R.L.F", "R.L"):
            old = canvas.model.nodes[canvas.model.number(name)]
            canvas.update_nodes([replace(old, kept=False, state="ready")])
        assert canvas.selected == "R.L.F.F" and "○ R.L.F.F" in frame(canvas)

    drive(play)


def test_replay_shows_other_trees_and_keeps_the_selection_where_it_can():
    async def play(pilot, canvas):
        canvas.select("R.L")
        canvas.show(TreeModel(small_tree()[:3]))
        assert canvas.selected == "R.L"
        canvas.show(TreeModel(small_tree()[:1]))
        assert canvas.selected == "R"
        canvas.show(TreeModel())
        await pilot.press("up", "down", "z", "plus", "enter", "end", "full_stop")
        assert canvas.selected is None and frame(canvas) == "\n"
        canvas.update_nodes(small_tree())
        await pilot.pause()
        assert canvas.selected == "R" and canvas.app.said[-1] == "R"

    drive(play)


def test_a_filter_highlights_matches_dims_the_rest_and_is_walked():
    async def play(pilot, canvas):
        canvas.set_filter("rejected acc>92")
        await pilot.pause()

        def style(name):
            there = place(canvas, name)
            return styles(canvas, there.y, there.x)

        match, other = style("R.F"), style("R")
        assert match.underline and match.bold and not other.bold
        await pilot.press("full_stop")
        assert canvas.selected == "R.L.L"
        await pilot.press("full_stop")
        assert canvas.selected == "R.F"
        await pilot.press("comma")
        assert canvas.selected == "R.L.L"
        with pytest.raises(ValueError, match="unknown field"):
            canvas.set_filter("accuracy>1")
        canvas.set_filter("")
        assert style("R").bold

    drive(play)


def test_ten_thousand_nodes_open_and_are_walked():
    async def play(pilot, canvas):
        assert canvas.selected == canvas.model.nodes[canvas.model.kept_path()[-1]].name
        assert "●" in frame(canvas)
        await pilot.press("home")
        await pilot.press(*["down"] * 20)
        assert canvas.model.nodes[canvas.model.kept_path()[20]].name == canvas.selected
        assert "n" in frame(canvas)
        canvas.zoom = 0
        await pilot.press("end", "up", "left", "right")
        assert canvas.virtual_size.height > 5_000

    drive(play, nodes=chain(10_000))


def test_every_key_can_be_bound_anew():
    bindings = list(TreeCanvas.BINDINGS)
    assert len({binding.id for binding in bindings}) == len(bindings)

    async def play(pilot, canvas):
        canvas.app.set_keymap({"tree.fold": "v"})
        await pilot.press("home", "v")
        assert "⋮9" in frame(canvas)

    drive(play)
