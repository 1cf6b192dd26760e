"""A bit that flips anywhere in what a store says is found, and copies do not hide it."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from random_trees import live, new_run
from store_helpers import make_run, root_of

from store import DamagedStoreError, TreeStore
from store.audit.verify import verify
from store.transfer.merge import merge
from store.transfer.pack import pack_nodes


@pytest.fixture
def grown(path: Path) -> Path:
    with TreeStore.open(path, create=True) as store:
        live(store, new_run(store, 3), random.Random(3), 80)
    return path


def content_of(path: Path) -> dict[tuple[str, int, str], object]:
    """Every value of every table, by table, row and column."""
    found = {}
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as raw:
        raw.text_factory = bytes
        tables = raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        for name in (row[0].decode(errors="replace") for row in tables):
            columns = [
                row[1].decode(errors="replace") for row in raw.execute(f"PRAGMA table_info({name})")
            ]
            for number, row in enumerate(raw.execute(f"SELECT * FROM {name}")):
                found |= {
                    (name, number, key): value for key, value in zip(columns, row, strict=True)
                }
    raw.close()
    return found


def findings(path: Path) -> set[tuple[str, str]]:
    try:
        return {(finding.kind, finding.text) for finding in verify(path).findings}
    except DamagedStoreError as error:
        return {("pages", str(error))}


def test_no_flipped_bit_of_what_a_store_says_goes_unseen(grown: Path, tmp_path: Path) -> None:
    draw, expected, before = random.Random(1), content_of(grown), findings(grown)
    content, copy = grown.read_bytes(), tmp_path / "copy.db"
    places = [place for place, byte in enumerate(content) if byte]
    num_changed = 0
    for _ in range(250):
        flipped = bytearray(content)
        flipped[draw.choice(places)] ^= 1 << draw.randrange(8)
        copy.write_bytes(flipped)
        try:
            now = content_of(copy)
        except (sqlite3.Error, UnicodeDecodeError):
            now = {}
        changed = {
            (table, column)
            for table, number, column in expected.keys() | now.keys()
            if expected.get((table, number, column)) != now.get((table, number, column))
        }
        if changed - {("run_settings", "created_at")}:  # when settings were changed, nobody seals
            num_changed += 1
            assert findings(copy) != before, changed
        for end in ("-wal", "-shm"):
            copy.with_name(copy.name + end).unlink(missing_ok=True)
    assert num_changed > 100


def change(path: Path, *statements: str) -> None:
    """Behind the back of the triggers, which are as before afterwards."""
    with sqlite3.connect(path) as raw:
        rows = raw.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in rows:
            raw.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            raw.execute(statement)
        for _, sql in rows:
            raw.execute(sql)
    raw.close()


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        ("UPDATE event SET created_at = '2001' WHERE id = 4", 4),
        ("UPDATE event SET payload = json_set(payload, '$.text', 'no') WHERE id = 3", 3),
        ("UPDATE event SET payload = 'x' WHERE id = 3", 3),
        ("UPDATE seal SET digest = printf('%064d', 0) WHERE event_id = 2", 2),
        ("DELETE FROM seal WHERE event_id = 5", 5),
        ("DELETE FROM event WHERE id = 4", 5),
    ],
)
def test_the_changed_line_is_named(path: Path, statement: str, line: int) -> None:
    with TreeStore.open(path, create=True) as store:
        run = root_of(store).run_id
        for number in range(5):
            store.add_event(run, "remark", {"text": str(number)})
        assert findings(path) == {("edit", text) for _, text in findings(path)}
    if "'x'" in statement:
        statement = f"PRAGMA ignore_check_constraints = ON; {statement}"
    change(path, *statement.split("; "))
    assert any(kind == "seal" and f"line {line} " in text for kind, text in findings(path))


def test_a_changed_store_is_not_copied_as_if_it_were_whole(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pex.db"
    with TreeStore.open(path, create=True) as store:
        run = make_run(store)
    change(path, "UPDATE run SET seed = 8")
    with TreeStore.open(other, create=True):
        pass
    with pytest.raises(DamagedStoreError, match="line 1 of the log"):
        merge(other, path)
    with pytest.raises(DamagedStoreError, match="line 1 of the log"):
        pack_nodes(path, tmp_path / "part.pex.db", run.id, ["R"])
    assert not (tmp_path / "part.pex.db").exists()
    with TreeStore.open(other, read_only=True) as store:
        assert store.runs() == []


def test_lines_from_before_there_were_seals_are_left_in_peace(path: Path) -> None:
    golden = Path(__file__).parent / "golden" / "format-4.db"
    path.write_bytes(golden.read_bytes())
    with TreeStore.open(path) as store:
        store.tag(store.node(1, "R").id, "new")
    assert {kind for kind, _ in findings(path)} == {"edit"}
    change(path, "UPDATE event SET created_at = '2001' WHERE id = (SELECT max(id) FROM event)")
    assert "seal" in {kind for kind, _ in findings(path)}
