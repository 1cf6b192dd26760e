"""Copy as command in dialogs: what is copied is what enter would do, and the dialog stays."""

from __future__ import annotations

import shlex

import pytest
from driver import Seat, covers, explore, start
from planned import PlannedExecutor
from textual.widgets import Input

from engine.contracts.requests import BranchRequest, CandidateRequest, RemoveBlocks, RemoveUnits
from explorer.cli.main import app
from explorer.session.budget import Budget
from explorer.tui.screens.alone_dialog import AloneDialog
from explorer.tui.screens.plan_screen import PlanScreen
from explorer.tui.screens.steering_dialogs import BranchDialog, CandidateDialog, ChooseDialog
from explorer.views import dialog_commands as commands


def parsed(text: str) -> dict:
    """What the command line makes of a copied command."""
    from typer.main import get_command

    program, name, *words = shlex.split(text)
    assert program == "pe-explore"
    command = get_command(app).commands[name]
    return command.make_context(name, words).params


@covers("dialog.command")
def test_a_candidate_is_copied_with_what_was_chosen(tmp_path):
    async def play(seat: Seat):
        store = seat.store.path
        await seat.press("e")
        dialog = await seat.dialog(CandidateDialog)
        await seat.press("down", "$")
        block = dialog.answer().edit.blocks[0]
        assert seat.app.clipboard == f"pe-explore candidate {store} R --block {block}"
        assert seat.app.screen is dialog, "it stays"
        dialog.structure.choose("filter")
        await seat.pilot.pause()
        dialog.count.value = "5"
        dialog.count.focus()
        await seat.press("$")
        known = parsed(seat.app.clipboard)
        assert (known["filters"], known["allocation"]) == (5, "uniform")
        dialog.count.value = "5000"
        await seat.pilot.pause()
        await seat.press("$")
        await seat.sees("'5000' is not a whole number from")
        assert parsed(seat.app.clipboard) == known, "what is wrong is not copied"
        await seat.press("escape")
        await seat.main()
        assert not seat.state.steering.busy, "nothing was made"

    start(tmp_path, play)


def test_a_branch_and_what_is_left_to_the_policy_are_copied(tmp_path):
    async def play(seat: Seat):
        await seat.press("B")
        dialog = await seat.dialog(BranchDialog)
        dialog.take.choose("filter")
        dialog.steps.value = "2"
        await seat.press("$")
        known = parsed(seat.app.clipboard)
        assert (known["node"], known["take"], known["iterations"]) == ("R", "filter", 2)
        await seat.press("escape", "A")
        dialog = await seat.dialog(AloneDialog)
        until = dialog.query_one("#alone-until", Input)
        until.focus()
        await seat.press(*"8 h".replace(" ", ""), "$")
        known = parsed(seat.app.clipboard)
        assert (known["decisions"], known["until"], known["node"]) == (3, "8h", "R")
        assert until.value == "8h", "the key is not typed"
        dialog.count.value = "0"
        await seat.pilot.pause()
        await seat.press("$")
        await seat.sees("there is no command for that")

    start(tmp_path, play)


def test_which_are_kept_is_copied_by_their_names(tmp_path):
    async def play(seat: Seat):
        await seat.press("e", "down", "enter")
        await seat.main()
        await seat.idle()
        await seat.press("o")
        dialog = await seat.dialog(ChooseDialog)
        await seat.press("$")
        assert seat.app.clipboard.split()[-2:] == ["R", *dialog.answer()]

    start(tmp_path, play)


@covers(
    "settings.up", "settings.down", "settings.less", "settings.more", "settings.edit",
    "settings.preset", "settings.reset", "settings.copy",
)  # fmt: skip
def test_a_plan_is_copied_as_the_command_that_begins_it(tmp_path):
    async def play(seat: Seat):
        sheet = (await seat.dialog(PlanScreen)).sheet
        rows = seat.app.screen.list
        first = rows.cursor
        await seat.press("j", "j", "k")
        assert rows.cursor > first
        for _ in range(60):
            if rows.marked.name == "recovery-epochs":
                break
            await seat.press("j")
        await seat.press("l")
        more = sheet.settings.training.recovery_epochs
        await seat.press("h", "l", "$")
        known = seat.app.clipboard
        assert known.startswith("pe-explore ") and known.endswith("--yes")
        words = shlex.split(known)
        assert words[words.index("--recovery-epochs") + 1] == str(more)
        assert words[words.index("--data") + 1] == "cifar10"
        await seat.press("r", "p", "$")
        assert f"--preset {sheet.preset}" in seat.app.clipboard
        assert "--recovery-epochs" not in seat.app.clipboard
        await seat.press("e", "escape")
        await seat.dialog(PlanScreen)

    explore(tmp_path, play, make_worker=PlannedExecutor, plans=True)


# ------------------------------------------------------------ the words


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (CandidateRequest(RemoveBlocks(("layer1.2",))), "--block layer1.2"),
        (CandidateRequest(RemoveUnits(7, "global"), "l1"),
         "--filters 7 --allocation global --criterion l1"),
    ],
)  # fmt: skip
def test_a_candidates_words(request_, words):
    assert commands.candidate_command("a b.db", "R.F", request_).text == (
        f"pe-explore candidate 'a b.db' R.F {words}"
    )


def test_what_the_command_line_has_no_words_for_is_refused():
    with pytest.raises(ValueError, match="one block at a time"):
        commands.candidate_command("x.db", "R", CandidateRequest(RemoveBlocks(("a", "b"))))
    with pytest.raises(ValueError, match="layer, filter or both"):
        asked = BranchRequest(CandidateRequest(RemoveUnits(3)))
        commands.branch_command("x.db", "R", asked)


def test_every_limit_has_its_words():
    budget = Budget(2, 1e9, 40.0, 1.5, True)
    command = commands.alone_command("x.db", "R.L", budget, everywhere=True, until="06:00")
    assert command.text == (
        "pe-explore alone x.db --decisions 2 --until 06:00 --target-macs 40 --max-drop 1.5 "
        "--stop-at-close-calls --everywhere"
    )
