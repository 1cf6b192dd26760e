"""The planner's sheet as a person uses it, and what the store holds afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from driver import covers, explore, start
from planned import PlannedExecutor

from explorer.session.errors import NotNowError
from explorer.tui.config import load_config
from explorer.tui.screens.input_dialogs import TextDialog
from explorer.tui.screens.plan_screen import PlanScreen, RunSheetScreen
from explorer.tui.screens.start_screen import StartScreen
from explorer.tui.screens.steering_dialogs import CandidateDialog


@pytest.fixture(autouse=True)
def quick_to_settle(monkeypatch):
    monkeypatch.setattr("explorer.tui.screens.plan_screen.SETTLE_SECONDS", 0.05)


def planned(folder, play, **options):
    """Opens a new run whose plan is in front."""

    async def begin(seat):
        await seat.dialog(PlanScreen)
        await play(seat)

    return explore(folder, begin, make_worker=PlannedExecutor, plans=True, **options)


async def measured(seat) -> None:
    """Waits until the sheet knows what its settings take."""
    sheet = seat.app.screen.sheet
    await seat.until(lambda: not (sheet.wants_measuring or sheet.wants_describing), "the speed")


async def to(seat, name: str) -> None:
    """Walks to a setting."""
    for _ in range(60):
        if seat.app.screen.list.marked.name == name:
            return
        await seat.press("down")
    raise AssertionError(f"no setting is called {name}")


def settings(seat):
    return seat.state.session.settings


def test_one_enter_begins_with_what_was_asked_for(tmp_path):
    async def play(seat):
        await seat.press("enter")
        await seat.main()
        await seat.idle()
        assert settings(seat).training.recovery_epochs == 10
        assert {"R.L", "R.F"} <= seat.ready()

    planned(tmp_path, play)


def test_nothing_is_stored_before_and_nothing_after_leaving(tmp_path):
    async def play(seat):
        assert not Path(tmp_path / "resnet56.pex.db").exists()
        await measured(seat)
        await seat.press("escape")
        await seat.until(lambda: not seat.app.is_running or seat.app._exit, "the end")

    app = planned(tmp_path, play)
    assert app.state.session is None and not list(tmp_path.glob("*.db*"))


def test_leaving_while_it_measures_ends_the_measuring(tmp_path):
    async def play(seat):
        await seat.until(lambda: "speed R" in seat.worker.running, "the measuring")
        await seat.press("escape")

    app = planned(tmp_path, play, script=lambda worker: worker.hold("speed"))
    assert not app.worker.running and not list(tmp_path.glob("*.db*"))


def test_beginning_while_it_measures_waits_for_nothing(tmp_path):
    async def play(seat):
        await seat.until(lambda: "speed R" in seat.worker.running, "the measuring")
        await seat.press("enter")
        await seat.main()
        await seat.until(lambda: "R.L" in seat.state.shown, "the first candidates")

    planned(tmp_path, play, script=lambda worker: worker.hold("speed"))


def test_presets_and_settings_change_the_times_and_are_what_the_run_begins_with(tmp_path):
    async def play(seat):
        screen = seat.app.screen
        await measured(seat)
        usual = screen.sheet.prediction.tree.seconds
        await seat.press("p")
        await measured(seat)
        quick = screen.sheet.prediction.tree.seconds
        assert quick < usual / 20
        assert screen.sheet.data.train == 3_000
        await to(seat, "recovery-epochs")
        await seat.press("right", "right")
        assert screen.list.marked.value == 3
        assert screen.sheet.prediction.tree.seconds > quick
        await seat.press("r")
        assert screen.list.marked.value == 1, "as the preset has it"
        await seat.press("space")
        await seat.dialog(TextDialog)
        await seat.press("ctrl+u", *"nonsense", "enter")
        assert isinstance(seat.app.screen, TextDialog), "nonsense is told, not taken"
        await seat.press("ctrl+u", *"4", "enter")
        await seat.until(lambda: seat.app.screen is screen, "the sheet")
        await to(seat, "schedule")
        await seat.press("l")
        await to(seat, "target-macs")
        await seat.press("right")
        await seat.dialog(TextDialog)
        await seat.press(*"30", "enter")
        await seat.sees("30 % of the")
        await seat.press("enter")
        await seat.main()
        await seat.until(lambda: seat.state.session is not None, "the run")
        found = settings(seat)
        assert found.data.train_limit == 3_000 and found.scoring.criterion == "kl-fast"
        assert found.training.recovery_epochs == 4 and found.training.schedule == "cosine"
        assert found.search.target_macs == 30

    planned(tmp_path, play)


def test_fewer_of_the_images_that_are_known_are_counted_at_once(tmp_path):
    async def play(seat):
        sheet = seat.app.screen.sheet
        await measured(seat)
        usual = {part.phase: part.seconds for part in sheet.prediction.phases}
        await to(seat, "train-limit")
        await seat.press("space")
        await seat.dialog(TextDialog)
        await seat.press(*"3000", "enter")
        await seat.until(lambda: isinstance(seat.app.screen, PlanScreen), "the sheet")
        assert sheet.described is None and not sheet.wants_describing
        assert sheet.data.train == 3_000
        found = {part.phase: part.seconds for part in sheet.prediction.phases}
        assert found["recover"] == pytest.approx(usual["recover"] / 15)
        assert found["measure"] == usual["measure"], "validation and test stay whole"
        await seat.press("space")
        await seat.dialog(TextDialog)
        await seat.press("ctrl+u", *"50000", "enter")  # how many there are is not known
        await seat.until(lambda: isinstance(seat.app.screen, PlanScreen), "the sheet")
        await seat.until(
            lambda: sheet.described_with and sheet.described_with.data.train_limit == 50_000,
            "the images, counted",
        )

    planned(tmp_path, play)


def test_another_criterion_is_measured_anew_and_told_until_then(tmp_path):
    async def play(seat):
        await measured(seat)
        seat.worker.hold("speed")
        await to(seat, "optimiser")
        await seat.press("right")
        await seat.sees("with other settings")
        seat.worker.release("speed")
        await measured(seat)
        await seat.sees("75 trained")

    planned(tmp_path, play, size=(140, 40))


def test_what_is_given_stays_whatever_preset_is_chosen(tmp_path):
    async def play(seat):
        for _ in range(3):
            await seat.press("p")
            assert seat.app.screen.sheet.settings.training.tune_epochs == 3
        await to(seat, "tune-epochs")
        assert seat.app.screen.list.marked.because == "given"

    planned(tmp_path, play, overrides={"tune_epochs": 3})


def test_the_data_cannot_be_changed_here(tmp_path):
    async def play(seat):
        await seat.press("space")
        await seat.sees("set where the run is opened")
        assert isinstance(seat.app.screen, PlanScreen)

    planned(tmp_path, play)


def test_a_speed_that_cannot_be_measured_is_told_and_in_nobodys_way(tmp_path):
    def script(worker):
        worker.fail("speed R", NotNowError("no thread could be started"))

    async def play(seat):
        await seat.sees("no thread could be")
        await seat.press("enter")
        await seat.main()
        await seat.idle()

    planned(tmp_path, play, script=script)


def test_from_the_start_screen_leaving_goes_back_to_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text('[defaults]\ndata = "cifar10"\n')

    async def play(seat):
        (tmp_path / "net.pt").write_bytes(b"a checkpoint")
        await seat.dialog(StartScreen)
        await seat.press(*"net.pt", "enter")
        await seat.dialog(PlanScreen)
        await seat.press("escape")
        await seat.dialog(StartScreen)

    explore(tmp_path, play, model=None, make_worker=PlannedExecutor, plans=True)


def test_a_run_that_exists_is_not_planned_again(tmp_path):
    async def play(seat):
        assert len(seat.app.screen_stack) == 1

    start(tmp_path, play, make_worker=PlannedExecutor, plans=True)


def test_a_click_marks_a_setting_and_another_changes_it(tmp_path):
    async def play(seat):
        line = next(n for n, text in enumerate(seat.lines) if "  loader " in text)
        await seat.pilot.click(offset=(8, line))
        assert seat.app.screen.list.marked.name == "loader"
        await seat.pilot.click(offset=(8, line))
        await seat.dialog(TextDialog)

    planned(tmp_path, play)


@covers("view.settings")
def test_the_settings_of_the_run_are_a_key_away(tmp_path):
    async def play(seat):
        await seat.press("P")
        await seat.dialog(RunSheetScreen)
        await seat.sees("what is this tree grown with?", "criterion-samples", "a recovery")
        await seat.press("y")
        assert "--new-run" in seat.app.clipboard and "--data cifar10" in seat.app.clipboard
        await seat.press("P")
        await seat.main()

    start(tmp_path, play)


@pytest.mark.parametrize("shown", [True, False])
def test_the_configuration_says_whether_a_plan_is_shown(tmp_path, shown):
    path = tmp_path / "config.toml"
    path.write_text(f"[ui]\nplan = {str(shown).lower()}\n")
    assert load_config(path).plan is shown


def test_what_a_candidate_would_be_changes_with_its_number_before_it_is_made(tmp_path):
    async def play(seat):
        await seat.press("e")
        await seat.dialog(CandidateDialog)
        await seat.sees("−5.0 % MACs", "before recovery")
        await seat.press("right")
        await seat.sees("−1.6 % MACs")
        await seat.press("up")
        await seat.sees("−1.7 % MACs")
        await seat.press("escape")
        await seat.main()
        assert seat.nodes().keys() == {"R", "R.L", "R.F"}, "a look makes nothing"

    start(tmp_path, play)
