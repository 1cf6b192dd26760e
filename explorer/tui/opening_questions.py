"""What is asked while a run is opened: what is missing, what is doubtful, what it is begun with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.contracts.doubts import Doubt
from engine.contracts.settings import Settings
from explorer.executors.errors import JobFailedError
from explorer.session.data_places import DATA_CODES, VALIDATION_CODES
from explorer.session.errors import code_of
from explorer.session.known_run import AnotherRunError
from explorer.session.model_source import NoWeightsError
from explorer.session.offer import NotBegunError, Offer
from explorer.session.open_run import Request, store_of
from explorer.tui import presenter
from explorer.tui.context import Context

if TYPE_CHECKING:
    from explorer.tui.plan_sheet import PlanSheet
    from explorer.views.as_command import Command
    from explorer.views.plan import Prediction

# What a dialog about the data is called, by the code of what went wrong.
DATA_TITLES = {
    "data-not-found": "Where are its images now?",
    "other-data": "Other data are there",
    "validation-not-found": "Where are the images that decide now?",
    "other-validation": "Other images are there",
}


class OpeningQuestions:
    """Asks a person; what is answered changes the request of the app's state.

    Dialogs are imported where they are asked: the first paint waits for none of them.
    """

    def __init__(self, at: Context) -> None:
        self._at, self._state = at, at.state
        self.doubtful: str | None = None  # what was answered about a doubtful root

    async def failed(self, request: Request, error: Exception) -> bool:
        """Asks what to do; True to try again."""
        from explorer.tui.screens.dialogs import ConfirmDialog

        code = error.error if isinstance(error, JobFailedError) else code_of(error)
        if code in (*DATA_CODES, *VALIDATION_CODES):
            await self.ask_for_data(str(error), request, code)
            return True
        if isinstance(error, NoWeightsError):
            await self._ask_for_weights(str(error), request)
            return True
        if isinstance(error, AnotherRunError):
            question = ConfirmDialog("Begin another run?", error.why, "Begin", danger=False)
            begins = await self._at.ask(question)
            self._state.request = replace(request, new_run=True) if begins else None
            return True
        return await self._at.show_error(
            f"Cannot open {request.model}", str(error), "mend it and try again, or quit", retry=True
        )

    async def ask_for_data(self, why: str, request: Request, code: str) -> None:
        """Other data, or other images that decide, for the next try; without an answer, something
        else can be opened."""
        from explorer.tui.screens.dialogs import DataDialog

        network = self._state.live.network
        named, title = _named(request), DATA_TITLES.get(code)
        setting = "validation_from" if code in VALIDATION_CODES else "data"
        data = await self._at.ask(DataDialog(why, named, title=title, network=network))
        overrides = {**request.overrides, setting: data}
        self._state.request = None if data is None else replace(request, overrides=overrides)

    async def _ask_for_weights(self, why: str, request: Request) -> None:
        """The weights of a network by its name; without an answer, something else is opened."""
        from explorer.tui.screens.dialogs import WeightsDialog

        asked = WeightsDialog(why, presenter.model_name(self._state))
        weights: str | None = await self._at.ask(asked)
        if weights is None:
            self._state.request = None
        elif weights == WeightsDialog.RANDOM:
            self._state.request = replace(request, random_weights=True)
        else:
            self._state.request = replace(request, weights=Path(weights))

    async def accept(self, doubts: tuple[Doubt, ...]) -> bool:
        """Asks whether a tree is grown of a doubtful root."""
        from explorer.tui.screens.dialogs import DoubtDialog

        words = [doubt.words for doubt in doubts]
        dialog = DoubtDialog(presenter.model_name(self._state), words)
        self.doubtful = await self._at.ask(dialog)
        return self.doubtful == "grow"

    async def plan(self, offer: Offer) -> Settings:
        """Shows what a new run takes, and asks with which settings it begins."""
        from explorer.tui.screens.plan_screen import PlanScreen

        def keep(prediction: Prediction | None) -> None:
            self._state.predicted = prediction

        dialog = PlanScreen(offer, self._state.live.on_event, keep, self._as_command)
        settings: Settings | None = await self._at.ask(dialog)
        if settings is None:
            raise NotBegunError("nothing was begun, nor stored")
        return settings

    def _as_command(self, sheet: PlanSheet) -> Command:
        """What begins a run as a plan has it, in a shell."""
        from explorer.views.dialog_commands import begin_command

        request = self._state.request
        assert request is not None
        given = [*dict.fromkeys((*sheet.offer.given, *sheet.edits))]
        store = str(store_of(request))
        return begin_command(request, store, sheet.settings, given, sheet.preset)

    async def allow(self, question: str) -> bool:
        """Asks whether code is called that the store names; without, it can only be looked at."""
        from explorer.tui.screens.dialogs import ConfirmDialog

        dialog = ConfirmDialog("Call its factory?", question, "Call it")
        confirmed: bool | None = await self._at.ask(dialog)
        return bool(confirmed)


def _named(request: Request) -> str:
    """The data that were asked for."""
    return str(request.overrides.get("data") or "")
