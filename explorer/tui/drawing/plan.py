"""The planner's sheet as lines: what was recognised, the settings, and what they take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.contracts.settings import setting_named
from explorer.tui.drawing import numbers as fig
from explorer.tui.drawing.cells import Line
from explorer.tui.plan_sheet import FIXED, PlanSheet, RunSheet
from explorer.views.counting import counted
from explorer.views.plan import Prediction
from explorer.views.plan_text import about, interval_words, phase_words, rate_of
from explorer.views.plan_view import DataPlanned, NetworkRecognised, SpeedTold
from explorer.views.safe_text import safe
from explorer.views.setting_views import (
    BECAUSE_WORDS,
    SECTIONS,
    SettingView,
    may_be,
    preset_words,
    shown_value,
)

LABEL = 9  # cells of what stands in front of a fact
NAME, VALUE, DEFAULT = 19, 13, 13
# What the jobs of a run are called, whose times are stored.
_JOBS = {"rank": "a ranking", "recover": "a recovery", "tune": "a tuning"}


# ------------------------------------------------------------ what was recognised


def facts(
    network: NetworkRecognised, data: DataPlanned, width: int, most: int, *, brief: bool = False
) -> Sequence[Line]:
    """The network, the data, and how sure that is; `brief`: a line each."""
    told = [
        ("Network", _network_words(network), ""),
        ("Data", _data_words(data), ""),
        *([("Decides", data.deciding, "")] if data.deciding else []),
        *(("Doubt", safe(doubt.words, 300), "warning") for doubt in network.doubts),
        ("May go", _what_may_go(network), ""),
        *(("Seen", safe(note, 300), "dim") for note in network.notes),
    ]
    room = max(width - LABEL, 10)
    lines = [line for fact in told for line in _fact(*fact, room, 1 if brief else 3)]
    return lines[:most]


def _fact(label: str, words: str, tone: str, room: int, most: int) -> Iterator[Line]:
    for number, text in enumerate(fig.wrapped(words, room, most)):
        yield [(fig.pad(label if number == 0 else "", LABEL), "title"), (text, tone)]


def _network_words(network: NetworkRecognised) -> str:
    parts = [
        safe(network.factory, 60),
        f"{fig.count_text(network.params)} parameters",
        f"{fig.count_text(network.macs)} MACs",
    ]
    for name, value in (("val acc", network.val_accuracy), ("test acc", network.test_accuracy)):
        if value is not None:
            parts.append(f"{name} {value:.2f}")
    return " · ".join(parts)


def _what_may_go(network: NetworkRecognised) -> str:
    units = " and ".join(counted(count, kind) for kind, count in network.units.items() if count)
    blocks = f"{network.removable_blocks} of {counted(network.blocks, 'block')}"
    return f"{blocks} and {units or 'no units'}: {network.how}"


def _data_words(data: DataPlanned) -> str:
    parts = [
        safe(data.name or data.place, 40),
        f"{data.train:,} train · {data.validation:,} val · {data.test:,} test",
    ]
    if data.classes:
        parts.append(f"{data.classes:,} classes")
    if data.image_shape:
        parts.append("×".join(map(str, data.image_shape)))
    parts.append("in memory" if data.in_memory else "streamed")
    if data.normalisation:
        parts.append(f"scaled as {safe(data.normalisation, 30)}")
    return " · ".join(parts)


# ------------------------------------------------------------ the settings


def setting_rows(views: Sequence[SettingView]) -> list[str | SettingView]:
    """The rows of the list: the headings of sections between their settings."""
    rows: list[str | SettingView] = []
    for view in views:
        heading = SECTIONS[view.section]
        if heading not in rows:
            rows.append(heading)
        rows.append(view)
    return rows


def setting_line(row: str | SettingView, width: int, at_cursor: bool) -> Line:
    """A row of the list: `* tune-epochs  200  30`."""
    if isinstance(row, str):
        columns = f"{fig.pad('now', VALUE)}usual" if row == next(iter(SECTIONS.values())) else ""
        return [(fig.pad(row, NAME + 2), "title"), (columns, "dim")]
    tone = "cursor" if at_cursor else ""
    mark = "*" if row.changed else " "
    name = f"{mark} {fig.pad(row.name, NAME)}"
    value = fig.pad(fig.cut(safe(shown_value(row.value), 40), VALUE - 1), VALUE)
    changed = "key" if row.changed and not at_cursor else tone
    default = fig.pad(fig.cut(shown_value(row.default), DEFAULT - 1), DEFAULT)
    line = [(name, changed), (value, changed), (default, tone or "dim")]
    room = max(width - NAME - VALUE - DEFAULT - 2, 0)
    words = fig.cut(row.about, room) if room >= 30 else ""
    return [*line, (fig.pad(words, room), tone or "dim")]


def meaning(view: SettingView, width: int) -> list[Line]:
    """What a setting means, what it may be, and why it is so."""
    found = setting_named(view.name.replace("-", "_"))
    lines: list[Line] = [[(f"{view.name} {shown_value(view.value)}", "title")]]
    lines += [[(text, "")] for text in fig.wrapped(view.about, width)]
    default = f"; usually {shown_value(view.default)}" if view.default is not None else ""
    words = f"{may_be(found)}{default}"
    if view.name in FIXED:
        words = "set where the run is opened"
    lines += [[(text, "dim")] for text in fig.wrapped(words, width)]
    if why := BECAUSE_WORDS[view.because]:
        lines.append([(why, "info")])
    return lines


# ------------------------------------------------------------ what they take


def times(sheet: PlanSheet, progress: str, width: int, height: int) -> list[Line]:
    """What the settings of a new run take; `progress` is what is being measured. Where there is
    little room, without its parts."""
    lines: list[Line] = []
    prediction, speed = sheet.prediction, sheet.speed_told
    if prediction is None or speed is None:
        words = sheet.problem or progress or "measuring the speed here…"
        return [[(text, "dim")] for text in fig.wrapped(words, width)]
    tree, parts = _tree_lines(prediction, width), _phase_lines(prediction, width)
    measured: list[Line] = [[(text, "dim")] for text in fig.wrapped(speed_words(speed), width)]
    roomy = len(tree) + len(parts) + len(measured) <= height
    lines += [*tree, *parts, *measured] if roomy else [*tree, *measured]
    if sheet.measured_with is not None and (sheet.wants_measuring or sheet.wants_describing):
        lines.insert(0, [("as measured with other settings, before:", "warning")])
    if progress or sheet.problem:
        lines.append([(fig.cut(progress or sheet.problem, width), "info")])
    return lines


def _tree_lines(prediction: Prediction, width: int) -> list[Line]:
    if not prediction.decisions:
        return [[(text, "warning")] for text in fig.wrapped(prediction.until, width)]
    found: list[Line] = [
        [(fig.cut(text, width), "title")]
        for text in (
            f"One decision    {interval_words(prediction.decision)}",
            f"The whole tree  {interval_words(prediction.tree)}",
        )
    ]
    words = f"ends {prediction.until}"
    return found + [[(text, "dim")] for text in fig.wrapped(words, width)]


def _phase_lines(prediction: Prediction, width: int) -> list[Line]:
    """Each part of a decision with its share as a bar."""
    longest = max((part.seconds for part in prediction.phases), default=0) or 1
    room = max(width - 38, 4)
    found: list[Line] = []
    for part in prediction.phases:
        found.append(
            [
                (fig.pad(phase_words(part.phase), 26), ""),
                (f"{about(part.seconds):>8} ", ""),
                (fig.bar(part.seconds / longest, min(room, 30), fig.LOW), "bar"),
            ]
        )
    return found


def speed_words(speed: SpeedTold) -> str:
    """What was measured, in few words."""
    beside = ""
    if speed.training_beside != speed.training:
        beside = f" ({speed.training_beside:,.0f} each of two at once)"
    ranked = "" if speed.ranking is None else f", {rate_of(speed.ranking)} ranked"
    on = speed.device if speed.device != "cpu" else f"CPU, {counted(speed.threads, 'thread')}"
    return (
        f"Measured here ({on}), a second: {speed.training:,.0f} trained{beside}, "
        f"{speed.evaluating:,.0f} evaluated{ranked}"
    )


def times_of_run(sheet: RunSheet, width: int) -> list[Line]:
    """What the jobs of an open run took, against what was planned."""
    lines: list[Line] = []
    each = sheet.seconds_a_decision
    if each is None:
        lines.append([("no decision's work is over yet", "dim")])
    else:
        left = max(sheet.settings.search.iterations - sheet.decided, 0)
        to_come = f"; {counted(left, 'more decision')}, about {about(left * each)}" if left else ""
        words = f"One decision took about {about(each)}{to_come}"
        lines += [[(text, "title")] for text in fig.wrapped(words, width)]
    planned = _planned(sheet)
    for took in sheet.took:
        expected = f", planned {about(planned[took.phase])}" if took.phase in planned else ""
        lines.append(
            [
                (fig.pad(_JOBS[took.phase], 20), ""),
                (f"{about(took.seconds):>8}", ""),
                (f"  {took.count}×{expected}", "dim"),
            ]
        )
    if sheet.predicted is not None:
        words = f"planned for a decision: {interval_words(sheet.predicted.decision)}"
        lines += [[(text, "info")] for text in fig.wrapped(words, width)]
    if preset := preset_words(sheet.settings):
        lines.append([(f"{preset} (--preset)", "dim")])
    lines.append([(f"on {sheet.device}, {counted(sheet.threads, 'thread')}", "dim")])
    return lines


def _planned(sheet: RunSheet) -> dict[str, float]:
    """What was planned for each kind of job."""
    if sheet.predicted is None:
        return {}
    parts = {part.phase: part.seconds for part in sheet.predicted.phases}
    return {
        "rank": parts.get("rank", 0.0),
        "recover": parts.get("recover", 0.0) + parts.get("compare", 0.0),
        "tune": parts.get("tune", 0.0) + parts.get("measure", 0.0),
    }
