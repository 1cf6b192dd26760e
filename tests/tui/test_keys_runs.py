"""The store's runs as a person uses them: seen, opened, begun; and what becomes of live work."""

from __future__ import annotations

import pytest
from driver import covers, explore, start
from planned import PlannedExecutor
from several import actors_of, runs_of, several

from explorer.session.budget import Budget
from explorer.session.open_run import Request, spool_of
from explorer.session.plan import read_plan, waiting_path
from explorer.tui.screens.another_run_screen import AnotherRunScreen
from explorer.tui.screens.commands_dialog import CommandsDialog
from explorer.tui.screens.message_dialogs import SwitchDialog
from explorer.tui.screens.plan_screen import RunSheetScreen
from explorer.tui.screens.runs_screen import RunsScreen
from store import TreeStore


def in_several(folder, play, *, forked=False, **options):
    """Opens a store with several runs at its newest one."""
    store = several(folder, forked=forked)

    async def begin(seat):
        await seat.idle()
        await play(seat)

    return explore(folder, begin, model=store, **options)


async def open_runs(seat):
    await seat.press("R")
    screen = await seat.dialog(RunsScreen)
    await seat.until(lambda: screen.found is not None, "the runs")
    return screen


def run_id(seat) -> int:
    return seat.state.session.run.id


@covers("view.runs")
def test_the_runs_are_listed_with_what_they_agree_on_and_enter_opens_another(tmp_path):
    async def play(seat):
        assert run_id(seat) == 2
        await seat.sees("run 2 of 2")
        await open_runs(seat)
        await seat.sees("which one to work on?", "open", "Runs 1 and 2 differ in their seeds only")
        await seat.sees("They part at decision 1", "±")
        await seat.press("k", "enter")
        await seat.main()
        await seat.until(lambda: run_id(seat) == 1, "the first run")
        await seat.idle()
        await seat.sees("run 1 of 2")
        assert seat.kept() == {"R.F"}
        await seat.select("R.F")
        await seat.press("a")
        await seat.idle()
        assert len(seat.kept()) == 2

    in_several(tmp_path, play)
    store = tmp_path / "resnet56.pex.db"
    assert actors_of(store, 1) == ["user", "user"] and actors_of(store, 2) == ["user"]


def test_what_was_shown_of_the_run_before_is_gone(tmp_path):
    async def play(seat):
        await seat.press("m")
        seat.screen.set_filter("acc>99")
        await seat.press("[")
        assert seat.state.moment is not None
        await open_runs(seat)
        await seat.press("up", "enter")
        await seat.until(lambda: run_id(seat) == 1, "the first run")
        await seat.main()
        assert not seat.state.marked and seat.state.moment is None and not seat.screen.filter_text
        assert seat.state.shown.keys() == seat.nodes().keys()

    in_several(tmp_path, play)


def test_escape_and_the_open_run_change_nothing(tmp_path):
    async def play(seat):
        session = seat.state.session
        await open_runs(seat)
        await seat.press("escape")
        await seat.main()
        await open_runs(seat)
        await seat.press("enter")
        await seat.told("is open")
        assert seat.state.session is session

    in_several(tmp_path, play)


def test_a_fork_is_compared_from_the_node_on_at_which_it_began(tmp_path):
    async def play(seat):
        screen = await open_runs(seat)
        await seat.press("up")
        (group,) = screen.found.forks
        assert (group.runs, group.forked_at) == ((1, 2), "R.F")
        await seat.sees("Run 2 is a fork of run 1 at R.F", "criterion l1")

    in_several(tmp_path, play, forked=True, size=(160, 40))


async def to_the_first_run(seat, key: str) -> None:
    await open_runs(seat)
    await seat.press("home", "enter")
    await seat.dialog(SwitchDialog)
    await seat.press(key)


def begun(folder, play, **options):
    """A store whose newest run has just been begun, and is at work."""
    store = several(folder)

    async def begin(seat):
        await seat.idle()
        seat.worker.hold("recover")
        await seat.press("N")
        await seat.dialog(AnotherRunScreen)
        await seat.press("enter")
        await seat.until(lambda: run_id(seat) == 3, "the third run")
        await seat.until(lambda: len(seat.worker.running) == 2, "its jobs")
        seat.state.steering.let_decide(Budget(decisions=1), seat.node("R"))
        await play(seat)

    return explore(folder, begin, model=store, make_worker=PlannedExecutor, **options)


def test_stopping_keeps_what_is_left_to_be_done_for_when_the_run_is_opened_again(tmp_path):
    store = tmp_path / "resnet56.pex.db"

    async def play(seat):
        await to_the_first_run(seat, "s")
        await seat.until(lambda: run_id(seat) == 1, "the first run")
        await seat.main()
        assert not seat.worker.running and not seat.state.steering.alone.grants
        await seat.told("waits until that run is opened")
        assert waiting_path(spool_of(store), 3).exists()
        seat.worker.release()
        await open_runs(seat)
        await seat.press("end", "enter")
        await seat.until(lambda: run_id(seat) == 3, "the third run")
        await seat.idle()
        assert seat.actors() == ["cka"]

    begun(tmp_path, play)
    assert actors_of(store, 1) == ["user"] and actors_of(store, 2) == ["user"]
    assert not waiting_path(spool_of(store), 3).exists()


def test_what_waits_outlives_the_app_and_the_run_in_front_of_it(tmp_path):
    store = tmp_path / "resnet56.pex.db"

    async def play(seat):
        await to_the_first_run(seat, "s")
        await seat.until(lambda: run_id(seat) == 1, "the first run")

    begun(tmp_path, play)
    assert waiting_path(spool_of(store), 3).exists()

    async def again(seat):
        await seat.idle()
        assert run_id(seat) == 3 and seat.actors() == ["cka"], "the newest is opened, and goes on"

    explore(tmp_path, again, model=store)


def test_staying_leaves_all_as_it_is(tmp_path):
    async def play(seat):
        steering = seat.state.steering
        await to_the_first_run(seat, "escape")
        await seat.main()
        assert seat.state.steering is steering and len(seat.worker.running) == 2
        assert steering.alone.grants

    begun(tmp_path, play)


def test_leaving_work_running_opens_the_other_run_for_reading(tmp_path):
    async def play(seat):
        await open_runs(seat)
        await seat.press("up", "enter")
        await seat.dialog(SwitchDialog)
        await seat.sees("for reading meanwhile")
        await seat.press("l")
        await seat.until(lambda: seat.state.session and run_id(seat) == 2, "the second run")
        await seat.main()
        await seat.sees("read-only")
        assert seat.store.read_only
        await seat.told("goes on in the background")

    app = begun(tmp_path, play)
    store = tmp_path / "resnet56.pex.db"
    assert app.handed_on == [store]
    plan = read_plan(spool_of(store))
    assert plan.run == runs_of(store)[2].uuid and [g.top for g in plan.grants] == ["R"]
    assert app.handed_on_options == [[f"--run={plan.run}"]]


def test_a_tree_that_is_only_looked_at_is_switched_too_and_stays_so(tmp_path):
    store = several(tmp_path)

    async def play(seat):
        await seat.until(lambda: seat.state.session is not None, "the tree")
        await open_runs(seat)
        await seat.press("up", "enter")
        await seat.until(lambda: run_id(seat) == 1, "the first run")
        await seat.main()
        await seat.sees("read-only", "run 1 of 2")
        assert seat.store.read_only

    request = Request(str(store), read_only=True)
    explore(tmp_path, play, model=store, request=request)


@covers("grow.run", "settings.another")
def test_another_run_begins_with_another_seed_and_the_app_is_on_it(tmp_path):
    async def play(seat):
        root = seat.node("R")
        await seat.press("P")
        await seat.dialog(RunSheetScreen)
        await seat.press("n")
        await seat.dialog(AnotherRunScreen)
        await seat.sees("begin with these settings?", "seed 1 instead of 0")
        await seat.press("escape")
        await seat.main()
        assert len(seat.store.runs()) == 1, "nothing is stored before"
        await seat.press("N")
        await seat.dialog(AnotherRunScreen)
        await seat.press("enter")
        await seat.until(lambda: run_id(seat) == 2, "the second run")
        await seat.main()
        await seat.idle()
        await seat.sees("run 2 of 2")
        assert {"R.L", "R.F"} <= seat.ready()
        first, second = seat.store.runs()
        assert (first.seed, second.seed) == (0, 1) and first.architecture == second.architecture
        assert seat.node("R").metrics == root.metrics

    start(tmp_path, play, make_worker=PlannedExecutor)


def test_a_run_that_there_is_is_not_begun_again_and_the_images_stay(tmp_path):
    async def play(seat):
        await seat.press("N")
        screen = await seat.dialog(AnotherRunScreen)
        screen.sheet.edits.clear()
        await seat.press("enter")
        await seat.sees("grown with these settings already")
        assert seat.app.screen is screen
        for _ in range(60):
            if screen.list.marked.name == "train-limit":
                break
            await seat.press("up")
        await seat.press("space")
        await seat.sees("other images are another root")
        await seat.press("p")
        assert screen.sheet.settings.data == seat.state.session.settings.data
        await seat.press("escape")
        await seat.main()
        assert len(seat.store.runs()) == 1

    start(tmp_path, play, make_worker=PlannedExecutor, size=(140, 40))


def test_commands_are_copied_with_the_run_where_it_is_not_the_newest(tmp_path):
    async def play(seat):
        await seat.press("$")
        dialog = await seat.dialog(CommandsDialog)
        assert not any("--run" in each.text for each in dialog.commands)
        await seat.press("escape")
        await open_runs(seat)
        await seat.press("up", "enter")
        await seat.until(lambda: run_id(seat) == 1, "the first run")
        await seat.main()
        await seat.press("$")
        dialog = await seat.dialog(CommandsDialog)
        assert all(each.text.endswith("--run 1") for each in dialog.commands)

    in_several(tmp_path, play)


def test_the_palette_opens_runs_and_stores(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    second = several(other)

    async def remember(seat):
        await seat.until(lambda: seat.state.session is not None, "the tree")

    explore(tmp_path, remember, model=second)

    async def play(seat):
        name = runs_of(tmp_path / "resnet56.pex.db")[0].name
        await seat.press("ctrl+p", *f"run {name}")
        await seat.sees("Open run 1 of 2")
        await seat.press("enter")
        await seat.until(lambda: run_id(seat) == 1, "the first run")
        await seat.main()
        await seat.press("ctrl+p", *"store other")
        await seat.sees("Open it: ")
        await seat.press("enter")
        await seat.until(
            lambda: seat.state.session is not None and seat.store.path == second, "the other store"
        )
        await seat.main()
        await seat.idle()
        assert run_id(seat) == 2

    in_several(tmp_path, play)


@pytest.mark.parametrize("content", [None, b"no store"])
def test_a_store_that_cannot_be_opened_leaves_the_open_one_as_it_is(tmp_path, content):
    from explorer.tui.wanted import OtherWanted

    path = tmp_path / "gone.pex.db"
    if content is not None:
        path.write_bytes(content)

    async def play(seat):
        session = seat.state.session
        seat.app.post_message(OtherWanted(store=str(path)))
        await seat.told("gone.pex.db")
        assert seat.state.session is session and not seat.store.read_only

    in_several(tmp_path, play)


def test_a_store_is_opened_on_the_run_that_is_named(tmp_path):
    store = several(tmp_path)

    async def play(seat):
        await seat.until(lambda: seat.state.session is not None, "the tree")
        assert run_id(seat) == 1

    explore(tmp_path, play, model=store, request=Request(str(store), run="1"))
    with TreeStore.open(store, read_only=True) as opened:
        assert len(opened.runs()) == 2
