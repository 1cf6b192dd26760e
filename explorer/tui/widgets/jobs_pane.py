"""The jobs: what the workers do now and what waits, one line each."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from rich.cells import cell_len
from textual.content import Content

from explorer.tui.drawing import numbers as fig
from explorer.tui.widgets.lines_view import Line, LinesView
from explorer.views.job_view import JobView
from explorer.views.safe_text import safe


class Field(Enum):
    """A field of a job's line."""

    HEAD = auto()
    EPOCH = auto()
    BAR = auto()
    SHARE = auto()
    RATE = auto()
    ETA = auto()
    DEVICE = auto()
    MEMORY = auto()


_MARKS = {"running": "◐", "queued": "◌", "paused": "‖"}
_TONES = {"running": "title", "queued": "dim", "paused": "warning"}
# The fields in their order on the line, and the order in which they go where it is narrow.
_ORDER = tuple(Field)
_DROPPED = (Field.MEMORY, Field.DEVICE, Field.RATE, Field.BAR, Field.EPOCH, Field.ETA, Field.SHARE)
_BAR, _LONGEST_BAR = 6, 32  # cells: the least that is worth showing, and the most


class JobsPane(LinesView):
    """The jobs of a session."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._shown: tuple[Sequence[JobView], bool, str | None, str] = ((), False, None, "")
        self.border_title = Content("Jobs")

    def show(
        self,
        jobs: Sequence[JobView],
        paused: bool = False,
        warming: str | None = None,
        idle: str = "",
    ) -> None:
        """Shows the jobs in this order; `warming` says what is awaited before any of them runs,
        and `idle` what to do where there are none."""
        if (tuple(jobs), paused, warming, idle) == self._shown:
            return
        self._shown = tuple(jobs), paused, warming, idle
        self.border_title = Content(title(jobs, paused))
        self.repaint()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        jobs, paused, warming, idle = self._shown
        return job_table(jobs, paused, warming, width, height, idle)


def title(jobs: Sequence[JobView], paused: bool) -> str:
    """`Jobs · 1 running · 1 waiting`."""
    waiting = sum(job.state == "queued" for job in jobs)
    counts = [
        "paused" if paused else "",
        f"{len(jobs) - waiting} running" if len(jobs) > waiting and not paused else "",
        f"{waiting} waiting" if waiting else "",
    ]
    return " · ".join(["Jobs", *filter(None, counts)])


def job_table(
    jobs: Sequence[JobView],
    paused: bool,
    warming: str | None,
    width: int,
    height: int,
    idle: str = "",
) -> list[Line]:
    """The lines of the pane in a frame of this size."""
    lines: list[Line] = []
    if warming:
        lines.append([(fig.cut(f"◌ {safe(warming)}", width), "warning")])
    elif not jobs:
        said = ("‖ paused: space lets the work go on", "warning") if paused else (idle, "dim")
        return [[(fig.cut(said[0], width), said[1])]]
    room = max(height - len(lines), 0)
    shown = jobs if len(jobs) <= room else jobs[: max(room - 1, 0)]
    lines += _rows(shown, width)
    if len(shown) < len(jobs):
        lines.append([(fig.cut(f"… and {len(jobs) - len(shown)} more", width), "dim")])
    return lines[:height]


def _rows(jobs: Sequence[JobView], width: int) -> list[Line]:
    """One line a job, their fields below each other."""
    columns = {key: [_field(job, key) for job in jobs] for key in _ORDER}
    widths = {
        key: max((cell_len(text) for text in texts), default=0) for key, texts in columns.items()
    }
    widths[Field.BAR] = _BAR if any(job.share is not None for job in jobs) else 0
    keys = [key for key in _ORDER if widths[key]]
    for dropped in _DROPPED:
        if _total(widths, keys) <= width:
            break
        keys = [key for key in keys if key != dropped]
    spare = width - _total(widths, keys)
    widths[Field.BAR] = min(widths[Field.BAR] + max(spare, 0), _LONGEST_BAR)
    rows: list[Line] = []
    for place, job in enumerate(jobs):
        row = []
        for key in keys:
            text = columns[key][place]
            if key is Field.BAR:
                text = (
                    ""
                    if job.share is None or not columns[Field.SHARE][place]
                    else fig.progress(job.share, widths[Field.BAR])
                )
            gap = "" if key == keys[-1] else "  "
            tone = _TONES.get(job.state, "") if key in (Field.HEAD, Field.BAR) else ""
            row.append((fig.pad(text, widths[key]) + gap, tone))
        rows.append(row)
    return rows


def _total(widths: dict[Field, int], keys: Sequence[Field]) -> int:
    return sum(widths[key] for key in keys) + 2 * max(len(keys) - 1, 0)


def _field(job: JobView, key: Field) -> str:
    if key is Field.HEAD:
        what = "waiting" if job.state == "queued" else safe(job.phase or job.kind, 24)
        return " ".join(filter(None, (_MARKS.get(job.state, "◐"), safe(job.node, 40), what)))
    if job.state == "queued":
        return ""
    if key is Field.EPOCH:
        return f"epoch {safe(job.epoch)}" if job.epoch else ""
    if key is Field.SHARE:
        return fig.share_text(job.share) if job.share is not None else ""
    if key is Field.RATE:
        rate = fig.number(job.images_per_second)
        return "" if rate is None else f"{rate:,.0f} {fig.rows_text(job.row)}/s"
    if key is Field.ETA:
        return "" if job.eta_seconds is None else f"eta {fig.duration(job.eta_seconds)}"
    if key is Field.DEVICE:
        return safe(job.device, 16)
    if key is Field.MEMORY:
        return "" if job.memory_bytes is None else fig.bytes_text(job.memory_bytes)
    return ""
