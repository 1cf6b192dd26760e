"""The planner's sheet: before the first job of a new run, and for looking at an open one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from engine.contracts.errors import SettingsError, UserError
from engine.contracts.events import Progress
from engine.contracts.options import SettingValue
from engine.contracts.settings import Settings
from explorer.session.errors import MENDABLE
from explorer.session.events import JobTold, SessionEvent
from explorer.session.named_files import check_validation
from explorer.session.offer import Offer
from explorer.session.speed import Speed
from explorer.tui.drawing import plan as drawing
from explorer.tui.drawing.cells import Line
from explorer.tui.key_bindings import bindings
from explorer.tui.plan_sheet import PlanSheet, RunSheet
from explorer.tui.screens.form_widgets import Choice, PushButton
from explorer.tui.screens.input_dialogs import TextDialog
from explorer.tui.widgets.settings_list import Lines, SettingsList
from explorer.views.as_command import Command
from explorer.views.plan import Prediction
from explorer.views.safe_text import safe
from explorer.views.setting_views import (
    neighbour,
    read_value,
    shown_value,
    with_value,
)

WIDE = 100  # cells from which on the meaning stands beside the list
SETTLE_SECONDS = 0.4  # between the last change and measuring anew


class _Sheet(ModalScreen[Settings | None]):
    """What both sheets have in common: facts, settings, the meaning of one, times."""

    DEFAULT_CSS = """
    _Sheet {
        #box {
            width: 100%; height: 100%; background: $surface; padding: 0 1;
            border: round $accent; border-title-color: $accent; border-title-style: bold;
            border-subtitle-color: $foreground;
        }
        #facts { height: auto; max-height: 9; margin-bottom: 1; }
        #presets { height: 1; margin-bottom: 1; }
        #presets Static { width: auto; text-style: bold; margin-right: 2; }
        #middle { height: 1fr; }
        #settings { width: 1fr; height: 1fr; }
        #side { width: 46%; max-width: 76; height: 1fr; margin-left: 2; }
        #meaning { height: auto; min-height: 4; max-height: 9; margin-bottom: 1; }
        #times { height: 1fr; }
        #wrong { height: 1; color: $text-error; text-style: bold; }
        #buttons { height: 1; }
        &.-narrow {
            #facts { max-height: 4; margin-bottom: 0; }
            #presets { margin-bottom: 0; }
            #middle { layout: vertical; }
            #settings { width: 100%; }
            #side { width: 100%; max-width: 100%; height: 8; margin-left: 0; }
            #meaning { min-height: 3; max-height: 3; margin-bottom: 0; }
            #times { height: 5; }
        }
        &:ansi { background: ansi_default; #box { background: ansi_default; } }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings("settings", {"leave": "leave"})
    sheet: PlanSheet | RunSheet

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = Text(safe(self.heading(), 90))
            yield Lines(self._facts, id="facts")
            yield from self.above()
            with Horizontal(id="middle"):
                yield SettingsList(self.sheet.views)
                with Vertical(id="side"):
                    yield Lines(self._meaning, id="meaning")
                    yield Lines(self.times, id="times")
            yield Static(id="wrong", markup=False)
            with Horizontal(id="buttons"):
                yield from self.buttons()

    def heading(self) -> str:
        """The question that the sheet answers."""
        raise NotImplementedError

    def above(self) -> ComposeResult:
        """What stands between the facts and the settings."""
        yield from ()

    def buttons(self) -> Sequence[PushButton]:
        """The buttons at the foot."""
        return ()

    def times(self, width: int, height: int) -> Sequence[Line]:
        """What it takes, or took."""
        return ()

    # ------------------------------------------------------------ the same for both

    @property
    def list(self) -> SettingsList:
        return self.query_one(SettingsList)

    def on_mount(self) -> None:
        self._fit()
        self.list.focus()

    def on_resize(self, event: events.Resize) -> None:
        self._fit()

    def _fit(self) -> None:
        size = self.app.size
        self.set_class(size.width < WIDE, "-narrow")
        most = 4 if size.width < WIDE else max(4, min(9, size.height // 4))
        self.query_one("#facts").styles.height = len(self._facts(max(size.width - 4, 20), most))

    def _facts(self, width: int, height: int) -> Sequence[Line]:
        brief = self.app.size.width < WIDE
        return drawing.facts(self.sheet.network, self.sheet.data, width, height, brief=brief)

    def _meaning(self, width: int, height: int) -> Sequence[Line]:
        lines = drawing.meaning(self.list.marked, width)
        self.query_one("#meaning").styles.height = len(lines)
        return lines

    def on_settings_list_moved(self, event: SettingsList.Moved) -> None:
        event.stop()
        self.complain("")
        self.query_one("#meaning", Lines).repaint()

    def complain(self, problem: str) -> None:
        """Says below what is wrong; an empty text takes it back."""
        self.query_one("#wrong", Static).update(Text(safe(problem), no_wrap=True))

    def on_push_button_pressed(self, event: PushButton.Pressed) -> None:
        event.stop()
        self.run_worker(self.run_action(event.button.id or ""))

    def action_leave(self) -> None:
        self.dismiss(None)


class PlanScreen(_Sheet):
    """With which settings a new run begins; None where it does not. `keep` gets the prediction
    with which it was begun."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "begin", "Begin"),
        *bindings(
            "settings",
            {
                "less": "turn(-1)",
                "more": "turn(1)",
                "edit": "edit",
                "preset": "preset",
                "reset": "reset",
                "copy": "copy",
            },
        ),
    ]

    why_fixed = "--{} is set where the run is opened"

    def __init__(
        self,
        offer: Offer,
        emit: Callable[[SessionEvent], object],
        keep: Callable[[Prediction | None], object] = lambda prediction: None,
        as_command: Callable[[PlanSheet], Command] | None = None,
    ) -> None:
        super().__init__()
        self.sheet: PlanSheet = PlanSheet.of(offer)
        self._emit, self._keep, self._as_command = emit, keep, as_command
        self._progress = ""

    def heading(self) -> str:
        return f"Plan · {self.sheet.offer.new.checkpoint.name} · begin with these settings?"

    def above(self) -> ComposeResult:
        with Horizontal(id="presets"):
            yield Static("Preset", markup=False)
            yield Choice(self.sheet.presets, self.sheet.preset_word, id="which")

    def buttons(self) -> Sequence[PushButton]:
        return (
            PushButton("Begin", "⏎", id="begin"),
            PushButton("Change", "space ← →", id="edit"),
            PushButton("Preset", "p", id="preset"),
            PushButton("As before", "r", id="reset"),
            PushButton("Copy", "$", id="copy"),
            PushButton("Leave", "Esc", id="leave"),
        )

    def times(self, width: int, height: int) -> Sequence[Line]:
        return drawing.times(self.sheet, self._progress, width, height)[:height]

    def on_mount(self) -> None:
        self._measure_soon(0)

    # ------------------------------------------------------------ changing settings

    def action_turn(self, step: int) -> None:
        view = self.list.marked
        name = view.name.replace("-", "_")
        if self._is_fixed(name):
            return
        value = neighbour(name, view.value, step)
        if value == view.value and view.value is None:
            self.action_edit()
        else:
            self._change(name, value)

    def action_edit(self) -> None:
        view = self.list.marked
        name = view.name.replace("-", "_")
        if self._is_fixed(name):
            return

        def wrong(text: str) -> str | None:
            try:
                settings = with_value(self.sheet.settings, name, read_value(name, text))
                if file := settings.data.validation_file:
                    check_validation(file)
            except (ValueError, UserError) as error:
                return str(error)
            return None

        def entered(text: str | None) -> None:
            if text is not None:
                self._change(name, read_value(name, text))

        value = "" if view.value is None else shown_value(view.value)
        value = value if isinstance(view.value, str) else value.replace(",", "")
        self.app.push_screen(TextDialog(view.name, view.about, value, check=wrong), entered)

    def action_preset(self) -> None:
        self.query_one("#which", Choice).action_turn(1)

    def action_reset(self) -> None:
        self.sheet.reset(self.list.marked.name.replace("-", "_"))
        self._changed()

    def on_choice_changed(self, event: Choice.Changed) -> None:
        event.stop()
        self.sheet.choose_preset(event.choice.chosen or "")
        self._changed()

    def on_settings_list_chosen(self, event: SettingsList.Chosen) -> None:
        event.stop()
        self.action_edit()

    def _is_fixed(self, name: str) -> bool:
        fixed = name in self.sheet.fixed
        if fixed:
            self.complain(self.why_fixed.format(name.replace("_", "-")))
        return fixed

    def _change(self, name: str, value: SettingValue) -> None:
        try:
            self.sheet.change(name, value)
        except SettingsError as error:
            self.complain(str(error))
            self.app.bell()
            return
        self._changed()

    def _changed(self) -> None:
        self.complain("")
        self.list.show(self.sheet.views)
        self.changed()
        self._repaint()
        if self.sheet.wants_measuring or self.sheet.wants_describing:
            self._measure_soon(SETTLE_SECONDS)

    def changed(self) -> None:
        """The settings are others now."""

    def _repaint(self) -> None:
        if not self.is_attached:  # closed: what is still told is for nobody
            return
        self._fit()
        for name in ("#facts", "#meaning", "#times"):
            self.query_one(name, Lines).repaint()

    # ------------------------------------------------------------ measuring

    def _measure_soon(self, seconds: float) -> None:
        async def work() -> None:
            await self._measure(seconds)

        self.run_worker(work, group="measuring", exclusive=True)  # type: ignore[arg-type]

    async def _measure(self, seconds: float) -> None:
        """Measures what is not known of the settings as they are."""
        await asyncio.sleep(seconds)
        sheet, settings = self.sheet, self.sheet.settings
        try:
            if sheet.wants_describing:
                sheet.described = await sheet.offer.describe(settings, self._heard)
                sheet.described_with = settings
                self._repaint()
            if sheet.wants_measuring:
                sheet.speed = await sheet.offer.measure(settings, self._heard, self._know)
                sheet.measured_with, sheet.problem = settings, ""
        except MENDABLE as error:
            sheet.problem = f"the speed could not be measured: {error}"
        self._progress = ""
        self._repaint()

    def _know(self, speed: Speed) -> None:
        self.sheet.speed = speed
        self._repaint()

    def _heard(self, event: SessionEvent) -> None:
        if isinstance(event, JobTold) and isinstance(event.event, Progress):
            told = event.event
            share = f" {100 * told.done / told.total:.0f} %" if 0 < told.done <= told.total else ""
            self._progress = f"measuring: {told.phase}{share}…"
            for times in self.query("#times").results(Lines):
                times.repaint()
        self._emit(event)

    # ------------------------------------------------------------ the end

    def action_copy(self) -> None:
        """Copies the command that begins with these settings, without asking."""
        if self._as_command is not None:
            text = self._as_command(self.sheet).text
            self.app.copy_to_clipboard(text)
            self.app.notify(f"copied: {safe(text, 300)}", markup=False)

    def action_begin(self) -> None:
        self._keep(self.sheet.prediction)
        self.dismiss(self.sheet.settings)


class RunSheetScreen(_Sheet):
    """The settings of an open run, and what its jobs took."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,q,P", "leave", "Close"),
        *bindings("settings", {"copy": "copy", "another": "another"}),
    ]

    def __init__(self, sheet: RunSheet) -> None:
        super().__init__()
        self.sheet: RunSheet = sheet

    def heading(self) -> str:
        return f"Settings · run {self.sheet.name} · what is this tree grown with?"

    def buttons(self) -> Sequence[PushButton]:
        return (
            PushButton("Another run", "n", id="another"),
            PushButton("Copy its command", "y", id="copy"),
            PushButton("Close", "Esc", id="leave"),
        )

    def times(self, width: int, height: int) -> Sequence[Line]:
        return drawing.times_of_run(self.sheet, width)[:height]

    async def action_another(self) -> None:
        """Another run with these settings, or some of them changed."""
        await self.dismiss(None)
        await self.app.run_action("app.press('grow.run')")

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self.sheet.command)
        self.app.notify("copied; change it and run it in a shell", markup=False)
