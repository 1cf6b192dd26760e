"""The tour on the sample: five steps, skippable, shown once."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from driver import Seat, covers, explore, start
from planned import PlannedExecutor

from explorer.tui.actions.view import tour_once
from explorer.tui.keys import KEYS, shown
from explorer.tui.screens.plan_screen import PlanScreen
from explorer.tui.screens.tour_screen import TourScreen
from explorer.views.tour import NUM_STEPS, steps


def test_the_steps_name_keys_that_there_are_a_persons_own_among_them():
    keys = {key.id: shown(key.keys) for key in KEYS}
    told = steps(keys)
    assert len(told) == NUM_STEPS == 5
    assert not any("{" in step.text for step in told), "every key of the text is in the table"
    mine = steps({**keys, "decide.approve": "F5"})
    assert "F5 keeps what is suggested" in mine[1].text


@covers("app.tour")
def test_the_tour_goes_on_and_back_marks_its_pane_and_is_remembered(tmp_path):
    async def play(seat: Seat):
        await seat.press("T")
        await seat.dialog(TourScreen)
        await seat.sees("1 of 5 · The tree")
        await seat.press("enter")
        await seat.sees("2 of 5 · The decision")
        assert seat.screen.query_one("#card").has_class("-toured")
        assert not seat.screen.query_one("#left").has_class("-toured")
        await seat.press("left")
        await seat.sees("1 of 5")
        for _ in range(NUM_STEPS):
            await seat.press("enter")
        await seat.main()
        assert not seat.screen.query(".-toured")

    start(tmp_path, play)
    assert json.loads((tmp_path / "state.json").read_text())["choices"]["tour"] == "shown"


@pytest.mark.parametrize("key", ["escape", "q"])
def test_it_is_left_at_any_step(tmp_path, key):
    async def play(seat: Seat):
        await seat.press("T")
        await seat.dialog(TourScreen)
        await seat.press("enter", key)
        await seat.main()
        assert not seat.screen.query(".-toured")

    start(tmp_path, play)


def test_who_opens_the_sample_for_the_first_time_is_shown_it_and_never_again(tmp_path):
    async def play(seat: Seat):
        await seat.dialog(PlanScreen)
        seat.state.request = replace(seat.state.request, model="sample")
        await seat.press("enter")
        await seat.dialog(TourScreen)
        await seat.press("escape")
        await seat.main()
        await tour_once(seat.app.context)
        assert len(seat.app.screen_stack) == 1

    explore(tmp_path, play, make_worker=PlannedExecutor, plans=True)


def test_nobody_is_shown_it_on_a_network_of_their_own(tmp_path):
    async def play(seat: Seat):
        await seat.dialog(PlanScreen)
        await seat.press("enter")
        await seat.idle()
        assert len(seat.app.screen_stack) == 1

    explore(tmp_path, play, make_worker=PlannedExecutor, plans=True)
