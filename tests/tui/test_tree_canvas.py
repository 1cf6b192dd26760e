"""The canvas in an app: frames, keys, mouse, what stays where it was."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from plain_app import PlainApp
from trees import chain, node, small_tree

from explorer.tui.widgets.tree_canvas import TreeCanvas
from explorer.views.tree.model import TreeModel

DOTS = """
    ●
┌───┺━━━┓
○       ●
⋮2    ┏━┹─┬───┐
      ●⚑  ○   ◌
    ┌─┴─┐
    ◌   ◐
"""
CHIPS = """
                  ●R 93.2%
┌─────────────────┺━━━━━━━━━━━━━━━━━┓
○F .9565 92.5%                      ●L .9737 92.8%
⋮2                         ┏━━━━━━━━┹────────┬─────────────────┐
                           ●⚑F .9931 93.4%   ○L .9596 92.5%    ◌L2 queued
                  ┌────────┴────────┐
                  ◌F 1.000 100.0%   ◐L ━━━───  50%
"""
CARDS = """
                          ● R
                          ┃ CKA  –           kept
                          ┃ acc  93.2%
                          ┃ MACs 0.0%   █████████
┌─────────────────────────┺━━━━━━━━━━━━━━━━━━━━━━━━━┓
○ R.F                                               ● R.L
│ CKA  .9565   rejected                             ┃ CKA  .9737       kept
│ acc  92.5%         █▁                             ┃ acc  92.8%         █▁
│ MACs −6.6%  ████████░                             ┃ MACs −7.1%  ████████░
⋮2                                     ┏━━━━━━━━━━━━┹────────────┬─────────────────────────┐
                                       ● R.L.F ⚑                 ○ R.L.L                   ◌ R.L.L2
                                       │ CKA  .9931       kept     CKA  .9596   rejected     CKA  –         queued
                                       │ acc  93.4%        ▆▁█     acc  92.5%        █▄▁     acc  –
                                       │ MACs −15.0% ████████░     MACs −15.2% ████████░     MACs –
                          ┌────────────┴────────────┐
                          ◌ R.L.F.F                 ◐ R.L.F.L
                            CKA  1.000  undecided     ━━━━━━━━────────  50%
                            acc  100.0%      ▁▁▂█     acc  –
                            MACs −21.5% ███████░░     MACs –
"""  # noqa: E501


class CanvasApp(PlainApp):
    """One canvas, and what it said."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.said = []

    def compose(self):
        yield TreeCanvas(self.model)

    def on_tree_canvas_selected(self, message):
        self.said.append(message.name)

    def on_tree_canvas_activated(self, message):
        self.said.append(f"open {message.name}")


def drive(play, nodes=None, size=(120, 36)):
    """Runs `play(pilot, canvas)` in an app of its own."""

    async def run():
        app = CanvasApp(TreeModel(small_tree() if nodes is None else nodes))
        async with app.run_test(size=size) as pilot:
            canvas = app.query_one(TreeCanvas)
            canvas.focus()
            await pilot.pause()
            await play(pilot, canvas)

    asyncio.run(run())


def frame(canvas):
    """What is on the screen, as text."""
    lines = [canvas.render_line(y).text.rstrip() for y in range(canvas.size.height)]
    return "\n".join(lines).rstrip() + "\n"


def styles(canvas, y, column):
    """The style of one cell."""
    return next(iter(canvas.render_line(y).crop(column, column + 1))).style


@pytest.mark.parametrize(("zoom", "expected"), [(0, DOTS), (1, CHIPS), (2, CARDS)])
def test_frames_at_each_zoom(zoom, expected):
    async def play(pilot, canvas):
        canvas.zoom = zoom
        await pilot.pause()
        assert "\n" + frame(canvas) == expected

    drive(play)


def test_keys_follow_the_edges_and_lead_back():
    async def play(pilot, canvas):
        assert canvas.selected == "R.L.F", "the tip of the kept path"
        steps = [
            ("down", "R.L.F.F"), ("l", "R.L.F.L"), ("right", "R.L.F.L"), ("up", "R.L.F"),
            ("j", "R.L.F.L"), ("h", "R.L.F.F"), ("k", "R.L.F"), ("right", "R.L.L"),
            ("right", "R.L.L2"), ("up", "R.L"), ("home", "R"), ("up", "R"), ("left", "R"),
            ("down", "R.L"), ("left", "R.F"), ("down", "R.F"), ("end", "R.L.F"),
        ]  # fmt: skip
        for key, name in steps:
            await pilot.press(key)
            assert canvas.selected == name, key
        await pilot.press("enter")
        await pilot.pause()
        assert canvas.app.said[0] == "R.L.F.F" and canvas.app.said[-1] == "open R.L.F"
        assert len(canvas.app.said) == 14, "a step that goes nowhere says nothing"

    drive(play)


def test_folding_by_key_and_by_double_click():
    async def play(pilot, canvas):
        await pilot.press("home", "down", "z")
        assert "⋮5" in frame(canvas) and "R.L.F" not in canvas.app.said[-1]
        await pilot.press("z")
        assert "\n" + frame(canvas) == CHIPS
        await pilot.click(TreeCanvas, offset=(0, 2))
        assert canvas.selected == "R.F"
        await pilot.click(TreeCanvas, offset=(0, 2), times=2)
        assert "✗L failed" in frame(canvas) and "○F .9100" in frame(canvas)
        await pilot.click(TreeCanvas, offset=(100, 30))
        assert canvas.selected == "R.F", "a click beside the tree changes nothing"

    drive(play)


def test_selecting_a_hidden_node_unfolds_its_way():
    async def play(pilot, canvas):
        canvas.select("R.F.L")
        assert "✗L failed" in frame(canvas) and canvas.selected == "R.F.L"
        with pytest.raises(KeyError):
            canvas.select("R.X")

    drive(play)


def test_an_update_keeps_the_selection_where_it_is_on_the_screen():
    async def play(pilot, canvas):
        nodes = canvas.model
        canvas.select("R.L.F.L")
        await pilot.pause()
        before = canvas._region(nodes.number("R.L.F.L")).offset - canvas.scroll_offset
        canvas.update_nodes(
            [
                node("R.F.F.F", state="running", running_share=0.1),  # unfolds to the left
                replace(nodes.nodes[nodes.number("R.L.F.L")], running_share=0.9),
            ]
        )
        await pilot.pause()
        after = canvas._region(nodes.number("R.L.F.L")).offset - canvas.scroll_offset
        assert canvas.selected == "R.L.F.L" and "90%" in frame(canvas)
        assert after == before and canvas.scroll_offset.x > 0

    drive(play, size=(60, 12))


def test_a_decision_never_hides_the_selected_node():
    async def play(pilot, canvas):
        canvas.select("R.L.F.F")
        for name in ("R.L.F.F", "R.L.F.L", "R.L.F", "R.L"):
            old = canvas.model.nodes[canvas.model.number(name)]
            canvas.update_nodes([replace(old, kept=False, state="ready")])
        assert canvas.selected == "R.L.F.F" and "○F 1.000" in frame(canvas)

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
        match, other = styles(canvas, 2, 0), styles(canvas, 0, 18)
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
        assert styles(canvas, 0, 18).bold

    drive(play)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_zooming_and_panning_keep_the_selected_node_in_view(size):
    async def play(pilot, canvas):
        await pilot.press("end")
        for key in ("plus", "plus", "minus", "minus", "minus", "equals_sign", "plus"):
            await pilot.press(key)
            await pilot.pause()
            view = canvas._region(canvas._cursor).translate(-canvas.scroll_offset)
            assert canvas.size.region.contains_region(view), key
        assert canvas.zoom == 2
        here = canvas.scroll_offset
        await pilot.press("shift+up", "shift+up", "shift+left")
        assert canvas.scroll_offset.y == max(here.y - 4, 0)
        selected = canvas.selected
        await pilot.press("shift+down", "shift+right")
        assert canvas.selected == selected

    drive(play, nodes=chain(101), size=size)


def test_resizing_keeps_the_selected_node_in_view():
    async def play(pilot, canvas):
        await pilot.press("end")
        for size in ((40, 10), (120, 36), (20, 4), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            view = canvas._region(canvas._cursor).translate(-canvas.scroll_offset)
            assert canvas.size.region.overlaps(view)

    drive(play, nodes=chain(101))


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


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "ansi-dark", "ansi-light"])
def test_without_colours_states_are_told_by_shape_and_weight(theme, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    async def play(pilot, canvas):
        canvas.app.theme = theme
        canvas.select("R.L.F.F")
        await pilot.pause()
        assert canvas.app.no_color
        assert "\n" + frame(canvas) == CHIPS
        assert styles(canvas, 0, 18).bold and not styles(canvas, 2, 0).bold
        assert styles(canvas, 6, 18).reverse and not styles(canvas, 6, 36).reverse

    drive(play)


def test_every_key_can_be_bound_anew():
    bindings = list(TreeCanvas.BINDINGS)
    assert len({binding.id for binding in bindings}) == len(bindings)

    async def play(pilot, canvas):
        canvas.app.set_keymap({"tree.fold": "f"})
        await pilot.press("home", "f")
        assert frame(canvas) == "●R 93.2%\n⋮9\n"

    drive(play)


def test_hostile_names_are_drawn_harmless():
    nodes = [node("R", kept=True, acc=1.0), node("R.L[/foo]\x1b[31m\u202e層", kept=True)]

    async def play(pilot, canvas):
        for zoom in (0, 1, 2):
            canvas.zoom = zoom
            await pilot.pause()
            shown = frame(canvas)
            assert "\x1b" not in shown and "\u202e" not in shown
        assert "[/foo]" in shown or "…" in shown
        assert canvas.app.export_screenshot()

    drive(play, nodes=nodes)
