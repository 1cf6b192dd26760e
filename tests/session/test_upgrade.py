"""A run that an older program began goes on with the same command: none is lost, none begun anew.

golden_runs/ has runs of every format, grown by the programs that wrote it and killed on the way;
each goes on here with the program of today.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from golden_runs.archive import HERE, PLACE, PROCESSOR, processor, unpack
from small import request_of

from engine.contracts.settings import all_settings
from explorer.executors.in_process import InProcessExecutor
from explorer.session.documents import Origin
from explorer.session.errors import is_mendable
from explorer.session.events import RunResumed
from explorer.session.open_run import Request, open_read_only, open_session
from explorer.session.search import grow_tree
from explorer.views.stored_nodes import node_views
from store import TreeStore
from store.audit.verify import verify
from store.sqlite import canonical_json, schema

NEWEST = schema.newest_format()
LAST_RELEASED = 5
FORMATS = range(1, NEWEST + 1)
STATES = ("finished", "measuring", "decided", "unstored")
OTHER_STORES = Path(__file__).parent.parent / "store" / "golden"
Snapshots = dict[tuple[str, str], str]


@dataclass(frozen=True)
class Taken:
    """A copy of an older program's run, and the files it was grown from."""

    model: Path
    data: Path
    store: Path


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> dict[int, Path]:
    folders = {number: tmp_path_factory.mktemp(f"runs-{number}") for number in FORMATS}
    for number, folder in folders.items():
        unpack(number, folder)
    return folders


@pytest.fixture
def take(unpacked, tmp_path) -> Callable[[int, str], Taken]:
    """Copies a run, its spool and its files, with the data where its settings look for them."""

    def copied(number: int, state: str) -> Taken:
        shutil.copytree(unpacked[number], tmp_path, dirs_exist_ok=True)
        taken = Taken(tmp_path / "tiny.pt", tmp_path / "bars.npz", tmp_path / f"{state}.pex.db")
        find_the_data_at(taken.store, taken.data)
        return taken

    return copied


# ------------------------------------------------------------ what stands in a store's settings


def find_the_data_at(store: Path, data: Path) -> None:
    """Writes where the data are now into a store's settings: they hold the path of then, and data
    at another path are another run to this program."""

    def moved(settings: dict[str, Any]) -> None:
        section, name = place_in(settings, "data", "source")
        assert section[name] == str(PLACE / "bars.npz")
        section[name] = str(data)

    change_settings(store, moved)


def forget_setting(store: Path, section: str, name: str, flat_name: str) -> None:
    """The settings of a store as a program wrote them that did not know one of them."""

    def without(settings: dict[str, Any]) -> None:
        holder, key = place_in(settings, section, name, flat_name)
        del holder[key]

    change_settings(store, without)


def place_in(
    settings: dict[str, Any], section: str, name: str, flat_name: str = ""
) -> tuple[dict[str, Any], str]:
    """The object that a setting is in, and its key there: in sections, or flat before format 6."""
    if "origin" in settings:
        return settings[section], name
    return settings, flat_name or section


def change_settings(store: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Has other settings hold from here on, with the file's format left as it is."""
    with contextlib.closing(sqlite3.connect(store)) as raw, raw:
        ((text,),) = raw.execute(
            "SELECT json FROM settings JOIN run_settings ON settings_hash = hash"
            " ORDER BY id DESC LIMIT 1"
        )
        settings = json.loads(text)
        change(settings)
        text = canonical_json.to_text(settings, "settings")
        address = canonical_json.text_hash(text)
        raw.execute("INSERT INTO settings(hash, json) VALUES (?, ?)", (address, text))
        raw.execute(
            "INSERT INTO run_settings(run_id, settings_hash, created_at)"
            " SELECT run_id, ?, created_at FROM run_settings LIMIT 1", (address,)
        )  # fmt: skip


def test_where_a_run_came_from_has_no_name_that_a_setting_has():
    """Older programs wrote both into one flat document."""
    of_settings = {each.option.name for each in all_settings()}
    assert not of_settings & {each.name for each in dataclasses.fields(Origin)}


# ------------------------------------------------------------ growing on, and what came of it


def grow(request: Request) -> tuple[str, bool]:
    """Grows a run to its end; gives why it stopped, and whether it was resumed."""
    heard: list[object] = []

    async def work() -> str:
        session = await open_session(request, InProcessExecutor, heard.append)
        try:
            return (await grow_tree(session)).stopped
        finally:
            session.store.close()

    stopped = asyncio.run(work())
    return stopped, any(isinstance(event, RunResumed) for event in heard)


def go_on(taken: Taken) -> None:
    """The same command again, with more iterations where they were all done."""
    stopped, resumed = grow(request_of((taken.model, taken.data), taken.store, iterations=2))
    assert stopped == "iterations: 2 done" and resumed


@dataclass(frozen=True)
class Tree:
    """What must be equal in two trees of the same seed; of one run, or it is none."""

    nodes: list[tuple[Any, ...]]  # name, what was removed, state, whether kept
    snapshots: Snapshots
    decided: list[tuple[Any, ...]]
    environment: dict[str, Any]


def tree_of(store: Path) -> Tree:
    if schema_number(store) < schema.OLDEST_READABLE:
        store = shutil.copy(store, store.with_name("readable.pex.db"))
        TreeStore.open(store).close()
    with TreeStore.open(store, read_only=True) as opened:
        (run,) = opened.runs()  # one: a second one would be the first one lost
        nodes = opened.nodes(run.id)
        names = {node.id: node.name for node in nodes}
        return Tree(
            [(node.name, node.edit, node.state, node.kept) for node in nodes],
            {(node.name, phase): opened.snapshot_hash(node.id, phase)
             for node in nodes for phase in node.phases},
            [(names[each.parent_id], [names[kept] for kept in each.kept], each.actor, each.reason,
              each.margin, each.too_close) for each in opened.decisions(run.id)],
            dict(run.environment),
        )  # fmt: skip


def schema_number(store: Path) -> int:
    with contextlib.closing(sqlite3.connect(store)) as raw:
        return schema.format_of(raw)


@pytest.fixture(scope="module")
def fresh(unpacked, tmp_path_factory) -> Tree:
    """The tree that the program of today grows from the start."""
    files = (unpacked[NEWEST] / "tiny.pt", unpacked[NEWEST] / "bars.npz")
    store = tmp_path_factory.mktemp("fresh") / "tree.pex.db"
    assert grow(request_of(files, store)) == ("iterations: 2 done", False)
    return tree_of(store)


# ------------------------------------------------------------ the tests


def test_there_are_runs_of_every_format():
    numbers = {int(path.name.split("-")[1].split(".")[0]) for path in HERE.glob("runs-*.tar.xz")}
    assert numbers == set(FORMATS), "make the newest ones: golden_runs/make_runs.py"


def test_the_runs_are_at_the_points_that_they_are_called_after(take):
    for state in STATES:
        tree = tree_of(take(LAST_RELEASED, state).store)
        waiting = [name for name, _, said, _ in tree.nodes if said != "ready"]
        assert waiting == {"measuring": ["R.L.F"], "unstored": ["R.L", "R.F"]}.get(state, [])
        assert (("R.L", "tuned") in tree.snapshots) == (state in ("finished", "measuring"))
        assert len(tree.decided) == (state != "unstored")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("number", FORMATS)
def test_the_same_command_goes_on_with_the_run_of_an_older_program(take, fresh, number, state):
    taken = take(number, state)
    assert schema_number(taken.store) == number
    before = tree_of(taken.store)
    go_on(taken)
    after = tree_of(taken.store)
    assert before.snapshots.items() <= after.snapshots.items()  # nothing was made again
    assert after.decided[: len(before.decided)] == before.decided
    assert [name for name, *_ in after.nodes[: len(before.nodes)]] == [n for n, *_ in before.nodes]
    assert all(said == "ready" for _, _, said, _ in after.nodes)
    assert after.snapshots.keys() == fresh.snapshots.keys()  # on these data each parent keeps one
    assert after.environment == before.environment
    assert [str(finding) for finding in verify(taken.store).findings] == []
    assert grow(request_of((taken.model, taken.data), taken.store)) == ("iterations: 2 done", True)
    assert tree_of(taken.store) == after  # it was finished


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("number", range(LAST_RELEASED, NEWEST + 1))
def test_it_becomes_the_tree_that_is_grown_from_the_start_bit_for_bit(take, fresh, number, state):
    taken = take(number, state)
    of_then = tree_of(taken.store).environment
    same_machine = (taken.store.with_name(PROCESSOR)).read_text() == processor()
    if not same_machine or {**of_then, "python": ""} != {**fresh.environment, "python": ""}:
        pytest.skip("the runs were begun on another processor or PyTorch: bits depend on both")
    go_on(taken)
    after = tree_of(taken.store)
    assert after.snapshots == fresh.snapshots
    assert (after.nodes, after.decided) == (fresh.nodes, fresh.decided)


@pytest.mark.parametrize(
    ("section", "name", "flat_name"),
    [
        ("scoring", "allocation", "allocation"),
        ("similarity", "split", "similarity_split"),
        ("training", "weight_decay", "weight_decay"),
        ("search", "layer_bonus", "layer_bonus"),
        ("search", "target_macs", "target_macs"),
    ],
)
@pytest.mark.parametrize("number", [LAST_RELEASED, NEWEST])
def test_a_setting_that_was_added_since_begins_no_second_run(
    take, number, section, name, flat_name
):
    taken = take(number, "measuring")
    before = tree_of(taken.store)
    forget_setting(taken.store, section, name, flat_name)
    go_on(taken)
    assert before.snapshots.items() <= tree_of(taken.store).snapshots.items()


@pytest.mark.parametrize("section", ["scoring", "similarity", "search"])
def test_a_whole_section_that_was_added_since_begins_no_second_run(take, section):
    taken = take(NEWEST, "finished")

    def without(settings: dict[str, Any]) -> None:
        # As written by a program that had none: what is not the default was never said.
        del settings[section]

    change_settings(taken.store, without)
    defaults = {"scoring": {"criterion_samples": 500, "min_blocks": 2},
                "similarity": {"num_resamples": 200}, "search": {}}[section]  # fmt: skip
    files = (taken.model, taken.data)
    assert grow(request_of(files, taken.store, iterations=1, **defaults))[1]
    tree_of(taken.store)


def test_another_value_of_a_setting_begins_another_run_in_the_same_store(take):
    taken = take(LAST_RELEASED, "decided")
    before = tree_of(taken.store)
    request = request_of((taken.model, taken.data), taken.store, iterations=1, seed=7)
    _, resumed = grow(replace(request, new_run=True))
    with TreeStore.open(taken.store, read_only=True) as opened:
        first, second = opened.runs()
        assert not resumed and (first.seed, second.seed) == (0, 7)
        kept = {(n.name, p): opened.snapshot_hash(n.id, p)
                for n in opened.nodes(first.id) for p in n.phases}  # fmt: skip
    assert kept == before.snapshots


@pytest.mark.parametrize("number", FORMATS)
def test_the_store_alone_goes_on_too(take, number):
    taken = take(number, "measuring")
    assert grow(Request(str(taken.store))) == ("iterations: 2 done", True)
    assert len(tree_of(taken.store).decided) == 2


@pytest.mark.parametrize("path", sorted(OTHER_STORES.glob("*.db")), ids=lambda path: path.stem)
def test_trees_that_were_never_grown_open_and_show_and_say_that_they_cannot_grow(tmp_path, path):
    """They were written row by row: their networks are none."""
    store = tmp_path / path.name
    shutil.copy(path, store)
    TreeStore.open(store).close()
    session = open_read_only(store, lambda event: None)
    assert node_views(session.store, session.run.id)[0].name == "R"
    session.store.close()
    with pytest.raises(Exception, match=r"lacks|edit|proposal") as caught:
        grow(Request(str(store), overrides={"iterations": 9}))
    assert is_mendable(caught.value)  # one line, no traceback
