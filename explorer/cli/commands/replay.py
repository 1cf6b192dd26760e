"""`replay`: a tree as it grew, moment by moment."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from engine.contracts.errors import UsageError
from explorer.cli.console import cell, find_run, print_tree, say
from explorer.cli.json_types import MomentLine, MomentShown, print_json
from explorer.views.replay import Moment, Replay
from explorer.views.tree_text import tree_lines
from store import TreeStore

if TYPE_CHECKING:
    from rich.text import Text


def replay(
    path: Path, *, speed: float, at: int | None, wanted: str | None = None, as_json: bool
) -> None:
    """Steps through a run (the newest unless one is `wanted`): an animation at a terminal, a line a
    moment elsewhere."""
    with TreeStore.open(path, read_only=True) as store:
        run = find_run(store, wanted)
        past = Replay.of(store, run.id)
        if at is not None:
            _print_moment(past, at, run.name, as_json)
        elif as_json:
            for moment in past.moments:
                print_json(_line_of(moment), one_line=True)
        elif sys.stdout.isatty():
            _animate(past, speed)
        else:
            for moment in past.moments:
                say(f"{moment.event_id:>6}  {_clock(moment)}  {moment.text}")


def _line_of(moment: Moment) -> MomentLine:
    return MomentLine(moment.event_id, moment.created_at, moment.kind, moment.node, moment.text)


def _print_moment(past: Replay, event_id: int, run: str, as_json: bool) -> None:
    """The tree as it stood once that event had come."""
    before = [moment for moment in past.moments if moment.event_id <= event_id]
    if not past.moments:
        raise UsageError("the run's log tells of nothing; leave --at out")
    if not before or event_id > past.moments[-1].event_id:
        first, last = past.moments[0].event_id, past.moments[-1].event_id
        raise UsageError(f"--at {event_id}: the run's events go from {first} to {last}")
    nodes = past.nodes_at(before[-1].number)
    if as_json:
        print_json(MomentShown(run, _line_of(before[-1]), tuple(nodes)))
        return
    say(before[-1].text)
    print_tree(nodes)


def _animate(past: Replay, speed: float) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        for moment, lines in _frames(past):
            room = max(console.height - 3, 1)
            live.update(_frame(moment, lines[-room:], len(past.moments)), refresh=True)
            if moment.number + 1 < len(past.moments):
                time.sleep(1 / speed)


def _frames(past: Replay) -> Iterator[tuple[Moment, list[tuple[str, bool | None]]]]:
    for moment in past.moments:
        lines = tree_lines(past.nodes_at(moment.number))
        yield moment, [(line, node.kept) for line, node in lines]


def _frame(moment: Moment, lines: list[tuple[str, bool | None]], count: int) -> Text:
    from rich.text import Text

    header = f"{moment.number + 1}/{count}  {_clock(moment)}  {moment.text}"
    shown = [cell(header, "bold"), cell("")]
    shown += [cell(line, "" if kept else "dim") for line, kept in lines]
    return Text("\n", no_wrap=True, overflow="ellipsis").join(shown)


def _clock(moment: Moment) -> str:
    """The day and the time of a moment."""
    return moment.created_at[:19].replace("T", " ")
