"""Pictures of what is asked before the night. Accept with PE_UPDATE_SNAPSHOTS=1 after a look."""

from __future__ import annotations

import pytest
from driver import explore, start
from test_app_snapshots import Album

from explorer.session.budget import Budget
from explorer.tui.screens.alone_dialog import AloneDialog
from explorer.tui.screens.message_dialogs import QuitDialog


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 36)])
def test_what_is_left_to_the_policy(tmp_path, size):
    album = Album()

    async def play(seat):
        await seat.press("A")
        await seat.dialog(AloneDialog)
        await album.take(seat, f"alone-{size[0]}")

    start(tmp_path, play, size=size)
    album.check()


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 36)])
def test_what_goes_on_without_the_app(tmp_path, size):
    album = Album()

    async def play(seat):
        await seat.until(lambda: "recover R.L" in seat.worker.running, "the job")
        seat.worker.progress("recover R.L", 0.3)
        budget = Budget(decisions=4, target_macs=40, stop_at_close_calls=True)
        seat.state.steering.let_decide(budget, seat.node("R"))
        seat.screen.paint()
        await seat.press("q")
        await seat.dialog(QuitDialog)
        await album.take(seat, f"quit-{size[0]}")

    def script(worker):
        worker.hold("recover")
        worker.queue("recover R.F")

    explore(tmp_path, play, script=script, size=size)
    album.check()
