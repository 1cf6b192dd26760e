"""What the canvas keeps in sight: zoom, scrolling, the way from the root, the minimap."""

from __future__ import annotations

from dataclasses import replace

import pytest
from canvas import drive, frame, place
from textual.geometry import Region
from trees import chain, node, small_tree

from explorer.tui.widgets.tree_canvas import TreeCanvas
from explorer.views.tree.model import TreeModel


def test_an_update_keeps_the_selection_where_it_is_on_the_screen():
    async def play(pilot, canvas):
        canvas.zoom = 2
        canvas.select("R.L.F.F")
        await pilot.pause()
        before = place(canvas, "R.L.F.F")
        running = canvas.model.nodes[canvas.model.number("R.L.F.L")]
        canvas.update_nodes(
            [
                node("R.L.L.L", state="running", running_share=0.1),  # unfolds to the left
                replace(running, running_share=0.9),
            ]
        )
        await pilot.pause()
        assert canvas.selected == "R.L.F.F" and "90%" in frame(canvas)
        assert place(canvas, "R.L.F.F").offset == before.offset and canvas.scroll_offset.x > 0

    drive(play, size=(60, 12))


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_zooming_and_panning_keep_the_selected_node_in_view_and_f_fits_again(size):
    async def play(pilot, canvas):
        fitted = canvas.zoom
        await pilot.press("end")
        for key in ("plus", "plus", "plus", "minus", "minus", "minus", "equals_sign", "plus"):
            await pilot.press(key)
            await pilot.pause()
            view = place(canvas, canvas.selected)
            assert canvas.size.region.contains_region(view), key
        assert canvas.zoom == 2 and not canvas.fits_itself
        await pilot.resize_terminal(200, 60)
        await pilot.pause()
        assert canvas.zoom == 2, "what a person chose stays"
        here = canvas.scroll_offset
        await pilot.press("shift+up", "shift+up", "shift+left")
        assert canvas.scroll_offset.y == max(here.y - 4, 0)
        selected = canvas.selected
        await pilot.press("shift+down", "shift+right")
        assert canvas.selected == selected
        await pilot.press("f")
        assert canvas.zoom == fitted and canvas.fits_itself

    drive(play, nodes=chain(101), size=size)


def test_resizing_keeps_the_selected_node_in_view():
    async def play(pilot, canvas):
        await pilot.press("end")
        for size in ((40, 10), (120, 36), (20, 4), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert canvas.size.region.overlaps(place(canvas, canvas.selected))

    drive(play, nodes=chain(101))


def test_the_space_chooses_the_zoom_until_a_person_does():
    async def play(pilot, canvas):
        seen = []
        for size in ((190, 70), (120, 30), (62, 9), (44, 6), (10, 4)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            seen.append(canvas.zoom)
            if size[0] > 40:
                scene = canvas._scene
                assert scene.fits and canvas.max_scroll_y == canvas.max_scroll_x == 0
        assert seen[:4] == [3, 2, 1, 0]

    drive(play)


def test_the_way_from_the_root_stays_in_sight_and_is_clicked():
    async def play(pilot, canvas):
        await pilot.press("end")
        await pilot.pause()
        deep = canvas.selected
        first = canvas.render_line(0).text
        assert first.startswith("─ R.F³.L².F ─"), first
        await pilot.click(TreeCanvas, offset=(first.index("F³") + 1, 0))
        assert canvas.selected == "R.F.F.F"
        await pilot.click(TreeCanvas, offset=(40, 0))
        assert canvas.selected in ("R.F.F.F", "R.F.F"), "the line beside the names leads nowhere"
        await pilot.press("home")
        assert not canvas.crumbs()
        canvas.select(deep)
        view = place(canvas, deep)
        assert view.y > 0, "the way does not cover the selected node"

    names = ["R", "R.F", "R.F.F", "R.F.F.F", "R.F.F.F.L", "R.F.F.F.L.L", "R.F.F.F.L.L.F"]
    drive(play, nodes=[node(name, kept=True, acc=90.0) for name in names], size=(60, 4))


def test_a_minimap_comes_with_what_does_not_fit_and_leads_there():
    async def play(pilot, canvas):
        await pilot.press("end")
        await pilot.pause()
        assert canvas._map is not None and canvas.scroll_offset.y > 0
        box = canvas._map.box
        await pilot.click(TreeCanvas, offset=(box.x + 1, box.y))
        assert canvas.scroll_offset.y == 0
        assert canvas.selected != "n0", "looking elsewhere selects nothing"
        await pilot.press("M")
        assert canvas._map is None
        await pilot.press("M")
        assert canvas._map is not None
        canvas.show(TreeModel(small_tree()[:3]))
        await pilot.pause()
        assert canvas._map is None, "all of it is in view"

    drive(play, nodes=chain(301))


def test_what_is_looked_at_stays_while_the_tree_grows_in_the_same_zoom():
    async def play(pilot, canvas):
        await pilot.press("end")
        await pilot.pause()
        before = place(canvas, canvas.selected)
        tip = canvas.model.nodes[canvas._cursor]
        canvas.update_nodes([node(f"{tip.name}.L"), node(f"{tip.name}.F")])
        await pilot.pause()
        assert place(canvas, tip.name).y == before.y

    names = ["R" + i * ".F" for i in range(40)]
    drive(play, nodes=[node(name, kept=True, acc=90.0) for name in names], size=(60, 14))


def test_the_minimap_never_covers_the_selected_node():
    async def play(pilot, canvas):
        canvas.zoom = 1
        await pilot.pause()
        covered = 0
        for name in [each.name for each in canvas.model.nodes]:
            canvas.select(name)
            shown = place(canvas, name)
            assert not shown.overlaps(Region(*canvas.map_box()))
            covered += shown.overlaps(Region(*canvas._map.box))
        assert covered, "none was ever in its way"

    rows = [["R"]]
    for _ in range(5):
        rows.append([f"{name}.{letter}" for name in rows[-1] for letter in "LF"])
    drive(play, nodes=[node(n, kept=True, acc=90.0) for row in rows for n in row], size=(90, 12))
