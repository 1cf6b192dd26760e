"""Stores from somebody else: whatever stands in the rows, the schema or the pages, every command
answers in time, with what can be shown or one typed error, and prints nothing harmful."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest
from asking import ask, reading_commands
from budget import rounds
from hostile_rows import TEXTS, spoil
from tampering import raw

from explorer.session.errors import is_mendable
from explorer.session.open_run import open_read_only
from explorer.tui import presenter, presenter_pareto
from explorer.tui.config import Config
from explorer.tui.drawing.pareto import draw as draw_plot
from explorer.tui.state import AppState
from explorer.views.figures.pareto_svg import pareto_svg
from explorer.views.live_run import LiveRun
from explorer.views.pareto.axes import X_AXES, Y_AXES
from explorer.views.pareto.view import Choice
from explorer.views.replay import Replay
from store import TreeStore

GOLDEN = Path(__file__).parents[1] / "store" / "golden"
STORES = ("format-6", "growing-6", "growing-5", "format-4", "format-1")


@pytest.fixture(autouse=True)
def _own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_STATE", str(tmp_path / "state.json"))


def draw_store(folder: Path, draw: random.Random) -> tuple[Path, Path]:
    """A store to be spoilt, and a sound one beside it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path, other = folder / "foreign.pex.db", folder / "mine.pex.db"
    shutil.copy(GOLDEN / f"{draw.choice(STORES)}.db", path)
    shutil.copy(GOLDEN / f"{draw.choice(STORES[:2])}.db", other)
    shutil.copy(GOLDEN / "growing-6.db", folder / "into.pex.db")
    return path, other


def ask_all(path: Path, other: Path, draw: random.Random, count: int) -> None:
    names = ["R.L", draw.choice(["R.F", "R.L.L", "R", "R.L.F"])]
    commands = reading_commands(path, path.parent, other, names)
    for words in draw.sample(commands, count):
        ask(*words)


def look(path: Path) -> None:
    """What the app does with a store that it opens for reading."""
    live = LiveRun()
    session = open_read_only(path, live.on_event)
    try:
        live.attach(session.store, session.run)
        live.poll()
        state = AppState(None, Config(), live, session)
        state.show_live()
        for name in list(live.nodes)[:20]:
            state.selected = name
            for pane in (presenter.node_details, presenter.blocks, presenter_pareto.pareto,
                         presenter.curves, presenter.card):  # fmt: skip
                pane(state)
        for x, y in zip(X_AXES, Y_AXES, strict=True):
            state.plot.choice = Choice(x.key, y.key)
            shown = presenter_pareto.pareto(state)
            draw_plot(shown, 80, 20)
            pareto_svg(shown)
        past = Replay.of(session.store, session.run.id)
        for moment in past.moments:
            past.nodes_at(moment.number)
    finally:
        session.store.close()


def write(path: Path) -> None:
    """What a session does first with a store that it goes on with, and what people say in it."""
    with TreeStore.open(path) as store:
        run = store.latest_run()
        if run is None:
            return
        store.open_parents(run.id)
        store.unfinished(run.id)
        root = store.node(run.id, "R")
        for child in store.children(root.id):
            store.tag(child.id, "seen")
            store.note(child.id, "looked at")
            store.drop(child.id)
        store.undecide(root.id, actor="user", reason="to look again")


def look_or_say_why(path: Path) -> None:
    for use in (look, write):
        try:
            use(path)
        except Exception as error:
            if not is_mendable(error):
                raise


@pytest.mark.slow
def test_rows_of_somebody_else(tmp_path):
    for draw in rounds(25, seed=1):
        path, other = draw_store(tmp_path / "store", draw)
        spoil(path, draw)
        ask_all(path, other, draw, 5)
        look_or_say_why(path)


ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
FOREIGN = (
    f"CREATE VIEW mine AS {ENDLESS} SELECT x FROM c",
    "CREATE TABLE extra(a, b)",
    "CREATE TABLE g(a, b AS (a * 2), c AS (randomblob(a)))",
    "CREATE VIRTUAL TABLE words USING fts5(text)",
    "CREATE INDEX own ON node(depth)",
    f"CREATE TRIGGER slow AFTER INSERT ON event BEGIN {ENDLESS} SELECT x FROM c; END",
    f"CREATE TRIGGER tidy AFTER UPDATE ON node BEGIN {ENDLESS} SELECT x FROM c; END",
    "CREATE TRIGGER big AFTER INSERT ON event BEGIN SELECT zeroblob(900000000); END",
    "DROP TRIGGER event_no_update",
    "DROP INDEX event_run",
    "DROP TABLE outline",
    "ALTER TABLE node ADD COLUMN also TEXT",
    "ALTER TABLE epoch RENAME COLUMN content TO contents",
    "ALTER TABLE freed RENAME TO released",
    "PRAGMA user_version = 5",
    "PRAGMA user_version = 0",
    "PRAGMA user_version = -7",
    "PRAGMA user_version = 99",
    "CREATE TABLE wide(" + ", ".join(f"c{i}" for i in range(1_000)) + ")",
)


def forge(path: Path, draw: random.Random) -> None:
    """Gives the schema something that is not ours."""
    with raw(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        if draw.random() < 0.5:
            for sql in draw.sample(FOREIGN, draw.choice((1, 1, 2))):
                with suppress(sqlite3.Error):
                    connection.execute(sql)
            return
        tables = connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
        name, sql = draw.choice([row for row in tables if row[1]])
        forged = draw.choice((
            f"CREATE VIEW {name} AS {ENDLESS} SELECT x AS id, x AS run_id FROM c",
            str(sql).replace("TEXT", "ANY", 1), str(sql).replace("CHECK(", "CHECK(1 OR ", 1),
            str(sql).replace("BEGIN", f"BEGIN {ENDLESS} SELECT x FROM c;", 1), str(sql) + " ",
            draw.choice(TEXTS), "CREATE", "x" * 2_000_000, str(sql).lower(),
            f"CREATE VIRTUAL TABLE {name} USING fts5(x)",
        ))  # fmt: skip
        kind = "view" if forged.startswith("CREATE VIEW") else "type"
        what = draw.choice((f"sql = ?1, type = {kind!r}" if kind == "view" else "sql = ?1",
                            "sql = ?1, rootpage = 0", "name = ?1", "tbl_name = ?1",
                            "rootpage = 2 + length(?1) % 9"))  # fmt: skip
        connection.execute(f"UPDATE sqlite_master SET {what} WHERE name = ?2", (forged, name))


@pytest.mark.slow
def test_schemas_of_somebody_else(tmp_path):
    for draw in rounds(15, seed=2):
        path, other = draw_store(tmp_path / "store", draw)
        with suppress(sqlite3.Error):  # what not even a tamperer can write
            forge(path, draw)
        ask_all(path, other, draw, 5)
        look_or_say_why(path)


def break_bytes(path: Path, draw: random.Random) -> None:
    """Bits that flip, pages that are lost, a file that is cut short."""
    content = bytearray(path.read_bytes())
    how = draw.choice(("flip", "flip", "page", "cut", "header", "swap"))
    page = draw.randrange(len(content) // 16_384) * 16_384
    if how == "flip":
        for _ in range(draw.choice((1, 5, 50))):
            place = draw.choice((page, 0)) + draw.randrange(16_384)
            content[min(place, len(content) - 1)] ^= 1 << draw.randrange(8)
    elif how == "page":
        content[page : page + 16_384] = draw.randbytes(16_384)
    elif how == "cut":
        del content[draw.randrange(len(content)) :]
    elif how == "header":
        content[draw.randrange(100)] = draw.randrange(256)
    else:
        second = draw.randrange(1, len(content) // 16_384) * 16_384
        content[page : page + 16_384] = content[second : second + 16_384]
    path.write_bytes(content)


@pytest.mark.slow
def test_bytes_of_somebody_else(tmp_path):
    for draw in rounds(15, seed=3):
        path, other = draw_store(tmp_path / "store", draw)
        break_bytes(path, draw)
        ask_all(path, other, draw, 5)
        look_or_say_why(path)
