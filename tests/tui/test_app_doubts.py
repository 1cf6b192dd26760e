"""A root whose figures are doubtful: what is asked, and what stays in sight."""

from __future__ import annotations

from driver import explore

from engine.contracts.doubts import Doubt
from explorer.tui import presenter
from explorer.tui.screens.input_dialogs import DataDialog
from explorer.tui.screens.message_dialogs import DoubtDialog

FAR_BELOW = Doubt("below-claim", "its file says 91.8 % ('best_prec1'), here it has 18.3 %", True)
SEEN = Doubt("trained-on-validation", "it was trained on the validation images: 100.0 %")


def doubting(*doubts: Doubt):
    def script(worker):
        worker.doubts = doubts

    return script


def test_a_doubtful_root_waits_for_a_word_and_its_doubts_stay_in_sight(tmp_path):
    async def play(seat):
        await seat.dialog(DoubtDialog)
        await seat.sees("Grow a tree of resnet56.pt?", "here it has 18.3 %", "Nothing is stored")
        assert not (tmp_path / "resnet56.pex.db").exists()
        await seat.press("g")
        await seat.idle()
        assert seat.ready() == {"R", "R.L", "R.F"}
        await seat.sees("! 2 doubts")
        await seat.select("R")
        assert [d.code for d in presenter.node_details(seat.state).doubts] == [
            "below-claim", "trained-on-validation",
        ]  # fmt: skip

    explore(tmp_path, play, script=doubting(FAR_BELOW, SEEN))

    async def again(seat):  # a run that exists is not asked about
        await seat.idle()
        await seat.sees("! 2 doubts")

    explore(tmp_path, again)


def test_a_doubtful_root_can_be_left_and_nothing_is_stored(tmp_path):
    async def play(seat):
        await seat.dialog(DoubtDialog)
        await seat.press("escape")
        await seat.until(lambda: seat.app._exit, "the end of the app")

    explore(tmp_path, play, script=doubting(FAR_BELOW))
    assert not (tmp_path / "resnet56.pex.db").exists()


def test_a_doubtful_root_can_be_tried_on_other_data(tmp_path):
    async def play(seat):
        await seat.dialog(DoubtDialog)
        seat.worker.doubts = ()
        await seat.press("d")
        await seat.dialog(DataDialog)
        await seat.press("ctrl+u", *"sample", "enter")
        await seat.idle()
        assert seat.worker.jobs["open R"].places.data == "sample"

    explore(tmp_path, play, script=doubting(FAR_BELOW))


def test_doubts_that_do_not_ask_are_told_on_the_root_s_card(tmp_path):
    async def play(seat):
        await seat.sees("no candidates yet", "! it was trained on the validation images")
        seat.worker.release()
        await seat.idle()

    def script(worker):
        worker.doubts = (SEEN,)
        worker.hold("propose")

    explore(tmp_path, play, script=script)
