"""Copy as command: what is copied does in a shell what the key does in the app."""

from __future__ import annotations

import shlex

import pytest
from cards import EDITS, FILTER, LAYER, ROOT, card, node
from driver import Seat, covers, start
from textual.widgets import OptionList

from explorer.cli.main import app
from explorer.tui.screens.dialogs import CommandsDialog
from explorer.views.as_command import commands_for


def texts(*arguments, **more):
    return [command.text for command in commands_for("a b.db", *arguments, **more)]


def test_names_and_paths_are_quoted_for_the_shell():
    hostile = node("R.$(rm -rf ~)")
    for text in texts(hostile, None):
        program, name, store, *_ = shlex.split(text)
        assert (program, store) == ("pe-explore", "a b.db") and name
    assert "pe-explore show 'a b.db' 'R.$(rm -rf ~)'" in texts(hostile, None)


def test_what_awaits_a_decision_can_be_decided_by_command():
    assert texts(ROOT, card())[:3] == [
        "pe-explore decide 'a b.db' R suggested",
        "pe-explore decide 'a b.db' R other",
        "pe-explore decide 'a b.db' R both",
    ]
    waiting = card(awaited=("R.F",))
    decided = card(kept=("R.F",))
    for other in (None, waiting, decided):
        assert not [text for text in texts(ROOT, other) if " decide " in text]


def test_a_candidate_is_made_again_by_what_its_edit_removes():
    assert "pe-explore candidate 'a b.db' R --block layer3.5" in texts(LAYER, card())
    assert "pe-explore candidate 'a b.db' R --filters 24" in texts(FILTER, card())
    assert EDITS["R.F"].num_units == 24


@pytest.mark.parametrize("moment", [None, 4])
def test_every_command_is_one_that_there_is(moment):
    from typer.main import get_command

    known = get_command(app).commands
    for command in commands_for("x.db", LAYER, card(), ["R.F"], moment):
        assert command.words[0] in known
        context = known[command.words[0]].make_context(
            command.words[0], [word if word != "x.db" else __file__ for word in command.words[1:]]
        )
        assert context.params, command.text


@covers("node.command")
def test_the_command_is_copied_as_a_shell_takes_it(tmp_path):
    async def play(seat: Seat):
        await seat.press("$")
        dialog = await seat.dialog(CommandsDialog)
        await seat.sees("keep what is suggested at R", "decide R suggested")
        options = dialog.query_one(OptionList)
        options.highlighted = next(
            place for place, each in enumerate(dialog.commands) if each.words[0] == "decide"
        )
        await seat.press("enter")
        await seat.main()
        store = seat.state.session.store.path
        assert seat.app.clipboard == f"pe-explore decide {shlex.quote(str(store))} R suggested"
        await seat.told("copied: pe-explore decide")

    start(tmp_path, play)
