"""The app on a store of somebody else: its texts are shown and do nothing, its rows open or are
told in one dialog."""

from __future__ import annotations

import json

import pytest
from driver import Seat, approved, explore, grown
from tampering import tamper

from explorer.tui.keys import KEYS
from explorer.tui.screens.message_dialogs import ErrorDialog
from explorer.views.safe_text import is_harmful

HARMFUL = "[/foo][@click=app.quit]x[/]\x1b[31m\x9b2J\u202e\u200b\ue000\nb"
SQL = "'" + HARMFUL.replace("'", "''") + "'"
TABS = [key.keys[0] for key in KEYS if key.id.startswith("view.tab")]


def spoilt(folder):
    path = grown(folder, [approved])
    data = json.dumps({"name": HARMFUL, "classes": [HARMFUL]}).replace("'", "''")
    say = "INSERT INTO event(run_id, node_id, kind, payload, created_at) SELECT 1, id,"
    tamper(
        path,
        f"UPDATE run SET name = {SQL}, created_at = {SQL}, data = json_patch(data, '{data}')",
        f"UPDATE decision SET actor = {SQL}, reason = {SQL}",
        f"UPDATE node SET error = {SQL}, state = 'failed' WHERE state = 'queued'",
        f"UPDATE event SET payload = json_set(payload, '$.reason', {SQL}, '$.actor', {SQL})",
        f"{say} 'tag', json_object('tag', {SQL}, 'on', json('true'), 'node', name), '' FROM node",
        f"{say} 'note', json_object('text', {SQL}, 'node', name), '' FROM node",
        "UPDATE settings SET json = json_set(json, '$.origin.checkpoint.name', " + SQL + ")",
    )
    return path


def test_texts_of_somebody_else_do_nothing_anywhere_on_the_screen(tmp_path):
    seen = []

    async def play(seat: Seat):
        def look() -> None:
            raw = {ascii(c) for line in seat.lines for c in line if is_harmful(c)}
            assert not raw, seat.text
            seen.append(seat.text)

        await seat.idle()
        for name in ("R.F", "R"):
            await seat.select(name)
            for key in TABS:
                await seat.press(key)
                look()
        await seat.press("left")
        look()
        assert any("\\x1b[31m" in text for text in seen)

    explore(tmp_path, play, model=spoilt(tmp_path))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE run SET data = '{\"classes\": 7}'", "cannot be read"),
        ('UPDATE settings SET json = \'{"search": {"iterations": "x"}}\'', "cannot be read"),
        ("UPDATE node SET name = 'R.L.L.L' WHERE name = 'R.L'", "cannot be read"),
        ("DELETE FROM node WHERE id = 1", "R"),
    ],
)
def test_rows_of_somebody_else_are_told_in_a_dialog(tmp_path, change, words):
    path = grown(tmp_path)
    tamper(path, change)

    async def play(seat: Seat):
        await seat.dialog(ErrorDialog)
        await seat.sees(words)

    explore(tmp_path, play, model=path)
