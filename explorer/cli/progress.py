"""Progress of headless commands on standard error: bars at a terminal, plain lines elsewhere."""

from __future__ import annotations

import signal
import sys
import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.prompt import Confirm
from rich.text import Text

from engine.contracts.events import Progress, WorkerStarted
from engine.contracts.message_text import plural
from explorer.session.events import (
    JobAnswered,
    JobAsked,
    JobRetried,
    JobTold,
    PhaseFinished,
    SessionEvent,
)
from explorer.views.duration import duration
from explorer.views.event_messages import line_of
from explorer.views.safe_text import safe

LINE_INTERVAL = 10.0  # seconds between two lines about the same work, without a terminal
SILENCE = 3.0  # seconds after which it is said that the first job waits for its worker
WARMING = "the engine is warming up"


class Reporter:
    """Listens to a session's events and tells a person what is going on."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.quiet = quiet
        self.bars: Bars | None = None
        self.tasks: dict[str, TaskID] = {}
        self.last_line: dict[str, float] = {}
        self._warming: threading.Timer | None = None  # begun when the first job was asked for

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
        self._is_warm()
        if self.bars is not None:
            self.bars.stop()

    def say(self, line: str) -> None:
        """One line, above the bars where there are any."""
        if not self.quiet:
            self.console.print(Text(safe(line)), soft_wrap=True)

    def asks(self, question: str) -> bool:
        """Whether a person at a terminal says yes; no where there is none."""
        if not (self.console.is_terminal and sys.stdin is not None and sys.stdin.isatty()):
            return False
        if self.bars is not None:
            self.bars.stop()
        # asyncio's handler would only cancel its task, and the question go on waiting.
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return Confirm.ask(Text(question), console=self.console, default=False)
        except EOFError:
            return False
        finally:
            signal.signal(signal.SIGINT, handler)
            if self.bars is not None:
                self.bars.start()

    def __call__(self, event: SessionEvent) -> None:
        if isinstance(event, JobAsked) and self._warming is None:
            self._warming = threading.Timer(SILENCE, self._say_warming)
            self._warming.daemon = True
            self._warming.start()
        elif isinstance(event, JobAnswered) or _is_of_the_engine(event):
            self._is_warm()
        if isinstance(event, JobTold) and isinstance(event.event, Progress):
            self._progress(event.node, event.event)
            return
        line = line_of(event)
        if line is not None:
            self.say(line)
        if isinstance(event, PhaseFinished | JobRetried):
            self._forget(event.node)

    def _say_warming(self) -> None:
        if self.bars is None:
            self.say(WARMING)
        else:
            self.tasks[WARMING] = self.bars.add_task(WARMING, total=None, figures="")

    def _is_warm(self) -> None:
        if self._warming is None:
            return
        self._warming.cancel()
        self._warming.join()
        if self.bars is not None and WARMING in self.tasks:
            self.bars.remove_task(self.tasks.pop(WARMING))

    def _progress(self, node: str, event: Progress) -> None:
        what = safe(f"{node} {event.phase}".strip())
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


def _is_of_the_engine(event: SessionEvent) -> bool:
    """Whether the engine itself speaks: that its process was started is told before."""
    return isinstance(event, JobTold) and not isinstance(event.event, WorkerStarted)


def _figures(event: Progress) -> str:
    parts = []
    if event.epoch is not None:
        parts.append(f"epoch {event.epoch}")
    if event.images_per_second is not None:
        parts.append(f"{event.images_per_second:.0f} {plural(event.row)}/s")
    if event.eta_seconds is not None:
        parts.append(f"{duration(event.eta_seconds)} left")
    return ", ".join(parts)


class ByteProgress:
    """Says on standard error how many bytes of a long reading or writing are done, and how long
    the rest will take; what takes no time says nothing. Called with bytes done and in all.

    `before` is what goes on until the first bytes are told, `done` what happens to the bytes.
    """

    QUIET_SECONDS = 2.0
    LINE_SECONDS = 5.0  # between two lines, without a terminal

    def __init__(self, before: str, done: str) -> None:
        self.before, self.what = before, done
        self.done, self.total = 0, 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def __call__(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    def _tell(self) -> None:
        if self._ended.wait(self.QUIET_SECONDS):
            return
        console = Console(stderr=True, highlight=False)
        if console.is_terminal:
            self._draw(console)
        else:
            self._print_lines(console)

    def _draw(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(24),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=console, transient=True) as bars:
            task = bars.add_task(self.before, total=None)
            while not self._ended.wait(0.2):
                if self.total:
                    bars.update(
                        task, description=self._amount(), completed=self.done, total=self.total
                    )

    def _print_lines(self, console: Console) -> None:
        started, begun = time.monotonic(), 0
        while True:
            if not self.total:
                line, started = self.before, time.monotonic()
            else:
                begun = begun or self.done
                rate = (self.done - begun) / max(time.monotonic() - started, 1e-3)
                left = f", {duration((self.total - self.done) / rate)} left" if rate else ""
                line = f"{self._amount()} {self.what}{left}"
            console.print(Text(safe(line)), soft_wrap=True)
            if self._ended.wait(self.LINE_SECONDS):
                return

    def _amount(self) -> str:
        return f"{self.done / 1e6:,.0f} of {self.total / 1e6:,.0f} MB"
