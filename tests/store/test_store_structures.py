"""Whatever can be removed has a name of its own in the tree, the same in every store."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from pathlib import Path

import pytest
from store_helpers import FILTER, LAYER, add, finish, root_of

from store import InvalidValueError, TreeStore
from store.audit.verify import verify
from store.tables.structures import LETTERS, letters_of
from store.transfer.merge import merge

WORDS = (
    "layer",
    "filter",
    "head",
    "neuron",
    "expert",
    "channel",
    "bias",
    "block",
    "token",
    "layers",
)


def edits(*structures: str) -> list[dict[str, str]]:
    return [{"structure": structure} for structure in structures]


def test_structures_that_were_never_seen_get_names_that_no_other_has(store: TreeStore) -> None:
    root = root_of(store)
    made = add(store, root, *edits(*WORDS, *WORDS))
    names = [node.name for node in made]
    assert names[:6] == ["R.L", "R.F", "R.H", "R.N", "R.E", "R.C"]
    assert names[6:10] == ["R.BIAS", "R.BLOCK", "R.TOKEN", "R.LAYERS"]
    assert names[10:] == [f"{name}2" for name in names[:10]]
    assert len(set(names)) == len(names)
    deeper = add(store, finish(store, made[6]), *edits("bias", "layer"))
    assert [node.name for node in deeper] == ["R.BIAS.BIAS", "R.BIAS.L"]
    assert [node.structure for node in store.lineage(deeper[0].id)] == ["root", "bias", "bias"]
    store.close()
    assert {finding.kind for finding in verify(store.path).findings} <= {"edit"}


def test_letters_never_stand_for_two_structures() -> None:
    words = {"".join(letters) for n in (2, 3) for letters in itertools.product("lfhnecr", repeat=n)}
    words |= set(LETTERS) | set(WORDS)
    assert len({letters_of(word) for word in words}) == len(words)


@pytest.mark.parametrize("wrong", [None, 3, "", "l", "root", "Layer", "kv-head", "a" * 41, "é" * 3])
def test_what_is_no_word_is_no_structure(store: TreeStore, wrong: object) -> None:
    root = root_of(store)
    with pytest.raises(InvalidValueError, match="edit 1 has the structure"):
        add(store, root, LAYER, {"structure": wrong})
    assert store.children(root.id) == []


def test_no_program_gives_a_structure_other_letters_or_a_node_another_name(path: Path) -> None:
    with TreeStore.open(path, create=True) as store:
        add(store, root_of(store), FILTER)
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA foreign_keys = ON")
    node = "INSERT INTO node(run_id, parent_id, proposal_id, name, structure, depth, edit, state, "
    for statement in (
        "UPDATE structure SET letters = 'X'",
        "DELETE FROM structure",
        "INSERT INTO structure VALUES ('filters', 'F')",
        "REPLACE INTO structure VALUES ('filters', 'F')",
        "INSERT INTO structure VALUES ('filters', 'f')",
        node + "created_at) VALUES (1, 1, 1, 'R.B', 'bias', 1, '{\"structure\":\"bias\"}',"
        " 'queued', '')",
        node + "created_at) VALUES (1, 1, 1, 'R.N', 'expert', 1, '{\"structure\":\"expert\"}',"
        " 'queued', '')",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            raw.execute(statement)
    raw.execute("DROP TRIGGER structure_no_update")
    raw.execute("UPDATE structure SET letters = 'K' WHERE name = 'neuron'")
    raw.commit()
    raw.close()
    assert "the structure neuron has the letters K" in {f.text for f in verify(path).findings}


def test_new_structures_go_from_store_to_store(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pex.db"
    with TreeStore.open(path, create=True) as store:
        add(store, root_of(store), *edits("bias"))
        uuid = store.runs()[0].uuid
    shutil.copy(path, other)
    with TreeStore.open(path) as store:
        node = finish(store, store.node(1, "R.BIAS"))
        add(store, node, *edits("token"))
    empty = tmp_path / "empty.pex.db"
    with TreeStore.open(empty, create=True):
        pass
    assert merge(other, path)[0].outcome == "extended" and merge(empty, path)[0].outcome == "copied"
    for copy in (other, empty):
        with TreeStore.open(copy) as store:
            (run,) = store.runs()
            assert run.uuid == uuid
            assert [n.name for n in store.nodes(run.id)] == ["R", "R.BIAS", "R.BIAS.TOKEN"]
        assert {finding.kind for finding in verify(copy).findings} <= {"edit"}
