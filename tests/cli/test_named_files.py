"""Files that a command names: what cannot be is told at once, and no work begins."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))
from small_tensors import grow

from engine.contracts.errors import UsageError
from explorer.cli.main import app
from explorer.executors.worker_process import WorkerProcess
from explorer.session import named_files
from explorer.session.named_files import check_new_store, default_store, is_store
from store import TreeStore

LONG = "n" * 300


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder with a store, a checkpoint and what is neither; no worker may start in it."""
    monkeypatch.chdir(tmp_path)
    with TreeStore.open(tmp_path / "tree.pex.db", create=True) as store:
        grow(store)
    (tmp_path / "tree.pt").write_bytes(b"a checkpoint")
    (tmp_path / "data.npz").write_bytes(b"PK\x03\x04")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()

    async def started(self: WorkerProcess) -> None:
        raise AssertionError("work began before the names were looked at")

    monkeypatch.setattr(WorkerProcess, "ensure_started", started)
    return tmp_path


def told(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["auto", ""], "MODEL is empty"),
        (["auto", "pipe"], "pipe is a pipe"),
        (["auto", "loop"], "loop is a link that leads back to itself"),
        (["auto", "folder"], "folder is a folder"),
        (["auto", LONG], "longer than the file system allows"),
        (["auto", "tree.pth"], "there is no file 'tree.pth'; did you mean 'tree.pt'?"),
        (["auto", "no\udcff.pt"], r"there is no file 'no\udcff.pt'"),
        (["auto", "tree.pt", "--data", "pipe"], "--data: pipe is a pipe"),
        (["auto", "tree.pt", "--data", "loop"], "--data: loop is a link"),
        (["auto", "tree.pt", "--data", "dota.npz"], "did you mean 'data.npz'?"),
        (["auto", "tree.pt", "--data", "/dev/zero"], "--data: /dev/zero is a device"),
        (["auto", "tree.pt", "--store", LONG], "is too long to make files of"),
        (["auto", "tree.pt", "--store", "no/x.db"], "there is no folder"),
        (["auto", "tree.pt", "--store", "loop"], "leads back to itself"),
        (["auto", "tree.pt", "--store", "pipe"], "is a pipe"),
        (["train", "resmet20"], "no network or file is called 'resmet20'"),
        (["train", "resnet21"], "depth 21 is not 6n+2"),
        (["train", "resnet20", "--shortcut", "C"], "--shortcut 'C'"),
        (["train", "resnet20", "--output", "no/x.pt"], "there is no folder"),
        (["train", "resnet20", "--output", "pipe"], "is there and is no file"),
        (["train", "resnet20", "--data", "nowhere/"], "--data: nowhere"),
        (["decide", "sample", "R", "both"], "sample is not there; give a store"),
        (["decide", "tree.pt", "R", "both"], "tree.pt is no store; did you mean 'tree.pex.db'?"),
        (["branch", "data.npz", "R"], "data.npz is no store; `pe-explore auto MODEL` makes one"),
        (["tag", "data.npz", "R", "word"], "data.npz is no store"),
        (["note", "pipe", "R", "word"], "pipe is a pipe"),
        (["candidate", "loop", "R", "--filters", "3"], "loop is a link"),
        (["undo", "folder"], "folder is a folder"),
        (["export", "tree.pex.db", "R", "no/x.pt"], "there is no folder"),
        (["export", "tree.pex.db", "R", "folder/../pipe.pt/x.pt"], "there is no folder"),
        (["pack", "tree.pex.db", "pipe"], "is there and is no file"),
        (["pack", "tree.pex.db", LONG], "is too long"),
        (["log", "pipe"], "is a pipe, a socket or a device"),
        (["verify", "loop"], "cannot look at"),
        (["show", LONG, "R"], "cannot look at"),
        (["merge", "tree.pex.db", "/dev/zero"], "is a pipe, a socket or a device"),
        (["verify", "tree.pex.db", "--data", "data.npz"], "--data is for --reexecute"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_what_cannot_be_is_told_before_any_work(here, line, words):
    before = sorted(os.listdir(here))
    code, output = told(*line)
    assert code in (1, 2) and words in output, output
    assert sorted(os.listdir(here)) == before, "nothing is left behind"


def test_words_of_the_parser_are_harmless_too(here):
    for line in (
        ["log", "--\x1b[31m"],
        ["log", "tree.pex.db", "\u202eabc"],
        ["log", "--limit=\x07"],
    ):
        code, output = told(*line)
        assert code == 2 and not {"\x1b", "\u202e", "\x07"} & set(output)


def test_a_disk_without_room_is_told_before_work_begins(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(
        named_files.shutil, "disk_usage", lambda folder: usage._replace(free=5_000_000)
    )
    check_new_store(tmp_path / "x.pex.db", 1_000_000)
    with pytest.raises(UsageError, match=r"5\.0 MB left, and this needs 9\.0 MB .* --store"):
        check_new_store(tmp_path / "x.pex.db", 4_000_000)


def test_a_store_is_known_by_its_content_and_a_pipe_is_not_waited_for(here):
    assert is_store(here / "tree.pex.db") and not is_store(here / "tree.pt")
    assert not is_store(here / "pipe") and not is_store(here / "folder")
    assert default_store("a/b/net.pt") in (Path("a/b/net.pex.db"), Path("net.pex.db"))
