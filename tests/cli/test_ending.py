"""What asks a command to end lets it end in order."""

from __future__ import annotations

import os
import signal

import pytest

from explorer.cli.sessions import ending_in_order

ENDS = (signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def as_a_command_begins():
    before = {number: signal.signal(number, signal.SIG_DFL) for number in ENDS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("first", ENDS)
def test_what_asks_twice_does_not_break_off_the_ending(first):
    ended = []
    with pytest.raises(KeyboardInterrupt), ending_in_order():
        try:
            os.kill(os.getpid(), first)
        finally:
            for number in ENDS:  # as `timeout` does, to the process and to its group
                os.kill(os.getpid(), number)
            ended.append(True)
    assert ended and all(signal.getsignal(number) is signal.SIG_DFL for number in ENDS)


def test_what_is_ignored_under_nohup_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with ending_in_order():
        os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
