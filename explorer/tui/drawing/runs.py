"""The runs of a store as lines: a row each, and what those agree on that began alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from engine.contracts.metrics import measure
from explorer.tui.drawing import numbers as fig
from explorer.tui.drawing.cells import Line, Piece
from explorer.views.run_names import fitted_name
from explorer.views.runs import MEASURES, RunsListed, RunView, SeedView, StepView
from explorer.views.runs_text import (
    begun,
    differs,
    group_line,
    parting_line,
    spread_text,
    way_in_letters,
)
from explorer.views.safe_text import safe

_LEAST_REST = 11  # cells that a text at the end of a row is worth
_SPREAD = 16  # cells of a mean with its deviation
_PART = "  ← they part"


@dataclass(frozen=True)
class _Column:
    """A column of the list; those of the highest `rank` go first where room is short."""

    title: str
    width: int
    rank: int
    text: Callable[[RunView, RunsListed], str]
    right: bool = False


def _agreement(run: RunView, found: RunsListed) -> str:
    """`2 of 3`: decisions in which all runs of its group agree; the first group counts."""
    groups = found.groups_of(run.run)
    if not groups or not groups[0].steps:
        return "–"
    return f"{groups[0].num_agreed} of {len(groups[0].steps)}"


_COLUMNS = (
    _Column("run", 4, 0, lambda run, _: str(run.run), right=True),
    _Column("name", 16, 1, lambda run, _: run.name),
    _Column("seed", 6, 0, lambda run, _: str(run.seed), right=True),
    _Column("begun, UTC", 16, 7, lambda run, _: begun(run)),
    _Column("nodes", 6, 3, lambda run, _: f"{run.num_nodes:,}", right=True),
    _Column("kept", 13, 5, lambda run, _: way_in_letters(run.way)),
    _Column("best", 12, 4, lambda run, _: fitted_name(run.best.name, 12)),
    _Column("val acc", 7, 1, lambda run, _: _figure(run, "val_accuracy"), right=True),
    _Column("MACs", 7, 1, lambda run, _: fig.percent_removed(run.best.macs_reduction), right=True),
    _Column("agree", 7, 2, _agreement, right=True),
)


def _figure(run: RunView, key: str) -> str:
    return measure(key).text(run.best.measure(key), "–")


def _fitting(width: int) -> tuple[Sequence[_Column], int]:
    """The columns that fit, and what is left for what sets a run apart."""
    columns = list(_COLUMNS)
    while len(columns) > 2 and _taken(columns) + _LEAST_REST > width:
        columns.remove(max(columns, key=lambda column: column.rank))
    return columns, max(width - _taken(columns), 0)


def _taken(columns: Sequence[_Column]) -> int:
    return _MARK + sum(column.width + 2 for column in columns)


_MARK = 6  # cells of the word that marks the open run


def heading(width: int) -> Line:
    """What the columns of the list hold."""
    columns, rest = _fitting(width)
    titles = [_cell(column.title, column) for column in columns]
    return [(" " * _MARK + "".join(titles) + fig.cut("unlike the newest", rest), "dim")]


def run_line(run: RunView, found: RunsListed, open_run: int, width: int, at_cursor: bool) -> Line:
    """A run in a row; the one that is open says so."""
    columns, rest = _fitting(width)
    texts = [_cell(safe(column.text(run, found), 60), column) for column in columns]
    is_open = run.run == open_run
    mark = fig.pad("open" if is_open else "", _MARK)
    words = fig.pad(fig.cut(safe(differs(run), 300), rest), rest)
    if at_cursor:
        return [(mark + "".join(texts) + words, "cursor")]
    tone = "title" if is_open else ""
    return [(mark, "key"), ("".join(texts), tone), (words, "dim")]


def _cell(text: str, column: _Column) -> str:
    """A cell with the gap behind it."""
    text = fig.cut(text, column.width)
    padding = " " * max(column.width - cell_len(text), 0)
    return (padding + text if column.right else text + padding) + "  "


# ------------------------------------------------------------ runs that began alike


def agreement_lines(run: RunView, found: RunsListed, width: int) -> list[Line]:
    """What a run and those that began like it agree on, group by group."""
    groups = found.groups_of(run.run)
    if not groups:
        return [[(text, "dim")] for text in fig.wrapped(_alone(run, found), width)]
    lines: list[Line] = []
    for group in groups:
        lines += [[]] if lines else []
        lines += _group_lines(group, width)
    return lines


def _alone(run: RunView, found: RunsListed) -> str:
    others = len(found.runs) - 1
    alone = "There is no other run yet."
    if others:
        alone = f"Neither a fork nor another seed of run {run.run} is among {_the(others)}."
    return f"{alone} n begins one with another seed: then it shows which decisions chance makes."


def _the(others: int) -> str:
    return "the other run" if others == 1 else f"the {others} other runs"


def _group_lines(group: SeedView, width: int) -> Iterator[Line]:
    for text in fig.wrapped(_first_up(group_line(group)), width):
        yield [(text, "title")]
    if not group.steps:
        return
    parting = group.parts_at
    for text in fig.wrapped(_first_up(parting_line(group)), width):
        yield [(text, "warning" if parting is not None else "")]
    for run, seed, way in zip(group.runs, group.seeds, group.ways, strict=True):
        yield _way_line(run, seed, way, width)
    yield []
    yield [(fig.cut("What was kept: mean ± standard deviation over the runs", width), "dim")]
    measures = [key for n, key in enumerate(MEASURES) if 26 + (n + 1) * _SPREAD <= width]
    titles = "".join(f"{measure(key).title:>{_SPREAD}}" for key in measures)
    yield [(fig.cut(f"{'step':>4}  {'runs':>4}  {'kept':<14}{titles}", width), "dim")]
    for step in group.steps:
        line = _step_line(step, measures)
        has_room = 28 + len(measures) * _SPREAD + len(_PART) <= width
        yield [*line, (_PART, "warning")] if step is parting and has_room else line


def _way_line(run: int, seed: int, way: Sequence[str], width: int) -> Line:
    """What a run kept, step by step, with the marks of both choices."""
    pieces: list[Piece] = [(f"{run:>4}  {fig.pad(f'seed {seed}', 12)}", "")]
    room = max((width - 18) // 2, 1)
    pieces += [_choice(structure) for structure in way[:room]]
    return [*pieces, ("…" if len(way) > room else "", "dim")]


def _choice(structure: str) -> Piece:
    return ("▬ ", "layer") if structure == "layer" else ("▮ ", "units")


def _step_line(step: StepView, measures: Sequence[str]) -> list[Piece]:
    pieces: list[Piece] = [(f"{step.step:>4}  {sum(step.kept.values()):>4}  ", "")]
    room = 14
    for structure, count in step.kept.items():
        mark, tone = _choice(structure)
        text = f"{mark}{count}  "
        pieces.append((text, tone))
        room -= cell_len(text)
    pieces.append((" " * max(room, 0), ""))
    told = "".join(f"{spread_text(key, step.measures.get(key)):>{_SPREAD}}" for key in measures)
    return [*pieces, (told, "")]


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]
