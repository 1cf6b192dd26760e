"""Whatever a store's texts hold, what a command prints does nothing to a terminal."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from asking import ask, reading_commands
from rich.console import Console
from tampering import tamper

from engine.contracts.events import Noted, Progress
from explorer.cli.progress import Reporter
from explorer.session.events import JobRetried, JobTold, RunResumed, WorkFailed
from explorer.views.safe_text import is_harmful, safe

GOLDEN = Path(__file__).parents[1] / "store" / "golden" / "growing-6.db"
# ESC, BEL, C1, a newline, zero-width, bidi, private use, an invisible letter, markup.
HARMFUL = "a\x1b[2J\x07\x9b31m\r\nb\u200b\u202e\u2066\ue000\u3164[/red][@click=app.quit]c\x7f\u2028"
SQL = "'" + HARMFUL.replace("'", "''") + "'"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with harmful text wherever text can stand, beside a sound one."""
    path = tmp_path / "it\x1b[31m\u202e.pex.db"
    shutil.copy(GOLDEN, path)
    shutil.copy(GOLDEN, tmp_path / "mine.pex.db")
    shutil.copy(GOLDEN, tmp_path / "into.pex.db")
    document = json.dumps({"name": HARMFUL, "classes": [HARMFUL], HARMFUL: HARMFUL})
    say = "INSERT INTO event(run_id, node_id, kind, payload, created_at) SELECT 1, id,"
    tamper(
        path,
        f"UPDATE run SET name = {SQL}, created_at = {SQL}",
        f"UPDATE decision SET actor = {SQL}, reason = {SQL}, created_at = {SQL}",
        f"UPDATE node SET error = {SQL}, created_at = {SQL}",
        f"UPDATE node SET edit = json_object('structure', 'layer', 'blocks', json_array({SQL}))"
        " WHERE edit IS NOT NULL",
        f"UPDATE event SET created_at = {SQL}",
        f"UPDATE event SET payload = json_set(payload, '$.reason', {SQL}, '$.actor', {SQL},"
        f" '$.error', {SQL}, '$.name', {SQL}, '$.text', {SQL}, '$.tag', {SQL})",
        f"{say} 'tag', json_object('tag', {SQL}, 'on', json('true'), 'node', {SQL}), {SQL}"
        " FROM node",
        f"{say} 'note', json_object('text', {SQL}, 'node', {SQL}), {SQL} FROM node",
        f"UPDATE epoch SET content = json_object({SQL}, {SQL})",
        "UPDATE run SET data = '" + document.replace("'", "''") + "'",
        f"UPDATE metric SET name = {SQL} WHERE name = 'params'",
        f"UPDATE result SET phase = {SQL} WHERE phase = 'tuned'",
        f"UPDATE metric SET phase = {SQL} WHERE phase = 'tuned'",
    )
    return path


def test_no_command_prints_what_does_something(store: Path, tmp_path: Path) -> None:
    seen = 0
    for names in (["R.L", "R.F"], ["R", HARMFUL]):
        for words in reading_commands(store, tmp_path, tmp_path / "mine.pex.db", names):
            said = ask(*words)
            seen += "\\x1b[2J" in said.out + said.err
    assert seen > 8  # it was there to be printed
    ask("log", tmp_path / f"none{HARMFUL}.pex.db")


def test_what_a_run_tells_while_it_grows_does_nothing() -> None:
    reporter = Reporter()
    for is_terminal in (False, True):
        out = io.StringIO()
        reporter.console = Console(file=out, force_terminal=is_terminal, no_color=True, width=400)
        with reporter:
            reporter(RunResumed(HARMFUL, HARMFUL))
            reporter(JobTold(HARMFUL, HARMFUL, Noted(HARMFUL)))
            reporter(JobRetried(HARMFUL, 1, 3, HARMFUL))
            reporter(WorkFailed("grow", HARMFUL, HARMFUL, HARMFUL))
            reporter.last_line[safe(f"{HARMFUL} {HARMFUL}")] = -1e9
            reporter(JobTold(HARMFUL, "recover", Progress(HARMFUL, 1, 10)))
        text = out.getvalue()
        for ours in ("\n", "\x1b[?25l", "\x1b[?25h", "\x1b[2K", "\x1b[1A", "\r"):
            text = text.replace(ours, "")
        raw = {ascii(c) for c in text if is_harmful(c) and c != "\x1b"}
        assert not raw and "\x1b[2J" not in text and "\\x1b[2J" in text


@pytest.mark.parametrize(
    "character", [*HARMFUL, "\u034f", "\u2800", "\U000e0101", "\u0604", "\udcff"]
)
def test_each_harmful_character_is_shown_as_its_escape(character: str) -> None:
    shown = safe(f"x{character}y")
    if is_harmful(character):
        assert shown.startswith("x\\") and shown.isascii()
    else:
        assert shown == f"x{character}y"


def test_marks_do_not_run_over_the_lines_around() -> None:
    assert safe("e\u0301") == "e\u0301"
    assert safe("e" + "\u0301" * 50).count("\u0301") <= 4
