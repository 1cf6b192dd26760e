"""The past, key by key: what a person sees, and what the store holds afterwards."""

from __future__ import annotations

from driver import approved, covers, start

from explorer.tui.widgets.timeline import Timeline


@covers("replay.back", "replay.forward", "replay.first", "replay.last")
def test_the_past_is_walked_through_and_changes_nothing(tmp_path):
    async def play(seat):
        before = seat.kept()
        await seat.press("{")
        await seat.sees("◀ past", " 1/", "07:00:00  opened resnet56-1")
        assert set(seat.state.shown) == {"R"}
        await seat.press("]")
        await seat.sees(" 2/")
        assert set(seat.state.shown) == {"R", "R.L", "R.F"}
        await seat.press("a")
        await seat.told("you are looking at the past")
        await seat.press("[")
        await seat.sees(" 1/")
        await seat.press("}")
        await seat.until(lambda: seat.state.moment is None, "now")
        await seat.pilot.pause()
        assert not seat.app.query_one(Timeline).display and len(seat.state.shown) == 5
        assert seat.kept() == before == {"R.F"}

    start(tmp_path, play, approved)


@covers("replay.play")
def test_playing_runs_to_now_by_itself_and_stops_there(tmp_path):
    async def play(seat):
        await seat.press("p")
        await seat.until(lambda: seat.state.moment is not None, "the past")
        await seat.until(lambda: seat.state.moment is None, "now")
        await seat.until(lambda: not seat.state.playing, "the end of playing")
        assert len(seat.state.shown) == 5
        await seat.press("p")
        await seat.until(lambda: seat.state.moment is not None, "the past again")
        await seat.press("p")
        assert not seat.state.playing

    start(tmp_path, play, approved)
