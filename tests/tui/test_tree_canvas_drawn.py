"""What the canvas draws: frames at each zoom, signs, states without colours, hostile names."""

from __future__ import annotations

import pytest
from canvas import drive, frame, place, styles
from trees import node, small_tree

from explorer.tui.themes import ANSI, DARK, LIGHT, NONE
from explorer.views.node_view import NodeView

DOTS = """
                      ●
              ┏━━━━━━━┹───────┐
              ●               ○
  ┌───────┬───┺━━━┓           ⋮2
  ○       ◌       ●⚑
              ┌───┴───┐
              ◐       ◇
"""
CHIPS = """
                                   ●R 93.2%
                     ┏━━━━━━━━━━━━━┹─────────────┐
                     ●L 92.8%                    ○F 92.5%
┌─────────────┬──────┺━━━━━━┓                    ⋮2
○L 92.5%      ◌L2 queued    ●F⚑ 93.4%
                     ┌──────┴──────┐
                     ◐L ━━━───  50 ◇F 100.0%
"""
CARDS = """
                                                                   ● R
                                                                   ┃ CKA  –            root
                                                                   ┃ acc  93.2%
                                                                   ┃ MACs 0.0%    █████████
                                                                   ┃
                                         ┏━━━━━━━━━━━━━━━━━━━━━━━━━┹─────────────────────────┐
                                         ● R.L                                               ○ R.F
                                         ┃ CKA  .9737        kept                            │ CKA  .9565    rejected
                                         ┃ acc  92.8%          █▁                            │ acc  92.5%          █▁
                                         ┃ MACs −7.1%   ████████░                            │ MACs −6.6%   ████████░
                                         ┃                                                   ⋮2
  ┌─────────────────────────┬────────────┺━━━━━━━━━━━━┓
  ○ R.L.L                   ◌ R.L.L2                  ● R.L.F ⚑
    CKA  .9596    rejected    CKA  –          queued  │ CKA  .9931        kept
    acc  92.5%         █▄▁    acc  –                  │ acc  93.4%         ▆▁█
    MACs −15.2%  ████████░    MACs –                  │ MACs −15.0%  ████████░
                                                      │
                                         ┌────────────┴────────────┐
                                         ◐ R.L.F.L                 ◇ R.L.F.F
                                           ━━━━━━━━────────  50%     CKA  1.000  awaits you
                                           acc  –                    acc  100.0%       ▁▁▂█
                                           MACs –                    MACs −21.5%  ███████░░
"""  # noqa: E501
DENSE = """
                   ●
                   ●○
       ┌───────┬───┺━━━┓
       ○       ◌       ●⚑
                   ┌───┴───┐
                   ◐       ◇
"""
SHEETS = """

                 ┏━ ● R ━━━━━━━━━━━━━━━━ root ━┓
                 ┃ the network as it was given ┃
                 ┃ val acc  93.2%              ┃
                 ┃ test acc 92.9%              ┃
                 ┃ MACs     125.49 M     █████ ┃
                 ┃ params   853.00 k           ┃
                 ┃                             ┃
                 ┗━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┛
                                ┃
                                ┃
                                ┃
                ┏━━━━━━━━━━━━━━━┹───────────────┐
 ┏━ ● R.L ★ ━━━━━━━━━━━━ kept ━┓ ┌─ ○ R.F ✓ ──────── rejected ─┐
 ┃ ▬ without block layer1.3    ┃ │ ▮ without 36 filters of 27… │
 ┃ CKA      .9737        ████░ ┃ │ CKA      .9565        ███░░ │
 ┃ val acc  81.3 → 92.8% −0.4  ┃ │ val acc  92.5%        −0.7  │
 ┃ MACs     −7.1%        █████ ┃ │ MACs     −6.6%        █████ │
 ┃ params   779.00 k           ┃ │ out of memory               │
 ┃ latency  0.93× parent       ┃ │                             │
 ┗━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┛ └─────────────────────────────┘
"""
AT_LENGTH = {
    "R": NodeView("R", None, "root", "ready", True, metrics={
        "val_accuracy": 93.2, "test_accuracy": 92.9, "macs": 125_486_000, "params": 853_000}),
    "R.L": NodeView("R.L", "R", "layer", "ready", True, removes="layer1.3", metrics={
        "val_accuracy_before": 81.3, "params": 779_000, "macs": 116_600_000,
        "latency_ratio": 0.93}),
    "R.F": NodeView("R.F", "R", "filter", "ready", False,
                    removes="36 filters of 27 convolutions", error="out of memory"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("size", "zoom", "expected"),
    [
        ((40, 9), 0, DOTS), ((62, 9), 1, CHIPS), ((120, 24), 2, CARDS),
        ((120, 24), None, CARDS), ((62, 9), None, CHIPS), ((40, 6), None, DENSE),
    ],
)  # fmt: skip
def test_frames_at_each_zoom(size, zoom, expected):
    async def play(pilot, canvas):
        canvas.zoom = zoom
        await pilot.pause()
        assert "\n" + frame(canvas) == expected

    drive(play, size=size)


def test_a_few_nodes_are_sheets_where_there_is_room():
    async def play(pilot, canvas):
        canvas.at_length = AT_LENGTH.get
        canvas.set_signs("R.L", ["R.F"])
        await pilot.pause()
        assert "\n" + frame(canvas) == SHEETS

    drive(play, small_tree()[:3], size=(66, 24))


def test_signs_follow_a_node_at_every_zoom():
    async def play(pilot, canvas):
        canvas.set_signs("R.L.F", ["R.L.F", "R.F"])
        for zoom in range(4):
            canvas.zoom = zoom
            await pilot.pause()
            line = canvas.strip_at(canvas._scene.box(canvas.model.number("R.L.F")).y, 0, 300).text
            assert "★⚑✓" in line, zoom
        canvas.set_signs(None, [])
        assert "★" not in frame(canvas) and "✓" not in frame(canvas)

    drive(play)


@pytest.mark.parametrize("theme", [DARK, LIGHT, ANSI, NONE])
def test_without_colours_states_are_told_by_shape_and_weight(theme, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    async def play(pilot, canvas):
        canvas.app.theme = theme
        canvas.select("R.L.F.F")
        await pilot.pause()
        assert canvas.app.no_color
        assert "\n" + frame(canvas) == CARDS

        def style(name):
            there = place(canvas, name)
            return styles(canvas, there.y, there.x)

        assert style("R").bold and not style("R.F").bold
        assert style("R.L.F.F").reverse and not style("R.L.F.L").reverse

    drive(play, size=(120, 24))


def test_hostile_names_are_drawn_harmless():
    nodes = [node("R", kept=True, acc=1.0), node("R.L[/foo]\x1b[31m\u202e層", kept=True)]

    async def play(pilot, canvas):
        for zoom in (0, 1, 2, 3):
            canvas.zoom = zoom
            await pilot.pause()
            shown = frame(canvas)
            assert "\x1b" not in shown and "\u202e" not in shown
        assert "[/foo]" in shown or "…" in shown
        assert canvas.app.export_screenshot()

    drive(play, nodes=nodes)


def test_the_selected_node_shows_whether_keys_go_to_the_tree():
    async def play(pilot, canvas):
        def style():
            there = place(canvas, canvas.selected)
            return styles(canvas, there.y, there.x)

        focused = style()
        canvas.app.set_focus(None)
        await pilot.pause()
        resting = style()
        assert focused.reverse and resting.bgcolor != styles(canvas, 0, 0).bgcolor
        assert (focused.bgcolor, focused.reverse) != (resting.bgcolor, resting.reverse)

    drive(play)
