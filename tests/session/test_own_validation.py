"""A person's own images that decide: kept with the run, told, found again, refused where others
are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from small import Request, request_of, write_data, write_network
from test_places import content, grow, lines, runs, snapshots
from typer.testing import CliRunner

from engine.contracts.errors import UsageError
from explorer.cli.main import app
from explorer.executors.errors import JobFailedError
from explorer.session.data_places import OtherValidationError, ValidationNotFoundError
from explorer.session.known_run import AnotherRunError


def write_deciding(path: Path, seed: int = 7, count: int = 15) -> Path:
    """Images like those of `small`, none of which is among them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = random.integers(0, 120, (count, 8, 8), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 1] += 120
    np.savez(path, x=images, y=labels)
    return path


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with a network, its images, those that decide, and a tree of one iteration."""
    folder = tmp_path_factory.mktemp("own") / "project"
    folder.mkdir()
    files = write_network(folder), write_data(folder)
    mine = write_deciding(folder / "mine" / "mine.npz")
    grow(request_of(files, folder / "t.pex.db", iterations=1, validation_from=str(mine)))
    return folder


@pytest.fixture
def copy(project, tmp_path):
    shutil.copytree(project, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def moved(project, tmp_path):
    """The same, at another place; nothing is left at the old one."""
    hidden = project.with_name("away")
    project.rename(hidden)
    shutil.copytree(hidden, tmp_path / "new place")
    yield tmp_path / "new place"
    hidden.rename(project)


def files(folder: Path):
    return folder / "tiny.pt", folder / "bars.npz"


def test_they_are_part_of_what_the_run_is_and_are_told_wherever_it_is(project):
    (document,) = runs(project / "t.pex.db")
    own = document.data.own_validation
    assert own.name == "mine" and document.data.num_validation == 15
    assert document.data.num_train == 90, "nothing is held out"
    assert any("decided by 15 images of mine" in note for note in document.origin.notes)
    store = str(project / "t.pex.db")
    told = f"decided by the 15 images of mine (--validation-from, digest {own.digest[:12]})"
    run = CliRunner().invoke
    for command in (["log", store], ["plan", store], ["show", store, "R.L"]):
        printed = " ".join(run(app, command).stdout.split())
        assert told in printed, command
    assert told in json.loads(run(app, ["log", store, "--json"]).stdout)["deciding"]


def test_no_key_of_a_job_says_where_they_lie(project, tmp_path):
    """The same images in another file give the same tree, bit for bit."""
    elsewhere = tmp_path / "elsewhere" / "others.npz"
    write_deciding(elsewhere)
    grow(request_of(files(project), tmp_path / "b.pex.db", iterations=1,
                    validation_from=str(elsewhere)))  # fmt: skip
    assert snapshots(tmp_path / "b.pex.db") == snapshots(project / "t.pex.db")
    (a,), (b,) = runs(project / "t.pex.db"), runs(tmp_path / "b.pex.db")
    assert a.data_ref == b.data_ref


def test_a_project_that_moved_finds_them_beside_the_store(moved):
    store = moved / "t.pex.db"
    told = lines(grow(Request(str(store), overrides={"iterations": 2})))
    assert f"those that decide at {moved / 'mine' / 'mine.npz'}" in told
    assert runs(store)[-1].settings.data.validation_from == str(moved / "mine" / "mine.npz")


def test_where_they_are_gone_they_are_described_and_can_be_named(moved):
    store = moved / "t.pex.db"
    elsewhere = moved.parent / "scratch" / "renamed.npz"
    elsewhere.parent.mkdir()
    (moved / "mine" / "mine.npz").rename(elsewhere)
    before = content(store)
    with pytest.raises(ValidationNotFoundError, match=r"the 15 images of 'mine' \(digest") as error:
        grow(Request(str(store), overrides={"iterations": 2}))
    assert "--validation-from FILE" in str(error.value) and content(store) == before
    wrong = write_deciding(moved.parent / "wrong.npz", seed=8)
    with pytest.raises(OtherValidationError, match=r"'wrong'.* the run's are .*'mine'"):
        grow(Request(str(store), overrides={"iterations": 2, "validation_from": str(wrong)}))
    assert content(store) == before
    grow(Request(str(store), overrides={"iterations": 2, "validation_from": str(elsewhere)}))
    assert runs(store)[-1].settings.data.validation_from == str(elsewhere)


def test_the_same_command_goes_on_and_other_images_are_another_run(copy):
    store, mine = copy / "t.pex.db", copy / "mine" / "mine.npz"
    same = request_of(files(copy), store, iterations=2, validation_from=str(mine))
    assert "resuming run tiny-1" in lines(grow(same)) and len(runs(store)) == 1
    others = write_deciding(copy / "others.npz", seed=9)
    with pytest.raises(AnotherRunError, match=r"--validation-from .*others\.npz instead of"):
        grow(request_of(files(copy), store, iterations=2, validation_from=str(others)))
    with pytest.raises(AnotherRunError, match="--validation-from data instead of"):
        grow(request_of(files(copy), store, iterations=2))


def test_a_run_that_decides_otherwise_takes_none(copy, tmp_path):
    store = tmp_path / "usual.pex.db"
    grow(request_of(files(copy), store, iterations=1))
    mine = str(copy / "mine" / "mine.npz")
    with pytest.raises(UsageError, match="decides by data, not by a file"):
        grow(Request(str(store), overrides={"validation_from": mine}))


def test_what_cannot_be_is_told_before_anything_is_stored(project, tmp_path):
    def begin(place) -> None:
        request = request_of(files(project), tmp_path / "n.pex.db", validation_from=str(place))
        grow(request)

    with pytest.raises(UsageError, match="did you mean 'test-half'"):
        begin("test-hlf")
    with pytest.raises(UsageError, match=r"--validation-from: .*gone\.npz is not there"):
        begin(tmp_path / "gone.npz")
    np.savez(tmp_path / "odd.npz", x=np.zeros((9, 9, 9), np.uint8), y=np.arange(9) % 3)
    with pytest.raises(JobFailedError, match="are 9×9×1, those of bars 8×8×1") as refused:
        begin(tmp_path / "odd.npz")
    assert refused.value.error == "own-validation"
    assert not (tmp_path / "n.pex.db").exists()
