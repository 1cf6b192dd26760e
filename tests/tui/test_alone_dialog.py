"""The dialog that leaves decisions to the policy: where, until when, and which not."""

from __future__ import annotations

import time

from screens import drive
from textual.widgets import Input

from explorer.session.budget import Budget
from explorer.tui.screens.alone_dialog import AloneDialog, Left

NOW = time.mktime((2026, 11, 28, 22, 0, 0, 0, 0, -1))


def dialog() -> AloneDialog:
    return AloneDialog("R.L", "cka", now=NOW)


def answered(*fill: tuple[str, str], keys: tuple[str, ...] = ("enter",)):
    """What the dialog answers with these in its fields."""

    async def play(pilot, app):
        for field, text in fill:
            app.screen.query_one(f"#alone-{field}", Input).value = text
        await pilot.pause()
        await pilot.press(*keys)

    return drive(dialog(), play)


def test_three_decisions_from_here_on_is_one_key():
    assert answered().answer == Left(Budget(decisions=3), everywhere=False)


def test_every_limit_can_be_given_and_left_out():
    six = time.mktime((2026, 11, 29, 6, 0, 0, 0, 0, -1))
    left = answered(("count", ""), ("until", "06:00"), ("macs", "40"), ("drop", "1,5")).answer
    assert left == Left(Budget(until=six, target_macs=40.0, max_drop=1.5))


def test_where_and_close_calls_are_chosen_by_arrows():
    async def play(pilot, app):
        app.screen.query_one("#alone-where").focus()
        await pilot.press("right")
        app.screen.query_one("#alone-close").focus()
        await pilot.press("right", "enter")

    left = drive(dialog(), play).answer
    assert left == Left(Budget(decisions=3, stop_at_close_calls=True), everywhere=True)


def test_none_asks_again():
    assert answered(("count", "0")).answer == Left(None)


def test_what_is_wrong_is_said_and_the_dialog_stays():
    async def play(pilot, app):
        wrong = [("until", "soon", "no time such as"), ("drop", "much", "no number|not a number")]
        for field, text, words in wrong:
            app.screen.query_one(f"#alone-{field}", Input).value = text
            await pilot.press("enter")
            await pilot.pause()
            assert any(word in "\n".join(app.lines) for word in words.split("|")), words
            app.screen.query_one(f"#alone-{field}", Input).value = ""
        app.screen.query_one("#alone-count", Input).value = ""
        await pilot.press("enter")
        await pilot.pause()
        assert "at least one limit" in "\n".join(app.lines)
        await pilot.press("escape")

    assert drive(dialog(), play).answer is None
