"""Opening the app: what is asked, and what goes on without asking."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from driver import Seat, checkpoint, explore, grown, start
from scripted import DIGEST
from tampering import tamper
from textual.widgets import Input

from engine.contracts.errors import DataNotNamedError
from engine.contracts.events import NetworkRead
from engine.contracts.references import ForeignFactoryError
from engine.contracts.working_folder import take_folder
from explorer.executors.errors import JobFailedError
from explorer.session.open_run import spool_of
from explorer.tui import recents
from explorer.tui.screens.input_dialogs import DataDialog, WeightsDialog
from explorer.tui.screens.message_dialogs import (
    ConfirmDialog,
    ErrorDialog,
)
from explorer.tui.screens.start_screen import StartScreen
from store import StoreClaim, TreeStore


def kept_in(store_path) -> set[str]:
    with TreeStore.open(store_path, read_only=True) as store:
        return {
            node.name for node in store.nodes(store.latest_run().id) if node.kept and node.depth
        }


def test_a_new_checkpoint_is_opened_grown_and_waits_for_a_word(tmp_path):
    async def play(seat):
        await seat.sees("the engine is warming up")
        seat.worker.release()
        await seat.idle()
        assert seat.ready() == {"R", "R.L", "R.F"} and seat.kept() == set()
        await seat.told("R: both candidates are measured")
        await seat.sees("resnet56.pt · cifar10", "a approve F")

    explore(tmp_path, play, script=lambda worker: worker.hold("open"))
    assert (tmp_path / "resnet56.pex.db").exists()


def test_without_a_model_the_start_screen_offers_the_sample_and_opens_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def play(seat):
        await seat.dialog(StartScreen)
        await seat.press(*"sample", "enter")
        await seat.idle()
        assert seat.worker.jobs["open R"].places.data == "sample"
        await seat.sees("sample.pt")

    explore(tmp_path, play, model=None)
    assert (tmp_path / "sample.pex.db").exists()


def test_leaving_the_start_screen_ends_the_app_and_makes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def play(seat):
        await seat.dialog(StartScreen)
        await seat.press("escape")
        await seat.until(lambda: seat.app._exit, "the end")

    assert explore(tmp_path, play, model=None).return_code == 0
    assert not list(tmp_path.glob("*.db"))


def test_a_checkpoint_without_data_asks_for_them_and_goes_on_with_the_answer(tmp_path):
    cause = "the checkpoint does not say where its data are"

    async def play(seat):
        await seat.dialog(DataDialog)
        await seat.sees(cause)
        await seat.press(*"cifar100", "enter")
        await seat.idle()
        assert seat.worker.jobs["open R"].places.data == "cifar100"
        await seat.sees("resnet56.pt · cifar100")

    def script(worker):
        worker.fail("open R", JobFailedError(DataNotNamedError.code, cause))

    explore(tmp_path, play, overrides={"data": ""}, script=script)


def test_a_network_without_weights_asks_for_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def play(seat):
        await seat.dialog(WeightsDialog)
        await seat.sees("Which weights for timm:resnet18?", "has no weights by itself")
        await seat.press(*"gone.pt", "enter")
        await seat.sees("there is no file 'gone.pt'")
        for _ in range(len("gone.pt")):
            await seat.press("backspace")
        await seat.press(*"random", "enter")
        await seat.idle()
        job = seat.worker.jobs["open R"].job
        assert job.untrained and job.arch == "timm:resnet18"

    explore(tmp_path, play, model="timm:resnet18")
    assert (tmp_path / "resnet18.pex.db").exists()


def test_a_store_that_names_a_persons_factory_asks_before_it_is_called(tmp_path, monkeypatch):
    path = grown(tmp_path)
    tamper(path, """UPDATE run SET architecture = '{"factory": "mynets:make"}'""")
    (tmp_path / "mynets.py").write_text("def make(): ...\n")
    monkeypatch.chdir(tmp_path)

    def answered(key, allowed):
        async def play(seat):
            await seat.dialog(ConfirmDialog)
            await seat.sees("Call its factory?", "mynets:make", "is not known")
            await seat.press(key)
            await seat.until(lambda: seat.app.state.session is not None, "the tree")
            factories = seat.app.state.session.artifacts.factories
            if allowed:
                assert factories.needed_by(seat.app.state.session.document) is not None
            else:
                with pytest.raises(ForeignFactoryError, match="--allow-factory mynets:make"):
                    factories.needed_by(seat.app.state.session.document)

        return play

    explore(tmp_path, answered("n", False), model=path)
    explore(tmp_path, answered("y", True), model=path)


def test_another_run_of_a_checkpoint_begins_only_when_the_person_says_so(tmp_path):
    path = grown(tmp_path)

    def num_runs():
        with TreeStore.open(path, read_only=True) as store:
            return len(store.runs())

    async def refuse(seat):
        await seat.dialog(ConfirmDialog)
        await seat.sees("Begin another run?", "--batch-size 64", "instead of 128")
        await seat.press("n")
        await seat.dialog(StartScreen)

    async def agree(seat):
        await seat.dialog(ConfirmDialog)
        await seat.press("y")
        await seat.idle()
        assert seat.state.session.settings.training.batch_size == 64

    explore(tmp_path, refuse, overrides={"batch_size": 64})
    assert num_runs() == 1
    explore(tmp_path, agree, overrides={"batch_size": 64})
    assert num_runs() == 2


def test_images_that_moved_are_asked_for_when_work_needs_them(tmp_path):
    place = tmp_path / "images.npz"
    place.write_text(DIGEST)
    right, wrong = tmp_path / "scratch.npz", tmp_path / "wrong.npz"

    async def begin(seat):
        await seat.idle()

    explore(tmp_path, begin, overrides={"data": str(place)})
    place.rename(right)
    wrong.write_text("1" * 64)

    async def play(seat):
        await seat.idle()
        assert seat.ready() == {"R", "R.L", "R.F"}  # to look at it needs no images
        await seat.press("a")
        await seat.dialog(DataDialog)
        await seat.sees("Where are its images now?", "are not at")
        await seat.press(*str(wrong), "enter")
        await seat.sees("Other data are there")
        await seat.press(*str(right), "enter")
        await seat.idle()
        assert seat.nodes()["R.F"].phases == ("recovered", "tuned")

    explore(tmp_path, play, model=tmp_path / "resnet56.pex.db")


def test_only_known_data_are_offered_that_the_network_can_take(tmp_path):
    async def play(seat):
        await seat.until(lambda: "open R" in seat.worker.running, "the opening")
        seat.worker.tell("open R", NetworkRead(in_channels=3, num_classes=10))
        seat.worker.release()
        dialog = await seat.dialog(DataDialog)
        assert dialog.suggestions == ("cifar10", "svhn"), "neither grey images nor 100 classes"

    def script(worker):
        worker.hold("open R")
        worker.fail("open R", JobFailedError(DataNotNamedError.code, "where are its data?"))

    explore(tmp_path, play, overrides={"data": ""}, script=script)


def test_data_that_do_not_exist_are_asked_for_again_with_the_reason(tmp_path):
    async def play(seat):
        dialog = await seat.dialog(DataDialog)
        await seat.sees("is called 'cifr10'")
        assert dialog.query_one("#text").value == "cifr10", "what was named stands there"
        dialog.query_one("#text").value = ""
        await seat.press(*"cifar100", "enter")
        await seat.idle()
        assert seat.worker.jobs["open R"].places.data == "cifar100"

    explore(tmp_path, play, overrides={"data": "cifr10"})


def test_whoever_does_not_name_the_data_comes_back_to_the_start_screen(tmp_path):
    async def play(seat):
        await seat.dialog(DataDialog)
        await seat.press("escape")
        await seat.dialog(StartScreen)

    def script(worker):
        worker.fail("open R", JobFailedError(DataNotNamedError.code, "where are its data?"))

    explore(tmp_path, play, overrides={"data": ""}, script=script)


def test_a_store_is_remembered_as_it_was_left(tmp_path):
    async def play(seat):
        await seat.press("a")
        await seat.idle()
        left = seat.store.num_nodes(seat.state.session.run.id)
        await seat.press("q")
        await seat.until(lambda: seat.app._exit, "the end")
        (recent,) = recents.recents()
        assert recent.num_nodes == left == 5

    start(tmp_path, play)


def test_a_file_that_is_missing_is_told_and_opened_once_it_is_there(tmp_path):
    async def play(seat):
        await seat.dialog(ErrorDialog)
        await seat.sees("there is no file", "Try again")
        checkpoint(tmp_path)
        await seat.press("r")
        await seat.idle()
        assert seat.ready() == {"R", "R.L", "R.F"}

    explore(tmp_path, play, model=tmp_path / "resnet56.pt")


def test_what_cannot_be_opened_and_is_not_tried_again_ends_with_an_error(tmp_path):
    async def play(seat):
        await seat.dialog(ErrorDialog)
        await seat.press("escape")
        await seat.until(lambda: seat.app._exit, "the end")

    assert explore(tmp_path, play, model=tmp_path / "none.pt").return_code == 1


def test_a_network_that_the_engine_refuses_is_told_with_its_reason(tmp_path):
    async def play(seat):
        await seat.dialog(ErrorDialog)
        await seat.sees("no residual block in it")
        assert not list(tmp_path.glob("*.db")), "what cannot be opened leaves no store behind"
        await seat.press("r")
        await seat.idle()

    def script(worker):
        worker.fail("open R", JobFailedError("StructureError", "no residual block in it"))

    explore(tmp_path, play, script=script)


def _hold_the_lock(path, begin, done, go_on):
    with TreeStore.open(path) as store:
        begin.set()
        go_on.wait(60)
        root = store.node(1, "R")
        filters = store.node(1, "R.F")
        store.decide(root.id, kept=[filters.id], suggested=None, actor="user", reason="elsewhere")
        done.wait(60)


def test_a_store_that_another_process_writes_is_followed_read_only(tmp_path, monkeypatch):
    monkeypatch.setattr("explorer.tui.lifecycle.POLL_SECONDS", 0.05)
    path = grown(tmp_path)
    context = multiprocessing.get_context("spawn")
    begin, done, go_on = context.Event(), context.Event(), context.Event()
    other = context.Process(target=_hold_the_lock, args=(path, begin, done, go_on))
    other.start()
    try:
        assert begin.wait(30)

        async def play(seat: Seat):
            await seat.idle()
            await seat.sees("read-only", "◇F .9733")
            assert any("being written by process" in told for told in seat.app.told)
            await seat.sees("for reading · enter tells all of a node")

            def dimmed() -> set[str]:
                return {key.description for key in seat.app.screen.query("FooterKey.-disabled")}

            refused = {"Approve", "Override", "Both", "Undo", "Pause", "Candidate", "Branch"}
            await seat.until(lambda: dimmed() == refused, "the keys that would be refused")
            await seat.press("a")
            await seat.told("open for reading only")
            go_on.set()
            await seat.sees("●F★ .9733")
            assert not seat.worker.asked

        explore(tmp_path, play, model=path)
    finally:
        done.set()
        go_on.set()
        other.join(30)
    assert other.exitcode == 0 and kept_in(path) == {"R.F"}


@pytest.mark.parametrize("named_by", ["its checkpoint", "its store"])
def test_looking_at_a_tree_that_another_grows_and_quitting_deletes_nothing_of_it(
    tmp_path, named_by
):
    path = grown(tmp_path)
    claim = StoreClaim(path)  # as the one that grows it holds it
    spool = spool_of(path)
    take_folder(spool)
    for name in (f"{'a' * 64}.safetensors", f"{'b' * 32}.events", "worker.log"):
        (spool / name).write_bytes(b"")
    before = set(tmp_path.rglob("*"))

    async def play(seat):
        await seat.idle()
        await seat.sees("read-only")
        await seat.press("q")
        await seat.until(lambda: seat.app._exit, "the end")

    app = explore(tmp_path, play, model=path if named_by == "its store" else "")
    assert app.worker.ended == "" and app.worker.spool == Path(), "no workers were made"
    assert before <= set(tmp_path.rglob("*"))
    claim.release()


def test_a_store_that_may_not_be_written_is_shown_for_reading(tmp_path):
    path = grown(tmp_path)
    own = path.with_name(path.name + ".lock")
    own.write_text("somebody's own file")  # which is left alone, so that nothing can be written

    async def play(seat):
        await seat.sees("read-only", "◇F .9733", "nothing can be decided here")
        assert any("Shown for reading" in told for told in seat.app.told)
        assert not seat.worker.asked

    explore(tmp_path, play, model=path)
    assert own.read_text() == "somebody's own file"


def test_a_persons_own_keys_take_the_place_of_the_usual_ones(tmp_path):
    (tmp_path / "config.toml").write_text('[keys]\n"decide.approve" = "f5"\nnope = 1\n')
    path = grown(tmp_path)

    async def play(seat):
        await seat.idle()
        await seat.told("nope")
        await seat.sees("f5 approve F", "f5 Approve")
        await seat.press("a")
        assert seat.kept() == set()
        await seat.press("f5")
        await seat.idle()
        assert seat.kept() == {"R.F"}

    explore(tmp_path, play, model=path)


def test_a_store_that_was_open_is_offered_the_next_time(tmp_path):
    path = grown(tmp_path)

    async def play(seat):
        await seat.idle()

    explore(tmp_path, play, model=path)

    async def again(seat):
        screen = await seat.dialog(StartScreen)
        await seat.sees("resnet56.pex.db", "3 nodes")
        assert not screen.query_one(Input).value
        await seat.press("enter")
        await seat.idle()
        assert seat.store.path == path

    explore(tmp_path, again, model=None)
