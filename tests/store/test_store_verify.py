"""Damage is found and named, and what is still sound is said."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from small_tensors import FILTER, LAYER, ROOT, WITHOUT_FILTERS, WITHOUT_LAYER, grow, tensors
from store_helpers import finish, make_run

from store import DamagedStoreError, TreeStore
from store.audit.tensor_shapes import mismatch
from store.audit.verify import verify
from store.sqlite import schema

ALL = {"R", "R.L", "R.F", "R.L.F", "R.L.F2"}


@pytest.fixture
def grown(path: Path) -> Path:
    with TreeStore.open(path, create=True) as store:
        grow(store)
    return path


def names(nodes) -> set[str]:
    return {name for _, name in nodes}


def break_in(path: Path, *statements: str) -> None:
    """Changes rows behind the back of every rule; the schema afterwards is what it was."""
    with sqlite3.connect(path) as raw:
        triggers = raw.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        triggers = triggers.fetchall()
        for name, _ in triggers:
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            raw.execute(statement)
        for _, sql in triggers:
            raw.execute(sql)
    raw.close()


def test_a_sound_store_has_no_findings_and_is_not_changed(grown: Path) -> None:
    before, steps = grown.read_bytes(), []
    found = verify(grown, lambda done, total: steps.append((done, total)))
    assert found.findings == () and names(found.usable) == ALL
    assert found.num_snapshots == 6 and steps[-1] == (found.num_bytes, found.num_bytes)
    assert grown.read_bytes() == before


@pytest.mark.parametrize("number", range(1, schema.newest_format() + 1))
def test_stores_of_every_format_can_be_verified(path: Path, number: int) -> None:
    shutil.copy(Path(__file__).parent / "golden" / f"format-{number}.db", path)
    found = verify(path)
    assert {finding.kind for finding in found.findings} == {"edit"}  # its weights are no tensors
    assert "no tensors" in found.findings[0].text


def test_a_flipped_bit_of_weights_costs_one_node(grown: Path) -> None:
    content = bytearray(grown.read_bytes())
    target = tensors(WITHOUT_FILTERS, 2)[-64:]
    content[content.index(target)] ^= 4
    grown.write_bytes(content)
    found = verify(grown)
    (finding,) = found.findings
    assert finding.kind == "snapshot" and "R.F" in finding.text and "changed" in finding.text
    assert names(found.unusable) == {"R.F"} and names(found.usable) == ALL - {"R.F"}


@pytest.mark.parametrize(
    ("statement", "kind", "words"),
    [
        ("DELETE FROM snapshot_chunk WHERE id = 1", "snapshot", "0 bytes of"),
        ("UPDATE node SET depth = 4 WHERE name = 'R.L.F'", "lineage", "depth 4, not 2"),
        ("UPDATE node SET name = 'R.F.F' WHERE name = 'R.L.F'", "lineage", "not named after"),
        ("UPDATE node SET parent_id = 77 WHERE name = 'R.L.F'", "lineage", "came before it"),
        ("UPDATE decision_kept SET node_id = 1", "decision", "no candidate"),
        ("UPDATE decision SET run_id = 9", "decision", "run 9"),
        ("UPDATE metric SET value = 99 WHERE node_id = 2", "result", "R.L"),
        ("DELETE FROM epoch WHERE node_id = 3", "result", "R.F"),
        ("UPDATE result SET seconds = 0.5 WHERE node_id = 3", "result", "R.F"),
        ("DELETE FROM event WHERE kind = 'decision'", "log", "decision 1"),
        ("UPDATE settings SET json = '{}'", "document", "settings"),
        ("UPDATE outline SET kept = 0 WHERE node_id = 2", "outline", "R.L"),
        ("DELETE FROM proposal", "reference", "proposal"),
        ("DROP INDEX decision_run", "schema", "index decision_run is missing"),
        ("CREATE TABLE mine(a)", "schema", "table mine is not ours"),
        (
            """UPDATE node SET edit = '{"structure":"filter","filters":{"layer1.0.conv1":[1]}}'
            WHERE name = 'R.F'""",
            "edit",
            "3 filters less, not 1",
        ),
    ],
)
def test_changed_rows_are_found_and_named(grown: Path, statement, kind, words) -> None:
    break_in(grown, statement)
    findings = verify(grown).findings
    assert any(f.kind == kind and words in f.text for f in findings), findings


def test_a_dropped_trigger_is_found(grown: Path) -> None:
    with sqlite3.connect(grown) as raw:
        raw.execute("DROP TRIGGER event_no_delete")
    raw.close()
    assert [f.text for f in verify(grown).findings] == ["trigger event_no_delete is missing"]


def test_a_node_below_a_broken_edit_cannot_be_used_and_one_beside_it_can(grown: Path) -> None:
    break_in(grown, "UPDATE node SET edit = json_set(edit, '$.blocks[0]', 'layer1.0') WHERE id = 2")
    found = verify(grown)
    assert names(found.unusable) == {"R.L", "R.L.F", "R.L.F2"}
    assert names(found.usable) == {"R", "R.F"}


@pytest.mark.parametrize("text", ["{nope", "[" * 5000, "7", "NULL"])
def test_an_edit_that_cannot_be_read_hides_no_other(grown: Path, text: str) -> None:
    value = text if text == "NULL" else f"'{text}'"
    other = """'{"structure":"filter","filters":{"layer1.0.conv1":[1]}}'"""
    break_in(grown, f"UPDATE node SET edit = {value} WHERE name = 'R.L'",
             f"UPDATE node SET edit = {other} WHERE name = 'R.F'")  # fmt: skip
    found = verify(grown)
    assert names(found.unusable) == {"R.L", "R.L.F", "R.L.F2", "R.F"}
    told = [each.text for each in found.findings if each.kind == "edit"]
    assert any("R.L (" in text for text in told) and any("3 filters" in text for text in told)


@pytest.mark.parametrize("seed", range(12))
def test_garbage_anywhere_in_the_file_never_ends_in_a_traceback(grown: Path, seed: int) -> None:
    draw, content = random.Random(seed), bytearray(grown.read_bytes())
    page = draw.randrange(1, len(content) // schema.PAGE_SIZE) * schema.PAGE_SIZE
    start = page + draw.choice((0, 8, 5000))
    content[start : start + 3000] = draw.randbytes(3000)
    grown.write_bytes(content)
    try:
        found = verify(grown)
    except DamagedStoreError as error:  # not even the list of its tables can be read
        assert str(grown) in str(error)
        return
    assert names(found.usable) <= ALL
    for finding in found.findings:
        assert finding.text


def test_edits_and_shapes() -> None:
    assert mismatch(LAYER, ROOT, WITHOUT_LAYER) is None
    assert mismatch(FILTER, ROOT, WITHOUT_FILTERS) is None
    for edit, child, words in [
        (LAYER, ROOT, "still there"),
        (LAYER, {n: s for n, s in WITHOUT_LAYER.items() if n != "fc.weight"}, "missing"),
        (LAYER, WITHOUT_LAYER | {"new": (1,)}, "not there before"),
        (LAYER, WITHOUT_LAYER | {"fc.weight": (3, 5)}, "fc.weight"),
        ({"structure": "layer", "blocks": ["layer9"]}, ROOT, "no block layer9"),
        (FILTER, ROOT, "0 filters less, not 3"),
        (FILTER, WITHOUT_FILTERS | {"fc.weight": (2, 4)}, "fc.weight"),
        (FILTER, WITHOUT_FILTERS | {"layer1.0.conv2.weight": (4, 5, 1, 3)}, "conv2"),
        (FILTER, WITHOUT_FILTERS | {"layer1.1.conv1.weight": (5, 4, 3, 3)}, "layer1.1.conv1"),
        (FILTER, WITHOUT_FILTERS | {"layer1.0.conv2.weight": (4, 8, 3, 3)}, "3 inputs less"),
        ({"structure": "filter", "filters": {"x": [1]}}, ROOT, "no convolution x"),
    ]:
        assert words in (mismatch(edit, ROOT, child) or "")


def test_a_node_without_readable_tensors_is_named(path: Path) -> None:
    with TreeStore.open(path, create=True) as store:
        run = make_run(store, root_snapshot=tensors(ROOT))
        root = store.node(run.id, "R")
        (node,) = store.add_candidates(root.id, proposal={}, edits=[LAYER])
        finish(store, node, snapshot=b"\xff" * 100)
    found = verify(path)
    assert names(found.unusable) == {"R.L"} and "R.L" in found.findings[0].text
