"""Replay: stepping through the run's moments while work goes on."""

from __future__ import annotations

from functools import partial

from explorer.tui.actions.action import Action
from explorer.tui.context import Context
from explorer.tui.state import AppState
from explorer.views.replay import Replay

PLAY_SECONDS = 0.4  # between two moments


def _replay(state: AppState) -> Replay | None:
    """The run's moments up to now."""
    if state.session is None:
        return None
    if state.replay is None:
        state.replay = Replay.of(state.session.store, state.session.run.id)
    else:
        state.replay.extend()
    return state.replay


def step(at: Context, moments: int) -> None:
    """Goes on by so many moments, or back."""
    if (replay := _replay(at.state)) is None:
        return
    last, moment = len(replay.moments) - 1, at.state.moment
    place = (last if moment is None else moment) + moments
    at.screen.show_moment(None if place >= last else max(place, 0))


def go_to(at: Context, moment: int | None) -> None:
    """Shows the first moment (0) or now (None)."""
    if _replay(at.state) is not None:
        at.screen.stop_playing()
        at.screen.show_moment(moment)


def play(at: Context) -> None:
    if (replay := _replay(at.state)) is None:
        return
    if at.state.playing:
        at.screen.stop_playing()
    else:
        if at.state.moment is None and len(replay.moments) > 1:
            at.screen.show_moment(0)
        at.screen.start_playing(PLAY_SECONDS, partial(_play_on, at))
    at.screen.paint()


def _play_on(at: Context) -> None:
    step(at, 1)
    if at.state.moment is None:
        at.screen.stop_playing()


ACTIONS: dict[str, Action] = {
    "replay.back": partial(step, moments=-1),
    "replay.forward": partial(step, moments=1),
    "replay.first": partial(go_to, moment=0),
    "replay.last": partial(go_to, moment=None),
    "replay.play": play,
}
