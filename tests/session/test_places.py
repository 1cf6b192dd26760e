"""Stores, checkpoints and images that moved: found by their content, refused with the reason."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small import OPTIONS, request_of, write_data, write_network

from engine.contracts.errors import UsageError
from engine.contracts.requests import BranchRequest, CandidateRequest, RemoveUnits
from explorer.executors.in_process import InProcessExecutor
from explorer.session.artifacts import Artifacts
from explorer.session.data_places import DataNotFoundError, DataPlaces, OtherDataError, folders_of
from explorer.session.documents import RunDocument
from explorer.session.events import RunBegun, RunResumed, WorkFailed
from explorer.session.known_run import AnotherRunError
from explorer.session.open_run import Request, open_session
from explorer.session.reproduce import reexecute
from explorer.session.search import grow_tree
from explorer.session.steering import Steering
from explorer.views.event_messages import line_of
from store import TreeStore


async def _grown(request: Request, events: list) -> None:
    executors = []

    def make(spool: Path) -> InProcessExecutor:
        executors.append(InProcessExecutor(spool))
        return executors[0]

    try:
        session = await open_session(request, make, events.append)
        try:
            await grow_tree(session)
        finally:
            session.store.close()
    finally:
        for executor in executors:
            await executor.close()


def grow(request: Request) -> list:
    """What was told while the tree grew."""
    events: list = []
    asyncio.run(_grown(request, events))
    return events


def lines(events: list) -> str:
    return "\n".join(filter(None, map(line_of, events)))


def snapshots(store: Path) -> dict:
    with TreeStore.open(store, read_only=True) as opened:
        nodes = opened.nodes(opened.latest_run().id)
        return {(n.name, p): opened.snapshot_hash(n.id, p) for n in nodes for p in n.phases}


def runs(store: Path) -> list[RunDocument]:
    with TreeStore.open(store, read_only=True) as opened:
        return [RunDocument.of(run) for run in opened.runs()]


def content(store: Path) -> str:
    return hashlib.sha256(store.read_bytes()).hexdigest()


def saved_anew(data: Path, place: Path) -> Path:
    """The same images in another file, of other bytes."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with np.load(data) as arrays:
        np.savez_compressed(place, **arrays)
    return place


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with a network, its images and a tree of one iteration."""
    folder = tmp_path_factory.mktemp("projects") / "old place"
    (folder / "data").mkdir(parents=True)
    files = write_network(folder), write_data(folder / "data")
    grow(request_of(files, folder / "tiny.pex.db", iterations=1))
    return folder


@pytest.fixture
def moved(project, tmp_path):
    """The same, at another place; nothing is left at the old one."""
    hidden = project.with_name("away")
    project.rename(hidden)
    shutil.copytree(hidden, tmp_path / "new place")
    yield tmp_path / "new place"
    hidden.rename(project)


def at(folder: Path, **overrides) -> Request:
    """The same command as before, from where the project is now."""
    files = folder / "tiny.pt", folder / "data" / "bars.npz"
    return request_of(files, folder / "tiny.pex.db", **{"iterations": 1, **overrides})


@pytest.fixture(scope="module")
def longer(project, tmp_path_factory):
    """The snapshots of two iterations that were grown in one go."""
    store = tmp_path_factory.mktemp("longer") / "whole.pex.db"
    files = project / "tiny.pt", project / "data" / "bars.npz"
    grow(request_of(files, store, iterations=2))
    return snapshots(store)


def test_a_store_that_moved_with_its_images_goes_on_as_if_it_had_not(longer, moved):
    store = moved / "tiny.pex.db"
    told = lines(grow(Request(str(store), overrides={"iterations": 2})))
    assert snapshots(store) == longer
    found = moved / "data" / "bars.npz"
    assert f"the images of run tiny-1 are at {found} now" in told
    assert runs(store)[-1].settings.data.source == str(found)


def test_the_same_command_from_another_place_goes_on_with_the_run(longer, moved):
    told = lines(grow(at(moved, iterations=2)))
    assert "resuming run tiny-1" in told and len(runs(moved / "tiny.pex.db")) == 1
    assert snapshots(moved / "tiny.pex.db") == longer


def test_images_beside_the_store_are_found_from_below_and_from_beside(moved):
    for place in ("stores/deep/tiny.pex.db", "tiny.pex.db"):
        store = moved / place
        store.parent.mkdir(parents=True, exist_ok=True)
        if store != moved / "tiny.pex.db":
            shutil.copy(moved / "tiny.pex.db", store)
        grow(Request(str(store), overrides={"iterations": 2}))
        assert len(snapshots(store)) > 3


def test_images_that_cannot_be_found_are_described_and_nothing_is_stored(moved):
    store = moved / "tiny.pex.db"
    elsewhere = moved.parent / "scratch" / "renamed.npz"
    saved_anew(moved / "data" / "bars.npz", elsewhere)
    shutil.rmtree(moved / "data")
    before = content(store)
    with pytest.raises(
        DataNotFoundError, match=r"'bars' \(81 images .* \(--data PATH\)"
    ) as refused:
        grow(Request(str(store), overrides={"iterations": 2}))
    assert "old place" in str(refused.value) and content(store) == before
    # The remedy: after it the place is known.
    grow(Request(str(store), overrides={"iterations": 2, "data": str(elsewhere)}))
    grow(Request(str(store), overrides={"iterations": 3}))
    assert runs(store)[-1].settings.data.source == str(elsewhere)


def test_a_finished_run_is_opened_without_its_images(moved):
    shutil.rmtree(moved / "data")
    assert "resuming run tiny-1" in lines(
        grow(Request(str(moved / "tiny.pex.db"), overrides={"iterations": 1}))
    )


def test_a_place_with_other_images_is_refused_with_what_is_there(moved):
    store = moved / "tiny.pex.db"
    others = write_data(moved.parent, num_train=120).rename(moved.parent / "more.npz")
    before = content(store)
    with pytest.raises(OtherDataError) as refused:
        grow(Request(str(store), overrides={"iterations": 2, "data": str(others)}))
    words = str(refused.value)
    assert "'more' (108 images" in words and "'bars' (81 images" in words and "--new-run" in words
    assert content(store) == before
    nowhere = moved.parent / "nowhere.npz"
    with pytest.raises(UsageError, match=r"nowhere\.npz is not there"):
        grow(Request(str(store), overrides={"data": str(nowhere)}))
    assert content(store) == before


def test_a_right_place_that_holds_other_images_now_is_passed_by(moved):
    right = saved_anew(moved / "data" / "bars.npz", moved / "bars.npz")
    write_data(moved / "data", num_train=120)
    store = moved / "tiny.pex.db"
    grow(Request(str(store), overrides={"iterations": 2}))
    assert runs(store)[-1].settings.data.source == str(right)


def test_a_fixed_setting_is_refused_on_a_store_with_a_remedy_that_helps(moved):
    with pytest.raises(
        UsageError, match="give the checkpoint instead of the store, with --new-run"
    ):
        grow(Request(str(moved / "tiny.pex.db"), overrides={"batch_size": 8}))
    grow(replace(at(moved, batch_size=8), new_run=True))
    assert len(runs(moved / "tiny.pex.db")) == 2


@pytest.mark.parametrize("option, given", [
    ("--new-run", {"new_run": True}),
    ("--store", {"store": Path("elsewhere.pex.db")}),
    ("--arch", {"arch": "resnet20"}),
    ("--protocol", {"protocol": "paper"}),
])  # fmt: skip
def test_what_is_about_new_runs_is_not_passed_over_on_a_store(moved, option, given):
    store = moved / "tiny.pex.db"
    before = content(store)
    with pytest.raises(UsageError, match=f"^{option} is about a run of a checkpoint, and tiny"):
        grow(Request(str(store), **given))
    assert content(store) == before


def test_a_store_may_be_named_twice(moved):
    store = moved / "tiny.pex.db"
    grow(Request(str(store), store=store))
    assert len(runs(store)) == 1


# ------------------------------------------------------------ new runs


def test_a_new_run_needs_a_word_and_says_what_is_new(moved):
    store, other = moved / "tiny.pex.db", at(moved, batch_size=8, seed=3)
    before = content(store)
    with pytest.raises(AnotherRunError) as refused:
        grow(other)
    words = str(refused.value)
    assert "--batch-size 8 instead of 16" in words and "--seed 3 instead of 0" in words
    assert "Say --seed 0 --batch-size 16 to go on with it, or --new-run" in words
    assert refused.value.exit_code == 2 and content(store) == before
    (begun,) = [e for e in grow(replace(other, new_run=True)) if isinstance(e, RunBegun)]
    assert begun.run == "tiny-2" and "--batch-size 8 instead of 16" in line_of(begun)
    # Said again, as after an interruption, it goes on with that run.
    told = grow(replace(other, new_run=True))
    assert not [e for e in told if isinstance(e, RunBegun)] and len(runs(store)) == 2
    assert "resuming run tiny-2, the newest of 2, in" in lines(told)
    told = lines(grow(at(moved, batch_size=16, seed=0)))
    assert "resuming run tiny-1, one of 2, in" in told
    (resumed,) = [e for e in grow(Request(str(store))) if isinstance(e, RunResumed)]
    assert (resumed.run, resumed.num_runs, resumed.is_newest) == ("tiny-2", 2, True)


def test_an_option_that_is_left_out_differs_too(moved):
    limited = replace(at(moved, train_limit=40), new_run=True)
    grow(limited)
    (moved / "tiny.pex.db").rename(moved / "other.pex.db")
    grow(replace(limited, new_run=False))
    with pytest.raises(AnotherRunError, match="Say --train-limit 40 to go on with it"):
        grow(at(moved))
    with pytest.raises(AnotherRunError, match="--train-limit 30 instead of 40"):
        grow(at(moved, train_limit=30))


def test_other_images_begin_a_new_run_when_asked_for(moved):
    store = moved / "tiny.pex.db"
    others = write_data(moved.parent, num_train=120)
    with pytest.raises(AnotherRunError, match=r"--data .*bars\.npz instead of"):
        grow(at(moved, data=str(others)))
    assert len(runs(store)) == 1
    grow(replace(at(moved, data=str(others)), new_run=True))
    assert [run.data.num_train for run in runs(store)] == [81, 108]
    # At the same place as before: the path alone does not make them the same images.
    shutil.copy(others, moved / "data" / "bars.npz")
    told = lines(grow(replace(at(moved), new_run=True)))
    assert "resuming run tiny-2" in told and len(runs(store)) == 2


def test_another_checkpoint_in_the_same_store_begins_with_a_word(moved):
    data, store = moved / "data" / "bars.npz", moved / "tiny.pex.db"
    renamed = moved / "renamed.pt"
    shutil.copy(moved / "tiny.pt", renamed)
    assert "resuming run tiny-1" in lines(grow(request_of((renamed, data), store, iterations=1)))
    wide = moved / "wide.pt"
    _write_wider(wide)
    told = lines(grow(request_of((wide, data), store, iterations=1)))
    assert "a new run begins, wide-2: the store has none of wide.pt" in told and "tiny.pt" in told


def _write_wider(path: Path) -> None:
    from small import ARGUMENTS

    from engine.checkpoints import write as checkpoint
    from engine.contracts.networks import Architecture, DataDescription
    from engine.models import build

    arguments = {**ARGUMENTS, "stem_width": 5, "stage_widths": [5, 6],
                 "inner_widths": [[5, 5, 5], [6, 6, 6]]}  # fmt: skip
    about = DataDescription(name="bars", mean=(0.3,), std=(0.2,), classes=("0", "1", "2"))
    state = build("cifar_resnet", arguments, seed=1).state_dict()
    checkpoint.save(path, Architecture("cifar_resnet", arguments), state, about, {})


# ------------------------------------------------------------ steering without images


async def _steered(store: Path, play, data: str | None = None) -> list:
    events: list = []
    overrides = {} if data is None else {"data": data}
    request = Request(str(store), overrides=overrides)
    session = await open_session(request, InProcessExecutor, events.append)
    try:
        steering = Steering(session)
        play(steering)
        await steering.idle()
        await steering.stop()
    finally:
        session.store.close()
        await session.executor.close()
    return events


def rejected_of(store: Path) -> str:
    with TreeStore.open(store, read_only=True) as opened:
        return next(n.name for n in opened.nodes(opened.latest_run().id) if n.kept is False)


PLAYS = {
    "branch": lambda s, node: s.branch(s.session.node("R"), BranchRequest("both")),
    "branch to the rejected": lambda s, node: s.branch(
        s.session.node("R"), BranchRequest("layer" if node.endswith("L") else "filter")
    ),
    "candidate": lambda s, node: s.candidate(
        s.session.node("R"), CandidateRequest(RemoveUnits(2, None), None)
    ),
}


@pytest.mark.parametrize("play", PLAYS)
def test_what_needs_the_images_is_refused_before_anything_is_stored(moved, play):
    store = moved / "tiny.pex.db"
    elsewhere = saved_anew(moved / "data" / "bars.npz", moved.parent / "scratch" / "b.npz")
    shutil.rmtree(moved / "data")
    before, node = content(store), rejected_of(store)
    events = asyncio.run(_steered(store, lambda s: PLAYS[play](s, node)))
    (failed,) = [e for e in events if isinstance(e, WorkFailed)]
    assert failed.error == "data-not-found" and "(--data PATH)" in failed.cause
    assert content(store) == before
    events = asyncio.run(_steered(store, lambda s: PLAYS[play](s, node), str(elsewhere)))
    assert not [e for e in events if isinstance(e, WorkFailed)]
    assert content(store) != before


def test_a_node_is_made_again_on_images_that_moved_and_the_store_is_only_read(moved):
    store = moved / "tiny.pex.db"
    before = content(store)

    async def remade(places: DataPlaces):
        executor = InProcessExecutor(moved.parent / "spool")
        with TreeStore.open(store, read_only=True) as opened:
            document = RunDocument.of(opened.latest_run())
            artifacts = Artifacts(opened, moved.parent / "spool", places)
            try:
                name = rejected_of(store)
                return await reexecute(artifacts, document, name, executor, lambda event: None)
            finally:
                await executor.close()

    assert asyncio.run(remade(DataPlaces(folders=folders_of(store)))).verdict == "identical"
    elsewhere = saved_anew(moved / "data" / "bars.npz", moved.parent / "scratch" / "b.npz")
    assert asyncio.run(remade(DataPlaces(str(elsewhere)))).verdict == "identical"
    assert content(store) == before


def test_options_are_the_small_ones():
    assert OPTIONS["batch_size"] == 16  # which the words above name
