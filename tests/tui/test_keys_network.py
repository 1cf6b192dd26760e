"""Seeing a node's network: what a person sees, which keys lead there and back."""

from __future__ import annotations

import pytest
from driver import approved, covers, explore, start
from test_app_snapshots import both_and_more

from explorer.tui.screens.compare_screen import CompareScreen
from explorer.tui.screens.network_screen import NetworkPane, NetworkScreen


async def opened(seat, name):
    await seat.select(name)
    await seat.press("v")
    return await seat.dialog(NetworkScreen)


@covers("view.network")
def test_v_shows_what_is_left_of_the_selected_nodes_network(tmp_path):
    async def play(seat):
        await opened(seat, "R.F")
        await seat.sees("Network · R.F · what is left?", "27 of 27 blocks", "units gone since R",
                        "14/16 −2", "layer3.8")  # fmt: skip
        await seat.press("escape")
        await seat.main()
        assert seat.state.selected == "R.F"
        screen = await opened(seat, "R.L")
        await seat.sees("26 of 27 blocks", "block gone since R")
        await seat.press("v")
        await seat.main()
        assert screen not in seat.app.screen_stack

    start(tmp_path, play, approved, size=(120, 50))


def test_it_scrolls_and_its_views_follow_each_other(tmp_path):
    async def play(seat):
        screen = await opened(seat, "R.F")
        pane = screen.query_one("#front", NetworkPane)
        assert pane.has_focus and "layer3.8" not in seat.text
        await seat.press("end")
        await seat.sees("layer3.8")
        await seat.press("tab")
        await seat.sees("step by step?", "the first to go", "blocks")
        await seat.press("tab")
        await seat.sees("how does another one differ?", "A R", "B R.F", "other units in 8 groups")
        await seat.press("tab")
        await seat.sees("what is left?")
        for key, words in (("r", "step by step?"), ("d", "what is left?"), ("c", "differ?")):
            await seat.press(key)
            await seat.sees(words)
        await seat.press("y")
        await seat.told("copied as text")

    start(tmp_path, play, approved, size=(100, 30))


def test_c_holds_the_marked_nodes_beside_it_one_after_the_other(tmp_path):
    async def play(seat):
        await seat.select("R.L")
        await seat.press("m")
        await seat.select("R")
        await seat.press("m")
        screen = await opened(seat, "R.F.F")
        await seat.press("c")
        await seat.sees("A R.L", "B R.F.F", "only B has 1 block")
        await seat.press("c")
        await seat.until(lambda: "A R.L" not in seat.text, "the next one")
        assert screen.what == "diff" and "A R" in seat.text
        await seat.press("c")
        await seat.sees("A R.L")

    explore(tmp_path, play, model=both_and_more(tmp_path))


def test_the_root_has_nothing_to_be_held_beside_until_a_node_is_marked(tmp_path):
    async def play(seat):
        screen = await opened(seat, "R")
        await seat.press("c")
        await seat.told("mark another node with m")
        assert screen.what == "diagram"

    start(tmp_path, play)


def test_from_the_comparison_v_shows_how_the_networks_of_the_first_two_differ(tmp_path):
    async def play(seat):
        for name in ("R.F", "R.L"):
            await seat.select(name)
            await seat.press("m")
        await seat.press("c")
        await seat.dialog(CompareScreen)
        await seat.press("v")
        await seat.dialog(NetworkScreen)
        await seat.sees("A R.F", "B R.L", "only A has 1 block")
        await seat.press("escape")
        await seat.dialog(CompareScreen)

    start(tmp_path, play)


@pytest.mark.parametrize("size", [(60, 16), (160, 40), (200, 55)])
def test_rankings_stand_beside_the_diagram_where_there_is_room(tmp_path, size):
    async def play(seat):
        await opened(seat, "R.F")
        await seat.sees("blocks · ")
        assert ("the first to go" in seat.text) is (size[0] >= 150)

    start(tmp_path, play, approved, size=size)


def test_a_run_whose_network_is_not_known_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("explorer.views.network.of_store.structure_of_root", lambda document: None)

    async def play(seat):
        await seat.press("v")
        await seat.told("is not stored")
        await seat.main()

    start(tmp_path, play)
