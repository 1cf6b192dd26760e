"""The planner's sheet for another run of a root that a store has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.contracts.settings import Settings
from engine.contracts.structure import NetworkStructure
from explorer.session.another_run import FIXED
from explorer.session.errors import MENDABLE
from explorer.session.events import SessionEvent
from explorer.session.offer import Offer
from explorer.tui.plan_sheet import PlanSheet
from explorer.tui.screens.plan_screen import PlanScreen
from explorer.views.plan_view import NetworkRecognised, network_recognised
from explorer.views.safe_text import safe
from explorer.views.setting_views import SettingView, setting_views, shown_value


class AnotherRunScreen(PlanScreen):
    """With which settings another run begins; None where none does. At first they are those of the
    open run with the next seed; `check` raises where a run has them already."""

    why_fixed = "--{} says what the root was measured on: other images are another root"

    def __init__(
        self,
        offer: Offer,
        run: str,
        seed: int,
        structure: NetworkStructure | None,
        check: Callable[[Settings], object],
        emit: Callable[[SessionEvent], object],
    ) -> None:
        """`structure` is the root's, also where an older run did not store it."""
        super().__init__(offer, emit)
        self.sheet = _Sheet(
            offer, edits={"seed": seed}, fixed=FIXED, unchanged="as this run", structure=structure
        )
        self._run, self._check = run, check
        self._usual = setting_views(offer.new.settings)

    def heading(self) -> str:
        return f"Another run of {self._run}'s root · begin with these settings?"

    def on_mount(self) -> None:
        self.call_after_refresh(self.list.mark, "seed")
        self._tell_difference()

    def changed(self) -> None:
        self._tell_difference()

    def _tell_difference(self) -> None:
        told = differences(self._usual, self.sheet.views)
        box = self.query_one("#box")
        box.border_subtitle = safe(f"unlike {self._run}: {told or 'nothing'}", 200)

    def action_begin(self) -> None:
        try:
            self._check(self.sheet.settings)
        except MENDABLE as error:
            self.complain(str(error))
            self.app.bell()
            return
        super().action_begin()


@dataclass
class _Sheet(PlanSheet):
    """The sheet of another run; why an open one has its settings nobody knows."""

    structure: NetworkStructure | None = None

    @property
    def network(self) -> NetworkRecognised:
        root = self.offer.new.root
        return network_recognised(
            root.architecture, self.structure, root.metrics, root.notes, root.doubts, self.settings
        )

    @property
    def views(self) -> tuple[SettingView, ...]:
        return setting_views(self.settings)


def differences(usual: Sequence[SettingView], now: Sequence[SettingView]) -> str:
    """`seed 2 instead of 1`, for each setting that is another one."""
    return ", ".join(
        f"{b.name} {shown_value(b.value)} instead of {shown_value(a.value)}"
        for a, b in zip(usual, now, strict=True)
        if a.value != b.value
    )
