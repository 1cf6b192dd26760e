"""`study oracle`: how well signals tell which of two candidates will be the better one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from engine.contracts.errors import UsageError
from explorer.cli.console import cell, say, wide_console
from explorer.cli.json_types import print_json
from explorer.views.counting import counted
from explorer.views.study.oracle import OracleTold, OutcomeView, oracle_told, share_words
from explorer.views.study.statistics import Estimate
from store import TreeStore

FEW = 10  # parents, below which a bootstrap's intervals are too short


def oracle(paths: Sequence[str], *, as_json: bool) -> None:
    """Prints it, from stores that are only read."""
    with ExitStack() as stack:
        unique = dict.fromkeys(Path(path).expanduser() for path in paths)
        stores = [stack.enter_context(TreeStore.open(path, read_only=True)) for path in unique]
        found = oracle_told(stores)
    if as_json:
        print_json(found)
        return
    if not found.pairs:
        raise UsageError(
            "no parent there has two recovered candidates; grow a tree by a policy that compares "
            "(--policy cka), or give another store"
        )
    _print(found)


def _print(found: OracleTold) -> None:
    say(
        f"{counted(found.pairs, 'pair')} of candidates of {counted(found.parents, 'parent')}, "
        f"in {', '.join(found.stores)}"
    )
    for outcome in found.outcomes:
        say("")
        equal = f", {outcome.equal} of them equally good" if outcome.equal else ""
        say(f"{outcome.name}: {counted(outcome.pairs, 'pair')} known{equal}")
        _print_signals(outcome)
    say("")
    for outcome in found.outcomes[:1]:
        for signal in outcome.signals:
            say(f"{signal.words}.")
    if found.parents < FEW:
        say(f"Intervals are a bootstrap over parents; of only {found.parents} they are too short.")


def _print_signals(outcome: OutcomeView) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("signal")
    for title in ("picked the better [95 %]", "tau [95 %]", "Spearman of gaps [95 %]", "pairs",
                  "parents"):  # fmt: skip
        table.add_column(title, justify="right")
    for signal in outcome.signals:
        cells = (
            signal.name, share_words(signal.picked), _estimate(signal.tau),
            _estimate(signal.spearman), str(signal.pairs), str(signal.parents),
        )  # fmt: skip
        style = "dim" if signal.is_control else ""
        table.add_row(*(cell(text, style) for text in cells))
    wide_console().print(table)


def _estimate(value: Estimate) -> str:
    if value.value is None:
        return "–"
    if value.low is None or value.high is None:
        return f"{value.value:+.2f}"
    return f"{value.value:+.2f} [{value.low:+.2f}, {value.high:+.2f}]"
