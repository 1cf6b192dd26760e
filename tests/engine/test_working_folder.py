"""The working folder: made by us, and nothing in it touched that is not ours."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from engine.contracts.errors import EngineError
from engine.contracts.marker import Marker, read_marker
from engine.contracts.networks import SnapshotRef
from engine.contracts.spool import read_result, snapshot_path
from engine.contracts.working_folder import (
    SIGN,
    WorkingFolderError,
    is_ours,
    make_folder,
    open_own,
    read_own,
    remove_own,
    take_folder,
)
from engine.worker.workbench import Workbench

SHA, KEY = "a" * 64, "b" * 32
OURS = [
    f"{SHA}.safetensors", f"{KEY}.json", f"{KEY}.running", f"{KEY}.events", "worker.log", SIGN,
    f".{SHA}.safetensors.123-0123abcd.tmp", f".{KEY}.json.7-0123abcd.tmp", f".{SHA}.77.tmp",
]  # fmt: skip
NOT_OURS = [
    "model.safetensors", "notes.txt", "config.json", f"{SHA}.safetensors.bak", f"{SHA[1:]}.json",
    f"{KEY.upper()}.json", f"{KEY}.tmp", ".x.tmp", f".{KEY}.json.tmp~", "worker.log.1", "a.running",
    f"{KEY}.json\n", f"../{KEY}.json",
]  # fmt: skip


@pytest.fixture
def spool(tmp_path) -> Path:
    return tmp_path / "tree.pex.db.spool"


def content_of(folder: Path) -> dict[str, object]:
    return {
        path.name: (os.readlink(path) if path.is_symlink() else path.read_bytes())
        for path in folder.iterdir()
        if path.is_symlink() or path.is_file()
    }


@pytest.mark.parametrize("name", OURS)
def test_our_names_are_known(name):
    assert is_ours(name)


@pytest.mark.parametrize("name", NOT_OURS)
def test_no_other_name_is_taken_for_ours(name):
    assert not is_ours(name)


# ---------------------------------------------------------------- the folder


def test_a_new_folder_is_for_its_owner_alone_and_goes_when_it_is_empty(spool):
    before = os.umask(0)
    try:
        take_folder(spool)
    finally:
        os.umask(before)
    assert spool.stat().st_mode & 0o777 == 0o700
    take_folder(spool)  # and again: it is ours
    remove_own(spool, [])
    assert not spool.exists()


@pytest.mark.parametrize("content", ([], OURS[:-1]))
def test_a_folder_of_an_older_version_is_taken_up(spool, content):
    spool.mkdir(mode=0o755)
    for name in content:
        (spool / name).write_text("{}")
    take_folder(spool)
    assert (spool / SIGN).exists() and spool.stat().st_mode & 0o777 == 0o700
    assert {path.name for path in spool.iterdir()} == {SIGN, *content}


@pytest.mark.parametrize("content", (["notes.txt"], [f"{KEY}.json", "model.safetensors"]))
def test_a_folder_with_files_of_others_is_refused_and_left_as_it_is(spool, content):
    spool.mkdir(mode=0o755)
    for name in content:
        (spool / name).write_text("mine")
    before = (content_of(spool), content[-1])
    with pytest.raises(WorkingFolderError, match=f"(?s){content[-1]}.*Move that away.*--store"):
        take_folder(spool)
    assert (content_of(spool), content[-1]) == before
    spool.rename(spool.with_name("mine"))  # the remedy
    take_folder(spool)


def test_a_link_to_a_folder_is_refused_whatever_it_holds(spool, tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    (models / f"{SHA}.safetensors").write_text("a model of theirs")
    spool.symlink_to(models)
    with pytest.raises(WorkingFolderError, match="is a link"):
        take_folder(spool)
    with pytest.raises(OSError):
        make_folder(spool)
    (models / SIGN).write_text("even with our sign")
    remove_own(spool, [f"{SHA}.safetensors", SIGN])
    assert {path.name for path in models.iterdir()} == {f"{SHA}.safetensors", SIGN}


@pytest.mark.parametrize("kind", ["file", "pipe", "broken link"])
def test_what_is_no_folder_is_refused(spool, kind):
    if kind == "file":
        spool.write_text("mine")
    elif kind == "pipe":
        os.mkfifo(spool)
    else:
        spool.symlink_to("nowhere")
    with pytest.raises(WorkingFolderError, match=spool.name):
        take_folder(spool)
    assert os.path.lexists(spool)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder away")
def test_a_folder_of_another_user_is_refused(spool):
    take_folder(spool)
    os.chown(spool, 65534, 65534)
    with pytest.raises(WorkingFolderError, match="another user"):
        take_folder(spool)


def test_only_what_is_ours_goes_and_the_folder_stays_while_there_is_more(spool, tmp_path):
    mine = tmp_path / "mine.safetensors"
    mine.write_text("a model of theirs")
    take_folder(spool)
    for name in (f"{KEY}.json", "model.safetensors", ".x.tmp"):
        (spool / name).write_text("?")
    (spool / f"{SHA}.safetensors").symlink_to(mine)
    (spool / f"{'c' * 64}.safetensors").mkdir()
    remove_own(spool, os.listdir(spool))
    left = {path.name for path in spool.iterdir()}
    assert left == {"model.safetensors", ".x.tmp", f"{'c' * 64}.safetensors"}
    assert mine.read_text() == "a model of theirs"


# ---------------------------------------------------------------- files in it


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "device"])
def test_what_is_no_file_of_its_own_is_not_opened_and_not_waited_for(tmp_path, kind):
    path = tmp_path / f"{KEY}.json"
    if kind == "link":
        (tmp_path / "mine").write_text("{}")
        path.symlink_to(tmp_path / "mine")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    for flags in (os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_APPEND):
        with pytest.raises(OSError):
            os.close(open_own(path, flags))
    assert read_result(path) is None and read_marker(path) is None


def test_more_than_was_agreed_is_not_read(tmp_path):
    path = tmp_path / "sparse"
    with open(path, "wb") as file:
        file.truncate(2**40)
    with pytest.raises(OSError, match="more than"):
        read_own(path, 1000)
    assert read_marker(path) is None


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000, '{"pid": 1}', '{"pid": true, "started": 5, "job": "j"}', "7", "[]", "",
        '{"pid": 1e400, "started": 5, "job": "j"}', '{"pid": 9, "started": "5", "job": "j"}',
        '{"pid": 9, "started": 5, "job": {}}', '{"pid": ' + "9" * 5000 + "}",
    ],
)  # fmt: skip
def test_a_marker_that_is_none_is_no_marker(tmp_path, text):
    path = tmp_path / f"{KEY}.running"
    path.write_text(text)
    assert read_marker(path) is None


@pytest.mark.parametrize("pid", [-(2**40), -1, 0, 1, None, 2**22 + 1, 2**70])
@pytest.mark.parametrize("started", [None, 0, 1])
def test_no_process_is_believed_that_cannot_be_proved(spool, pid, started):
    pid = os.getpid() if pid is None else pid
    assert not Marker(pid, started, "j").works_for(spool)


# ---------------------------------------------------------------- the worker's own look


def _flipped(content: bytes) -> bytes:
    return content[:-9] + bytes([content[-9] ^ 4]) + content[-8:]


@pytest.mark.parametrize(
    "change", [_flipped, lambda content: content[:-1], lambda content: b""],
    ids=["a bit flipped", "truncated", "zero length"],
)  # fmt: skip
def test_a_worker_refuses_weights_that_are_not_those_of_their_name(spool, change):
    take_folder(spool)
    content = os.urandom(1000)
    ref = SnapshotRef(hashlib.sha256(content).hexdigest())
    path = snapshot_path(spool, ref.sha256)
    path.write_bytes(content)
    assert Workbench(spool)._weights(ref) == content
    path.write_bytes(change(content))
    with pytest.raises(EngineError, match="not those of their name"):
        Workbench(spool)._weights(ref)


def test_a_worker_does_not_wait_for_a_pipe_in_place_of_weights(spool):
    take_folder(spool)
    os.mkfifo(snapshot_path(spool, SHA))
    with pytest.raises(EngineError, match="written anew"):
        Workbench(spool)._weights(SnapshotRef(SHA))
