"""Commands asked of a file that may hold anything, in this process, and what they may answer."""

from __future__ import annotations

import json
import resource
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from typer.main import get_command

from explorer.cli.main import app
from explorer.views.safe_text import is_harmful

COMMAND = get_command(app)
MOST_SECONDS = 5.0  # of this process's own time: a busy machine changes nothing about it
MOST_KILOBYTES = 500_000  # beyond what the tests needed before


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str


def ask(*words: object) -> Said:
    """A command's answer, which is always an answer: whole, in time, one typed error at most."""
    before, started = _kilobytes(), time.process_time()
    shown = f"pe-explore {' '.join(map(str, words))}"
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        try:
            code = COMMAND.main([str(word) for word in words], standalone_mode=True)
        except SystemExit as ended:
            code = ended.code
        except Exception as error:
            raise AssertionError(f"{shown} ended in a traceback") from error
    seconds = time.process_time() - started
    said = Said(int(code or 0), out.getvalue(), err.getvalue())
    assert said.code in (0, 1, 2), shown
    for text in (said.out, said.err):
        raw = {character for character in text if character != "\n" and is_harmful(character)}
        assert not raw, f"{shown} printed {sorted(map(ascii, raw))}"
    if said.code and not said.out:
        lines = said.err.splitlines()
        assert lines and lines[-1].startswith("pe-explore: "), f"{shown} said {said.err!r}"
    if "--json" in words and said.code == 0:
        for text in (
            said.out.splitlines() if "replay" in words and "--at" not in words else [said.out]
        ):
            json.loads(text, parse_constant=_no_json)
    assert seconds < MOST_SECONDS, f"{shown} took {seconds:.1f} s"
    assert _kilobytes() - before < MOST_KILOBYTES, f"{shown} took {_kilobytes() - before} KB"
    return said


def reading_commands(
    store: Path, folder: Path, other: Path, names: list[str]
) -> list[list[object]]:
    """Every command that reads a store, as words; what they write goes into the folder."""
    node, second = names[0], names[-1]
    return [
        ["log", store], ["log", store, "--json"], ["log", store, "--limit", 3],
        ["show", store, node], ["show", store, second, "--json"],
        ["replay", store], ["replay", store, "--json"], ["replay", store, "--at", 9, "--json"],
        ["replay", store, "--at", 4],
        ["compare", store, node, second], ["compare", store, second, "--json"],
        ["compare", store, other], ["compare", other, store, "--json"],
        ["verify", store], ["verify", store, "--json"],
        ["gc", store, "--dry-run"], ["gc", store, "--dry-run", "--json"],
        ["pack", store, folder / "packed.pex.db", "--force"],
        ["pack", store, folder / "part.pex.db", "--nodes", second, "--force"],
        ["merge", other, store], ["merge", folder / "into.pex.db", store, "--json"],
        ["figure", store, "pareto", folder / "plot.svg", "--x", "latency", "--json"],
        ["figure", store, "pareto", folder / "plot.svg", "--x", "epochs", "--y", "test"],
        ["figure", store, "tree", folder / "tree.svg"],
        ["gc", store, "--yes"], ["merge", store, other],
    ]  # fmt: skip


def _kilobytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _no_json(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")
