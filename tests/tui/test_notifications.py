"""Who looks elsewhere is told that it is their turn, and that what they left has ended."""

from __future__ import annotations

from unittest import mock

import pytest
from driver import explore, start

from explorer.session.budget import Budget
from explorer.session.notifying import NotifyError


@pytest.fixture
def told():
    """The news that the person's program was started with."""
    with mock.patch("explorer.tui.notifications.run_command") as run:
        yield lambda: [call.args[2] for call in run.call_args_list]


def configured(tmp_path, notify: str = "none") -> None:
    (tmp_path / "config.toml").write_text(f'[ui]\nnotify = "{notify}"\nnotify-command = "tell"\n')


@pytest.mark.parametrize(("seconds", "number"), [(0.0, 1), (1e9, 0)])
def test_a_decision_that_took_its_time_is_told_and_a_quick_one_is_not(
    tmp_path, told, seconds, number
):
    configured(tmp_path)

    async def play(seat):
        await seat.idle()
        await seat.told("R: both candidates are measured")

    with mock.patch("explorer.tui.notifications.AWAITED_SECONDS", seconds):
        explore(tmp_path, play)
    assert told() == ["R awaits your decision"] * number


def test_the_end_of_what_was_left_to_the_policy_is_told(tmp_path, told):
    configured(tmp_path)

    async def play(seat):
        seat.state.steering.let_decide(Budget(decisions=2), seat.node("R"))
        await seat.idle()
        await seat.until(told, "the news")

    start(tmp_path, play)
    (news,) = told()
    assert "all decisions that were left to the policy are made" in news
    assert "the policy made 2 decisions alone" in news


def test_the_terminal_is_told_in_its_way(tmp_path, told):
    configured(tmp_path, "osc9")
    sent: list[str] = []

    async def play(seat):
        seat.app._driver.write = sent.append
        seat.state.steering.let_decide(Budget(decisions=1), seat.node("R"))
        await seat.idle()
        await seat.until(lambda: any("\x1b]9;pe-explore: R" in text for text in sent), "OSC 9")

    start(tmp_path, play, environ={"TMUX": ""})


def test_a_program_that_cannot_be_started_is_told_once_and_ends_nothing(tmp_path):
    configured(tmp_path)

    async def play(seat):
        for _ in range(2):
            seat.app.notifications.tell("news")
        await seat.told("notify-command")
        assert sum("notify-command" in each for each in seat.app.told) == 1

    with mock.patch(
        "explorer.tui.notifications.run_command", side_effect=NotifyError("the notify-command …")
    ):
        start(tmp_path, play)
