"""Pictures of the planner's sheet. Accept with PE_UPDATE_SNAPSHOTS=1 after a look."""

from __future__ import annotations

import pytest
from driver import explore
from planned import DOUBT, PlannedExecutor
from test_app_snapshots import Album

from explorer.tui.screens.plan_screen import PlanScreen, RunSheetScreen


def pictures(folder, play, **options) -> None:
    """Takes the pictures that `play(seat, take)` asks for, the plan of a new run in front."""
    album = Album()

    async def begin(seat):
        await seat.dialog(PlanScreen)
        await play(seat, lambda name: album.take(seat, name))

    explore(folder, begin, make_worker=PlannedExecutor, plans=True, **options)
    album.check()


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 55)])
def test_the_plan_before_a_run(tmp_path, size):
    async def play(seat, take):
        await seat.sees("whole tree")
        await take(f"plan-{size[0]}")
        await seat.press("p", "p", *["down"] * 13)
        await seat.sees("serious")
        await seat.until(lambda: not seat.app.screen.sheet.wants_measuring, "the speed")
        await take(f"plan-serious-{size[0]}")

    def doubt(worker):
        worker.doubts = (DOUBT,)

    explore_size = {"size": size}
    pictures(tmp_path, play, script=doubt, **explore_size)


def test_the_settings_of_a_run_that_has_decided(tmp_path):
    async def play(seat, take):
        await seat.sees("whole tree")
        await seat.press("enter")
        await seat.main()
        await seat.idle()
        await seat.press("a")
        await seat.idle()
        await seat.press("P")
        await seat.dialog(RunSheetScreen)
        await take("plan-of-a-run-120")

    pictures(tmp_path, play)
