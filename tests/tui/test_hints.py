"""The line below the tree: what it says, by how things stand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from driver import Seat, approved, start

from explorer.tui.keys import KEYS, shown
from explorer.tui.widgets.hint_line import HintLine
from explorer.views.hints import Situation, hint

DEFAULT = {key.id: shown(key.keys) for key in KEYS}
ASKS = Situation(asks=True, suggested="R.F", awaiting=("R",), has_children=True)

TABLE = [
    (Situation(is_open=False), ""),
    (Situation(), "g makes candidates of R · A lets the policy decide"),
    (ASKS, "a keeps R.F, as suggested · c compares first · v shows the network"),
    (replace(ASKS, suggested=""), "e makes another candidate · c compares first"),
    (Situation(awaiting=("R.L",)), "1 decision awaits you · i goes to R.L"),
    (Situation(awaiting=("R.L", "R.F"), num_jobs=2), "2 decisions await you · i goes to R.L"),
    (Situation(num_jobs=2), "2 jobs · 1 shows the curves · space pauses · q may leave it"),
    (Situation(num_jobs=1, alone=True), "1 job · the policy decides · A says until when"),
    (replace(ASKS, paused=True), "the work stands still · space lets it go on"),
    (Situation(has_children=True), "all is decided · end goes to the end · ctrl+s saves"),
    (Situation(node="R.L", rejected=True), "B grows on from R.L too · c compares it"),
    (Situation(node="R.L", state="failed"), "R.L failed · g tries it again · 3 tells why"),
    (Situation(num_marked=2), "2 nodes marked · c compares them"),
    (replace(ASKS, read_only=True), "for reading · enter tells all of a node · v its network"),
    (replace(ASKS, past=(3, 12)), "moment 3 of 12 · [ ] step · p plays · Esc returns to now"),
    (replace(ASKS, past=(3, 12), playing=True), "moment 3 of 12 · [ ] step · p stops"),
    (replace(ASKS, filter_text="acc>93", num_found=1), "acc>93: 1 matches · . and , go through"),
    (replace(ASKS, filter_text="{app.quit}"), "(app.quit): 0 match"),
]  # fmt: skip


@pytest.mark.parametrize(("at", "words"), TABLE, ids=[words or "nothing" for _, words in TABLE])
def test_a_situation_has_one_hint(at, words):
    told = hint(at, DEFAULT)
    assert told.text.startswith(words) and bool(words) is bool(told.text)


def test_a_hint_has_a_persons_own_keys_marks_them_and_knows_what_a_click_does():
    told = hint(ASKS, {**DEFAULT, "decide.approve": "f2"})
    assert told.pieces[:2] == (("f2", True), (" keeps R.F, as suggested · ", False))
    assert told.key_id == "decide.approve"


@pytest.mark.parametrize("width", [4, 20, 40, 80, 200])
def test_the_line_is_never_wider_than_its_room_and_what_works_stays(width):
    widget = HintLine()
    widget.repaint = lambda: None
    widget.show(hint(ASKS, DEFAULT), "R.F.L.F.L", "◐ L 38% +1")
    (line,) = widget.lines(width, 1)
    text = "".join(piece for piece, _ in line)
    assert len(text) <= width and (width < 20 or text.endswith("◐ L 38% +1"))


def test_the_hint_follows_the_state(tmp_path):
    async def play(seat: Seat):
        await seat.sees("a keeps R.F.F, as suggested")
        await seat.select("R.L")
        await seat.sees("1 decision awaits you · i goes to R.F")
        await seat.press("[")
        await seat.sees("[ ] step · p plays · Esc returns to now")
        await seat.press("escape", "/", *"kept", "enter")
        await seat.sees("kept: 2 match · . and , go through them · Esc shows all")
        await seat.press("escape", " ")
        await seat.sees("the work stands still · space lets it go on")

    start(tmp_path, play, approved)


def test_a_click_on_the_hint_does_what_its_first_key_does(tmp_path):
    async def play(seat: Seat):
        await seat.select("R.L")
        await seat.sees("i goes to R.F")
        await seat.pilot.click("#hint", offset=(4, 0))
        await seat.at("R.F")

    start(tmp_path, play, approved)


def test_a_short_terminal_has_ten_lines_of_tree_and_a_whole_card(tmp_path):
    async def play(seat: Seat):
        assert seat.screen.query_one("#tree").size.height >= 10
        await seat.sees("which to keep? · step 2", "removes", "MACs", "a approve")
        assert not seat.screen.query_one("#jobs").display

    start(tmp_path, play, approved, size=(80, 24))


def test_where_the_jobs_have_no_pane_the_line_says_what_they_are_at(tmp_path):
    async def play(seat: Seat):
        await seat.sees("a keeps R.F.F, as suggested")
        seat.worker.hold("tune R.F.F")
        await seat.press("a")
        await seat.sees("1 job · 1 shows the curves", "◌ 1 waits")
        seat.worker.release()

    start(tmp_path, play, approved, size=(80, 24))
