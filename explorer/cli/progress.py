"""Progress of headless commands on standard error: bars at a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from engine.contracts.events import Progress
from explorer.session.events import JobRetried, JobTold, PhaseFinished, SessionEvent
from explorer.views.event_messages import line_of
from explorer.views.safe_text import safe

LINE_INTERVAL = 10.0  # seconds between two lines about the same work, without a terminal


class Reporter:
    """Listens to a session's events and tells a person what is going on."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.quiet = quiet
        self.bars: Bars | None = None
        self.tasks: dict[str, TaskID] = {}
        self.last_line: dict[str, float] = {}

    def __enter__(self) -> Self:
        if self.console.is_terminal and not self.quiet:
            self.bars = Bars(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                TaskProgressColumn(),
                TextColumn("{task.fields[figures]}", markup=False),
                console=self.console,
                transient=True,
            )
            self.bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.bars is not None:
            self.bars.stop()

    def say(self, line: str) -> None:
        """One line, above the bars where there are any."""
        if not self.quiet:
            self.console.print(Text(safe(line)), soft_wrap=True)

    def __call__(self, event: SessionEvent) -> None:
        if isinstance(event, JobTold) and isinstance(event.event, Progress):
            self._progress(event.node, event.event)
            return
        line = line_of(event)
        if line is not None:
            self.say(line)
        if isinstance(event, PhaseFinished | JobRetried):
            self._forget(event.node)

    def _progress(self, node: str, event: Progress) -> None:
        what = f"{node} {event.phase}".strip()
        figures = _figures(event)
        if self.bars is not None:
            self._move_bar(self.bars, node, what, event, figures)
            return
        now = time.monotonic()
        self.last_line.setdefault(what, now)  # the first line only once it takes that long
        if now - self.last_line[what] >= LINE_INTERVAL:
            self.last_line[what] = now
            self.say(f"{what} {100 * event.done / max(event.total, 1):.0f} % {figures}")

    def _move_bar(self, bars: Bars, node: str, what: str, event: Progress, figures: str) -> None:
        if what not in self.tasks:
            self._forget(node)
            self.tasks[what] = bars.add_task(what, total=event.total, figures=figures)
        bars.update(self.tasks[what], completed=event.done, total=event.total, figures=figures)
        if event.done >= event.total:
            bars.remove_task(self.tasks.pop(what))

    def _forget(self, node: str) -> None:
        if self.bars is None:
            return
        for what in [w for w in self.tasks if w.split(" ")[0] == node]:
            self.bars.remove_task(self.tasks.pop(what))


def _figures(event: Progress) -> str:
    parts = []
    if event.epoch is not None:
        parts.append(f"epoch {event.epoch}")
    if event.images_per_second is not None:
        parts.append(f"{event.images_per_second:.0f} images/s")
    if event.eta_seconds is not None:
        parts.append(f"{_duration(event.eta_seconds)} left")
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
