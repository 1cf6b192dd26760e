"""What `--data` may lead to besides data: nothing of it is waited for or read whole."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest
from data_files import idx_folder, image_folder

from engine.contracts.errors import DataError
from engine.data import load


@pytest.fixture(autouse=True)
def nothing_cached(tmp_path, monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_CACHE", str(tmp_path / "cache"))


def refusal(source: str) -> str:
    started = time.process_time()
    with pytest.raises(DataError) as caught:
        load(source)
    assert time.process_time() - started < 5
    said = str(caught.value)
    assert "Errno" not in said and "BytesIO" not in said
    return said


def pipe(path: Path) -> None:
    os.mkfifo(path)


def to_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def endless(path: Path) -> None:
    """A file of 10 GB that takes no room."""
    with open(path, "wb") as file:
        file.truncate(10 * 10**9)


def unix_socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # socket names are short
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


KINDS = [pipe, to_zero, loop, endless, unix_socket]


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("name", ["x", "x.npz", "x.zip"])
def test_data_that_are_no_file_are_refused_at_once(tmp_path, make, name):
    make(tmp_path / name)
    said = refusal(str(tmp_path / name))
    assert name in said


@pytest.mark.parametrize("make", [pipe, endless])
def test_names_that_would_write_to_a_terminal_are_escaped(tmp_path, make):
    name = "\x1b[2J\u202e\udcff.zip"
    make(tmp_path / name)
    said = refusal(str(tmp_path / name))
    assert said.isprintable() and "\\x1b[2J" in said


@pytest.mark.parametrize("make", KINDS)
def test_an_image_that_is_no_file_is_refused_by_name(tmp_path, make):
    folder = image_folder(tmp_path / "set")
    make(folder / "train/dog/odd.png")
    said = refusal(str(folder))
    assert "'train/dog/odd.png'" in said and "remove" in said
    (folder / "train/dog/odd.png").unlink()  # as it says
    assert load(str(folder)).classes == ("cat", "dog")


@pytest.mark.parametrize("make", KINDS)
def test_an_idx_file_that_is_no_file_is_refused_by_name(tmp_path, make):
    folder = idx_folder(tmp_path / "set")
    (folder / "t10k-images-idx3-ubyte").unlink()
    make(folder / "t10k-images-idx3-ubyte")
    assert "t10k-images-idx3-ubyte" in refusal(str(folder))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "no data are named"),
        ("/dev/zero", "is a device"),
        ("a" * 300, "is longer than the file system allows"),
        ("x\0y", "no name that a file can have"),
        ("~nobody-of-this-name/x", "no home folder"),
        ("\x1b[2J", "is called '\\x1b[2J'"),
    ],
)
def test_sources_that_cannot_be_are_told_as_what_they_are(source, words):
    assert words in refusal(source)


def test_entries_beyond_counting_are_not_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.data.sources.folder.MOST_ENTRIES", 100)
    folder = image_folder(tmp_path / "set")
    for number in range(100):
        (folder / f"{number}.txt").touch()
    assert "more than 100 files and folders" in refusal(str(folder))


def test_folders_without_end_are_not_walked(tmp_path):
    folder = image_folder(tmp_path / "set")
    (folder / "train/cat" / "/".join("d" * 60)).mkdir(parents=True)
    assert "levels deep" in refusal(str(folder))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(tmp_path):
    folder = image_folder(tmp_path / "set")
    (folder / "train/cat").chmod(0)
    try:
        assert "'train/cat' cannot be read (you may not read it)" in refusal(str(folder))
    finally:
        (folder / "train/cat").chmod(0o755)
