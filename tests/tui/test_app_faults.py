"""What goes wrong around the app, and that the app and the store live on."""

from __future__ import annotations

import asyncio
import itertools
from unittest import mock

import pytest
import textual._time
from driver import HOSTILE, explore, grown

from engine.contracts.events import Progress
from explorer.executors.errors import JobFailedError, WorkerDiedError
from explorer.tui.screens.help_screen import HelpScreen
from explorer.tui.screens.input_dialogs import DataDialog
from explorer.tui.screens.message_dialogs import ErrorDialog
from explorer.tui.screens.steering_dialogs import CandidateDialog
from explorer.tui.widgets.tree_canvas import TreeCanvas
from store import StoreFullError, TreeStore

DEATHS = [WorkerDiedError(f"worker died, {n} of 3") for n in (1, 2, 3)]
SIZES = [(120, 36), (80, 24), (60, 16), (59, 15), (40, 10), (20, 5), (1, 1)]


# ------------------------------------------------------------ work that fails


def test_a_worker_that_dies_three_times_is_told_and_tried_again_at_a_word(tmp_path):
    async def play(seat):
        await seat.dialog(ErrorDialog)
        await seat.sees("R.L", "worker died, 3 of 3", "Try again")
        await seat.until(lambda: seat.node("R.F").state == "ready", "the sibling")
        assert seat.worker.asked.count("recover R.L") == 3
        assert seat.node("R.L").state == "failed"
        assert any("attempt 1 of 3" in told for told in seat.app.told)
        await seat.press("r")
        await seat.main()
        await seat.idle()
        assert seat.ready() == {"R", "R.L", "R.F"} and seat.node("R.L").error is None
        await seat.sees("a approve F")

    explore(tmp_path, play, script=lambda worker: worker.fail("recover R.L", *DEATHS))


def test_a_failed_candidate_leaves_its_sibling_to_decide_on_and_g_tries_again(tmp_path):
    def script(worker):
        worker.fail("recover R.L", JobFailedError("DivergedError", "the loss became nan"))

    async def play(seat):
        await seat.dialog(ErrorDialog)
        await seat.sees("the loss became nan")
        await seat.press("escape")
        await seat.main()
        await seat.idle()
        await seat.sees("✗L", "◇F .9733")
        await seat.press("3", "down")
        await seat.at("R.L")
        await seat.sees("DivergedError: the loss became nan")
        await seat.press("home", "g")
        await seat.idle()
        assert seat.ready() == {"R", "R.L", "R.F"}
        assert seat.worker.asked.count("recover R.F") == 1, "what was measured is not done again"
        await seat.sees("◇L .9565")

    explore(tmp_path, play, script=script)


def test_a_failed_proposal_is_told_and_g_tries_again(tmp_path):
    async def play(seat):
        await seat.dialog(ErrorDialog)
        await seat.sees("out of memory")
        await seat.press("escape", "g")
        await seat.main()
        await seat.idle()
        assert seat.ready() == {"R", "R.L", "R.F"}

    def script(worker):
        worker.fail("propose R", JobFailedError("OutOfMemoryError", "out of memory"))

    explore(tmp_path, play, script=script)


def test_a_failed_tuning_is_told_and_tried_again_at_a_word(tmp_path):
    async def play(seat):
        await seat.idle()
        await seat.press("a")
        await seat.dialog(ErrorDialog)
        await seat.sees("R.F", "no space for it")
        assert seat.kept() == {"R.F"}, "the decision stands"
        await seat.press("r")
        await seat.main()
        await seat.idle()
        assert {"R.F.L", "R.F.F"} <= seat.ready() and "tuned" in seat.node("R.F").phases

    def script(worker):
        worker.fail("tune R.F", JobFailedError("EngineError", "no space for it"))

    explore(tmp_path, play, script=script)


def test_a_request_that_cannot_be_is_told_and_harms_nothing(tmp_path):
    async def play(seat):
        await seat.idle()
        seat.worker.fail("propose R", JobFailedError("EditError", "layer1.8 is needed"))
        await seat.press("e")
        await seat.dialog(CandidateDialog)
        await seat.press("enter")
        await seat.dialog(ErrorDialog)
        await seat.sees("layer1.8 is needed")
        await seat.press("escape")
        await seat.main()
        assert seat.ready() == {"R", "R.L", "R.F"}
        await seat.press("a")
        await seat.idle()
        assert seat.kept() == {"R.F"}

    explore(tmp_path, play, model=grown(tmp_path))


def test_a_full_disk_is_told_and_the_result_is_stored_once_there_is_room(tmp_path, monkeypatch):
    finish = TreeStore.finish
    room = []

    def full(store, node_id, *args, **kwargs):
        if store.node_by_id(node_id).name == "R.L" and not room:
            raise StoreFullError("no room to write; make room and try again")
        return finish(store, node_id, *args, **kwargs)

    monkeypatch.setattr(TreeStore, "finish", full)

    async def play(seat):
        await seat.dialog(ErrorDialog)
        await seat.sees("no room to write", "make room on the disk", "spool")
        room.append(True)
        await seat.press("r")
        await seat.main()
        await seat.idle()
        assert seat.ready() == {"R", "R.L", "R.F"}
        assert seat.worker.asked.count("recover R.L") == 1, "it was measured once"
        await seat.sees("◇L .9565")

    explore(tmp_path, play)


def test_a_result_that_found_no_room_is_stored_by_the_next_start(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise StoreFullError("no room to write; make room and try again")

    async def play(seat):
        await seat.dialog(ErrorDialog)

    with monkeypatch.context() as patch:
        patch.setattr(TreeStore, "finish", full)
        explore(tmp_path, play)

    async def again(seat):
        await seat.idle()
        assert seat.ready() == {"R", "R.L", "R.F"} and not seat.worker.asked

    explore(tmp_path, again, model=tmp_path / "resnet56.pex.db")


def test_work_that_ends_behind_a_dialog_is_there_when_it_closes(tmp_path):
    async def play(seat):
        await seat.until(lambda: "recover R.F" in seat.worker.running, "the job")
        await seat.press("?")
        await seat.dialog(HelpScreen)
        seat.worker.release()
        await seat.idle()
        await seat.press("escape")
        await seat.main()
        await seat.sees("◇F .9733", "◇L .9565", "a approve F")

    explore(tmp_path, play, script=lambda worker: worker.hold("recover"))


def test_several_failures_at_once_are_told_one_after_the_other(tmp_path):
    def script(worker):
        for name in ("R.L", "R.F"):
            worker.fail(f"recover {name}", JobFailedError("DivergedError", f"{name} diverged"))

    async def play(seat):
        seen = set()
        for _ in range(2):
            dialog = await seat.dialog(ErrorDialog)
            seen |= {name for name in ("R.L", "R.F") if f"{name} diverged" in dialog.cause}
            await seat.press("escape")
            await seat.until(lambda dialog=dialog: seat.app.screen is not dialog, "its end")
        await seat.main()
        assert seen == {"R.L", "R.F"}

    explore(tmp_path, play, script=script)


# ------------------------------------------------------------ bugs of our own


def test_an_error_in_a_widget_ends_the_app_but_not_the_store(tmp_path, monkeypatch):
    class Broken(Exception):
        pass

    def broken(self, event):
        raise Broken

    async def play(seat):
        await seat.until(lambda: "recover R.L" in seat.worker.running, "the job")
        monkeypatch.setattr(TreeCanvas, "on_resize", broken)
        await seat.pilot.resize_terminal(100, 30)
        await seat.until(lambda: seat.app._exception, "the end")

    with pytest.raises(Broken):
        explore(tmp_path, play, script=lambda worker: worker.hold("recover"))
    monkeypatch.undo()
    with TreeStore.open(tmp_path / "resnet56.pex.db") as store:  # nobody holds it
        assert {n.name: n.state for n in store.nodes(1)} == {
            "R": "ready", "R.L": "queued", "R.F": "queued",
        }  # fmt: skip


# ------------------------------------------------------------ text from outside


def harmless(seat) -> None:
    for line in seat.lines:
        assert not set(line) & set("\x1b\x9b\u202e\n\r"), repr(line)


def test_hostile_tags_notes_and_errors_are_shown_as_they_are_everywhere(tmp_path):
    def hostile(steering):
        node = steering.session.node("R.F")
        steering.tag(node, HOSTILE[:40])
        steering.note(node, HOSTILE)

    path = grown(tmp_path, [hostile])

    async def play(seat):
        await seat.idle()
        seat.worker.fail("propose R.F", JobFailedError("EngineError", HOSTILE))
        await seat.press("down", "right")
        await seat.at("R.F")
        await seat.press("3")
        await seat.sees("[/foo][@click=app.quit]x[/]\\x1b[31m")
        harmless(seat)
        for key in ("#", "n", "c", "D", "B", "t", "t"):
            await seat.press(key)
            await seat.pilot.pause()
            harmless(seat)
            if len(seat.app.screen_stack) > 1:
                await seat.press("escape")
                await seat.main()
        await seat.press("g")
        await seat.dialog(ErrorDialog)
        await seat.sees("[/foo][@click=app.quit]x[/]\\x1b[31m")
        harmless(seat)
        await seat.press("y")
        assert "[/foo]" in seat.app.clipboard
        await seat.press("escape")
        await seat.press("5")
        await seat.sees("R.F:", "  [/foo][@click=app.quit]x[/]\\x1b[31m")
        harmless(seat)
        seat.app.context.notify(HOSTILE, "error")
        await seat.until(lambda: seat.text.count("[/foo]") > 1, "the toast")
        harmless(seat)
        assert seat.app.is_running

    explore(tmp_path, play, model=path)


def test_hostile_names_of_files_and_data_are_shown_as_they_are(tmp_path):
    model = tmp_path / f"{HOSTILE.replace('/', '|')}.pt"
    model.write_bytes(b"a checkpoint")

    async def play(seat):
        dialog = await seat.dialog(DataDialog)
        await seat.sees("--data: ", "\\x1b[31m")
        harmless(seat)
        dialog.query_one("#text").value = "cifar10"
        await seat.press("enter")
        await seat.dialog(ErrorDialog)
        await seat.sees("Cannot open", "\\x1b[31m")
        harmless(seat)
        await seat.press("r")
        await seat.idle()
        await seat.sees("[|foo][@click=app.quit]x[|]\\x1b[31m")
        harmless(seat)
        assert seat.ready() == {"R", "R.L", "R.F"}

    def script(worker):
        worker.fail("open R", JobFailedError("EngineError", HOSTILE))

    explore(tmp_path, play, model=model, overrides={"data": HOSTILE}, script=script)


def test_hostile_progress_of_a_job_is_shown_as_it_is(tmp_path):
    async def play(seat):
        await seat.until(lambda: "recover R.F" in seat.worker.running, "the job")
        seat.worker.tell("recover R.F", Progress(HOSTILE, 1, 2))
        await seat.sees("[/foo][@click")
        harmless(seat)
        seat.worker.release()

    explore(tmp_path, play, script=lambda worker: worker.hold("recover R.F"))


# ------------------------------------------------------------ every size of terminal


@pytest.mark.parametrize("size", [(60, 16), (59, 15), (20, 5), (1, 1)])
def test_a_tree_is_steered_on_a_terminal_of_any_size(tmp_path, size):
    async def play(seat):
        await seat.idle()
        await seat.press("down", "1", "2", "3", "4", "5", "home", "[", "}", "t", "t")
        await seat.press("home", "a")
        await seat.until(lambda: seat.kept() == {"R.F"}, "the decision")
        await seat.idle()
        assert len(seat.lines) == size[1] and all(len(line) >= size[0] for line in seat.lines)

    explore(tmp_path, play, model=grown(tmp_path), size=size)


def test_the_terminal_may_be_resized_while_jobs_run(tmp_path):
    async def play(seat):
        await seat.until(lambda: "recover R.F" in seat.worker.running, "the job")
        for place, (before, after) in enumerate(itertools.pairwise([*SIZES, *reversed(SIZES)])):
            seat.worker.progress("recover R.F", place / 20)
            await seat.pilot.resize_terminal(*before)
            await seat.pilot.resize_terminal(*after)
            await seat.until(lambda after=after: len(seat.lines) == after[1], "the new size")
        await seat.sees("60%")
        seat.worker.release()
        await seat.idle()
        await seat.sees("a approve F", "R · which to keep?")
        assert seat.app.query_one("#views").current == "tree", "it was a table only while tiny"

    explore(tmp_path, play, script=lambda worker: worker.hold("recover R.F"))


def test_a_new_size_is_seen_on_a_machine_so_busy_that_all_timers_are_late(tmp_path):
    now, begun = textual._time.get_time, set()

    def late_from_the_second_look_on():
        task = asyncio.current_task()
        seconds = 0.05 if task in begun else 0.0
        begun.add(task)
        return now() + seconds

    async def play(seat):
        await seat.idle()
        with mock.patch("textual._time.get_time", late_from_the_second_look_on):
            for size in ((80, 24), (120, 36), (60, 16)):
                await seat.pilot.resize_terminal(*size)
                await seat.until(lambda size=size: len(seat.lines) == size[1], "the new size")

    explore(tmp_path, play, model=grown(tmp_path))


def test_on_a_narrow_screen_a_tab_takes_the_cards_place_and_gives_it_back(tmp_path):
    async def play(seat):
        await seat.idle()
        assert seat.app.query_one("#right").size.width == 80
        await seat.sees("a approve F")
        await seat.press("3")
        await seat.sees("structure   root")
        assert "a approve F" not in seat.text
        await seat.press("3")
        await seat.sees("a approve F")

    explore(tmp_path, play, model=grown(tmp_path), size=(80, 24))
