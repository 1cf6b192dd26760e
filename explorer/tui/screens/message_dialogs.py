"""Dialogs that tell something and ask for a word: confirm, quit, error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from explorer.tui.screens.dialog import Dialog, line
from explorer.tui.screens.form_widgets import PickList, PushButton
from explorer.views.job_view import JobView
from explorer.views.safe_text import safe


class ConfirmDialog(Dialog[bool]):
    """Whether to do something; where it is dangerous, enter alone does not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "submit", "Yes"),
        Binding("n", "cancel", "No"),
    ]
    nothing = False

    def __init__(self, title: str, text: str, confirm_label: str, danger: bool = True) -> None:
        super().__init__(title)
        self.text = text
        self.confirm_label = confirm_label
        self.danger = danger

    def body(self) -> ComposeResult:
        yield line(self.text)

    def buttons(self) -> list[PushButton]:
        return [PushButton(self.confirm_label, "y", id="submit")]

    def on_mount(self) -> None:
        self.query_one("#cancel" if self.danger else "#submit").focus()

    def answer(self) -> bool:
        return True


class LeavingDialog(Dialog[str]):
    """What becomes of live jobs: one of the `ways`, each with its key, its words and meaning."""

    LONGEST = 3  # jobs that are named
    cancel_label = "Stay"
    ways: Sequence[tuple[str, str, str, str]]

    def __init__(self, title: str, jobs: Sequence[JobView], left: str = "") -> None:
        """`left` says what is left to the policy."""
        super().__init__(f"{title} {_counted(jobs)}")
        self.jobs, self.left = tuple(jobs), left

    def body(self) -> ComposeResult:
        if self.left:
            yield line(f"Left to the policy: {self.left}.")
        named = [_job_line(job) for job in self.jobs[: self.LONGEST]]
        if len(self.jobs) > self.LONGEST:
            named.append(f"and {len(self.jobs) - self.LONGEST} more")
        yield Static(Text("\n".join(safe(each) for each in named)), markup=False)
        options = []
        for name, key, word, meaning in self.ways:
            prompt = Text(f"{key} ", "bold").append(f"{word}: ", "bold").append(meaning, "not bold")
            options.append(Option(prompt, id=name))
        yield PickList(*options)

    def buttons(self) -> list[PushButton]:
        return []

    def answer(self) -> str | None:
        options = self.query_one(OptionList)
        place = options.highlighted
        return None if place is None else options.get_option_at_index(place).id

    def action_go(self, way: str) -> None:
        """Answers with a way, where it is offered."""
        if any(way == each[0] for each in self.ways):
            self.dismiss(way)


class QuitDialog(LeavingDialog):
    """What becomes of live jobs when the app is left: "wait", "stop" or "leave"."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "go('wait')", "Wait"),
        Binding("s", "go('stop')", "Stop"),
        Binding("l", "go('leave')", "Leave"),
    ]

    def __init__(
        self, jobs: Sequence[JobView], num_detachable: int | None = None, left: str = ""
    ) -> None:
        """`num_detachable`: nothing goes on in the background here, but so many of the jobs would
        end by themselves."""
        num = len(jobs)
        goes_on = "everything, in the background; opening the tree takes it over again"
        if num_detachable is not None:
            goes_on = _what_goes_on(min(num_detachable, num), num)
        self.ways = (
            ("leave", "l", "Leave it running", goes_on),
            ("wait", "w", "Wait", "quit when the work is done; nothing new is decided"),
            ("stop", "s", "Stop", "end it now; what is stored stays, and the next start goes on"),
        )
        super().__init__("Quit?", jobs, left)


class SwitchDialog(LeavingDialog):
    """What becomes of live jobs when something else is opened: "stop" or "leave"."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "go('stop')", "Stop"),
        Binding("l", "go('leave')", "Leave"),
    ]

    def __init__(
        self,
        to: str,
        jobs: Sequence[JobView],
        left: str = "",
        *,
        may_leave: bool = True,
        read_only_meanwhile: bool = False,
    ) -> None:
        """`to` is what is to be opened, `read_only_meanwhile` where it can only be looked at while
        work goes on in the background."""
        meanwhile = "; what you open is for reading meanwhile" if read_only_meanwhile else ""
        stop = "end it now; what is left to be done waits until this run is opened again"
        ways = [("stop", "s", "Stop here", stop)]
        if may_leave:
            goes_on = f"everything here, in the background{meanwhile}"
            ways.insert(0, ("leave", "l", "Leave it running", goes_on))
        self.ways = ways
        super().__init__(f"Open {to}?", jobs, left)


def _counted(jobs: Sequence[JobView]) -> str:
    """`2 jobs run, 3 wait`."""
    waiting = sum(job.state == "queued" for job in jobs)
    running = len(jobs) - waiting
    run = f"{running} job{'s run' if running != 1 else ' runs'}" if running or not waiting else ""
    noun = "" if running else "job" if waiting == 1 else "jobs"
    wait = f"{waiting} {noun} {'waits' if waiting == 1 else 'wait'}" if waiting else ""
    return ", ".join(filter(None, (run, wait.replace("  ", " "))))


def _what_goes_on(left: int, num: int) -> str:
    """What becomes of so many jobs where so many of them are left running."""
    if left == num:
        return "it goes on without the app; the next start takes its result"
    if left == 0:
        return "none has begun yet, so none goes on; the next start begins them"
    go = "goes" if left == 1 else "go"
    return f"{left} of {num} {go} on without the app; the rest begins at the next start"


def _job_line(job: JobView) -> str:
    share = "" if job.share is None else f" {100 * job.share:.0f} %"
    epoch = f" epoch {job.epoch}" if job.epoch else ""
    return f"{job.node} {job.kind}: {job.state}{epoch}{share}"


class DoubtDialog(Dialog[str]):
    """Whether a tree is grown of a root whose figures are doubtful: "grow" or "data"."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "dismiss('grow')", "Grow"),
        Binding("d", "dismiss('data')", "Other data"),
    ]
    cancel_label = "Quit"

    def __init__(self, model: str, doubts: Sequence[str]) -> None:
        super().__init__(f"Grow a tree of {model}?")
        self.doubts = tuple(doubts)

    def body(self) -> ComposeResult:
        for words in self.doubts:
            yield line(words)
        yield line("Nothing is stored yet.")

    def buttons(self) -> list[PushButton]:
        return [
            PushButton("Grow anyway", "g", id="grow"),
            PushButton("Other data", "d", id="data"),
        ]

    def on_mount(self) -> None:
        self.query_one("#cancel").focus()

    def pressed(self, id: str) -> None:
        if id in ("grow", "data"):
            self.dismiss(id)
        else:
            super().pressed(id)


class ErrorDialog(Dialog[str]):
    """What went wrong, why, and what helps; "retry" where that is offered."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy"),
        Binding("r", "retry", "Try again"),
    ]
    cancel_label = "Close"

    def __init__(
        self, title: str, cause: str, remedy: str, detail: str | None = None, retry: bool = False
    ) -> None:
        super().__init__(title)
        self.cause, self.remedy, self.detail, self.may_retry = cause, remedy, detail, retry

    def body(self) -> ComposeResult:
        yield line(self.cause)
        yield Static(Text("→ ", "bold").append(safe(self.remedy)), markup=False)
        if self.detail:
            lines = self.detail.splitlines()
            yield Static(Text("\n".join(safe(each) for each in lines), "dim"), markup=False)

    def buttons(self) -> list[PushButton]:
        retry = [PushButton("Try again", "r", id="retry")] if self.may_retry else []
        return [*retry, PushButton("Copy", "y", id="copy")]

    def on_mount(self) -> None:
        self.query_one("#retry" if self.may_retry else "#cancel").focus()

    def pressed(self, id: str) -> None:
        if id == "retry":
            self.action_retry()
        elif id == "copy":
            self.action_copy()
        else:
            super().pressed(id)

    def action_retry(self) -> None:
        if self.may_retry:
            self.dismiss("retry")

    def action_copy(self) -> None:
        parts = (self.dialog_title, self.cause, self.remedy, self.detail or "")
        self.app.copy_to_clipboard("\n".join(part for part in parts if part))
        self.app.notify("copied", markup=False)

    def answer(self) -> str | None:
        return "retry" if self.may_retry else None
