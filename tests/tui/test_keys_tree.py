"""Walking the tree, key by key: what a person sees, and what the store holds afterwards."""

from __future__ import annotations

from driver import approved, covers, start
from textual.widgets import TabbedContent

from explorer.tui.widgets.tree_canvas import TreeCanvas


@covers("tree.parent", "tree.child", "tree.left", "tree.right", "tree.root", "tree.tip")
def test_arrows_and_letters_walk_the_tree_and_the_card_goes_along(tmp_path):
    async def play(seat):
        for up, down, left, right in (("up", "down", "left", "right"), "kjhl"):
            await seat.press("home")
            await seat.at("R")
            await seat.sees("Δ from R ")
            await seat.press(down)
            await seat.at("R.F")
            await seat.sees("Δ from R.F")
            await seat.press(left)
            await seat.at("R.L")
            await seat.sees("Δ from R ")
            await seat.press(right)
            await seat.at("R.F")
            await seat.press(up)
            await seat.at("R")
        await seat.press("end")
        await seat.at("R.F")

    start(tmp_path, play, approved)


@covers("tree.zoom_in", "tree.zoom_out", "tree.fit", "tree.map", "tree.fold", "tree.pan_left",
        "tree.pan_right", "tree.pan_up", "tree.pan_down")  # fmt: skip
def test_zooming_folding_and_panning_change_the_picture_only(tmp_path):
    async def play(seat):
        canvas = seat.app.query_one(TreeCanvas)
        assert canvas.zoom == 2 and canvas.fits_itself
        await seat.sees("CKA  .9733")
        await seat.press("+")
        await seat.sees("without block layer1.")
        assert canvas.max_scroll_x > 0
        await seat.sees("╭", "━━╮")
        with_map = canvas._map
        await seat.press("M")
        assert with_map is not None and canvas._map is None
        await seat.press("shift+down", "shift+right")
        await seat.press("shift+up", "shift+left")
        await seat.press("-", "-", "-")
        assert canvas.zoom == 0
        await seat.press("f")
        assert canvas.zoom == 2 and canvas.fits_itself
        await seat.press("home", "z")
        await seat.sees("⋮4")
        assert seat.state.selected == "R" and len(seat.nodes()) == 5

    start(tmp_path, play, approved, zoom=None)


@covers("node.mark")
def test_the_tree_shows_what_is_marked_and_the_best_node(tmp_path):
    async def play(seat):
        await seat.select("R.F")
        await seat.press("m")
        await seat.sees("●F★✓ .9733")
        await seat.press("m")
        await seat.until(lambda: "★✓" not in seat.text, "the end of the mark")

    start(tmp_path, play, approved)


@covers("tree.activate")
def test_enter_opens_all_that_is_known_of_the_node(tmp_path):
    async def play(seat):
        await seat.press("enter")
        await seat.until(lambda: seat.app.query_one(TabbedContent).active == "node", "the tab")
        await seat.sees("structure   filter", "kept by user")

    start(tmp_path, play, approved)


def test_a_click_selects_a_node(tmp_path):
    async def play(seat):
        row = next(y for y, line in enumerate(seat.lines) if "◇L .9565" in line)
        column = seat.lines[row].index("◇L .9565")
        await seat.pilot.click(offset=(column + 2, row))
        await seat.at("R.L")

    start(tmp_path, play)
