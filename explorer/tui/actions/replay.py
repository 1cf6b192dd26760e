"""Replay: stepping through the run's moments while work goes on."""

from __future__ import annotations

from textual.timer import Timer

from explorer.tui.state import AppBase
from explorer.views.replay import Replay

PLAY_SECONDS = 0.4  # between two moments


class ReplayActions(AppBase):
    """The time slider."""

    player: Timer | None = None

    def _replay(self) -> Replay | None:
        """The run's moments up to now."""
        if self.session is None:
            return None
        if self.replay is None:
            self.replay = Replay.of(self.session.store, self.session.run.id)
        else:
            self.replay.extend(self.session.store)
        return self.replay

    def action_replay(self, step: int) -> None:
        if (replay := self._replay()) is None:
            return
        last = len(replay.moments) - 1
        place = (last if self.moment is None else self.moment) + step
        self.show_moment(None if place >= last else max(place, 0))

    def action_replay_edge(self, edge: int) -> None:
        if self._replay() is not None:
            self._stop_playing()
            self.show_moment(None if edge else 0)

    def action_play(self) -> None:
        if (replay := self._replay()) is None:
            return
        if self.player is not None:
            self._stop_playing()
        else:
            if self.moment is None and len(replay.moments) > 1:
                self.show_moment(0)
            self.player = self.set_interval(PLAY_SECONDS, self._play_on)
        self.paint()

    def _play_on(self) -> None:
        self.action_replay(1)
        if self.moment is None:
            self._stop_playing()

    def _stop_playing(self) -> None:
        if self.player is not None:
            self.player.stop()
            self.player = None
