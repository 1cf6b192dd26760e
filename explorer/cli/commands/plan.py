"""`plan`: what a tree would be grown with, and how long it takes here; nothing is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from engine.contracts.errors import UsageError
from engine.contracts.presets import preset_of
from explorer.cli.console import cell, find_run, print_doubts, say, wide_console
from explorer.cli.json_types import print_json
from explorer.cli.progress import Reporter
from explorer.cli.sessions import ending_in_order
from explorer.cli.temporary import temporary_folder
from explorer.executors.kinds import workers
from explorer.session.known_run import check_resumable
from explorer.session.model_source import source_of
from explorer.session.named_files import is_store
from explorer.session.open_run import Request
from explorer.session.planning import look_at_model, look_at_store
from explorer.views.plan import PhaseTime
from explorer.views.plan_text import (
    about,
    data_line,
    decision_line,
    network_line,
    phase_words,
    speed_line,
    tree_line,
)
from explorer.views.plan_view import Plan, plan_of_new_run, plan_of_run
from explorer.views.setting_views import BECAUSE_WORDS, SECTIONS, SettingView, shown_value


def plan(request: Request, *, run: str | None = None, as_json: bool) -> None:
    """Prints what a model or a store's run (the newest unless named) takes."""
    with temporary_folder() as folder, Reporter() as reporter, ending_in_order():

        async def allow(question: str) -> bool:
            return not as_json and reporter.asks(question)

        async def work() -> Plan:
            executor = workers(folder)
            try:
                path = source_of(request).path
                if path is not None and is_store(path):
                    check_resumable(path, request.overrides, request.of_new_runs(path))
                    again = await look_at_store(
                        path, request, folder, executor, reporter, allow,
                        lambda store: find_run(store, run),
                    )  # fmt: skip
                    return plan_of_run(
                        request.model, again.document, again.metrics, again.speed,
                        decided=again.decided, start_seconds=again.start_seconds,
                    )  # fmt: skip
                if run is not None:
                    raise UsageError(
                        f"--run is about a run of a store, and {request.model} is none"
                    )
                looked = await look_at_model(request, executor, reporter)
                return plan_of_new_run(
                    request.model, looked.new, looked.speed, given=request.overrides,
                    preset=preset_of(request.protocol, request.preset),
                    start_seconds=looked.start_seconds,
                )  # fmt: skip
            finally:
                await executor.close()

        found = asyncio.run(work())
    if as_json:
        print_json(found)
    else:
        _print(found)


def _print(found: Plan) -> None:
    for line in (network_line(found.network), *found.network.notes, data_line(found.data)):
        say(line)
    if found.data.deciding:
        say(found.data.deciding)
    print_doubts(found.network.doubts)
    say("")
    _print_settings(found.settings)
    say("")
    say(speed_line(found.speed))
    say("")
    _print_phases(found)
    say(decision_line(found.prediction))
    say(tree_line(found.prediction))


def _print_settings(settings: Iterable[SettingView]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("setting", "value", "default", "", "what it says"):
        table.add_column(title, no_wrap=title != "what it says")
    section = None
    for view in settings:
        if view.section != section:
            section = view.section
            table.add_row(cell(SECTIONS[section], "bold"))
        mark, style = ("*", "bold") if view.changed else (" ", "")
        cells = (f"{mark} {view.name}", shown_value(view.value), shown_value(view.default),
                 BECAUSE_WORDS[view.because], view.about)  # fmt: skip
        table.add_row(*(cell(text, style if n < 2 else "dim") for n, text in enumerate(cells)))
    wide_console().print(table)


def _print_phases(found: Plan) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("work", no_wrap=True)
    for title in ("images", "epochs", "one decision", "the whole tree"):
        table.add_column(title, justify="right", no_wrap=True)
    one = {part.phase: part for part in found.prediction.phases}
    for row in _phase_rows(found.prediction.tree_phases, one):
        table.add_row(*map(cell, row))
    wide_console().print(table)


def _phase_rows(
    tree: Iterable[PhaseTime], one: dict[str, PhaseTime]
) -> Iterator[tuple[str, str, str, str, str]]:
    for part in tree:
        first = one.get(part.phase)
        yield (
            phase_words(part.phase),
            f"{part.items:,}" if part.items else "",
            f"{part.epochs:,}" if part.epochs else "",
            about(first.seconds) if first is not None else "",
            about(part.seconds),
        )
