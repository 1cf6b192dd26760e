"""Files that somebody names: only ordinary ones are opened, and nothing waits for a pipe."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from engine.contracts.errors import UnusableFileError
from engine.contracts.outside import check_regular, open_regular, read_bounded


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def _loop(folder: Path) -> Path:
    (folder / "loop").symlink_to(folder / "loop")
    return folder / "loop"


def _socket(folder: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "s"))
    return folder / "s"


OTHERS = {
    "pipe": (_pipe, "is a pipe"),
    "socket": (_socket, ""),
    "device": (lambda folder: Path("/dev/zero"), "is a device"),
    "folder": (lambda folder: folder, "is a folder"),
    "loop": (_loop, "leads back to itself"),
    "missing": (lambda folder: folder / "missing", "is not there"),
    "below a file": (lambda folder: Path(__file__) / "x", "is not there"),
    "long name": (lambda folder: folder / ("x" * 300), "longer than"),
    "zero byte": (lambda folder: folder / "a\0b", "no file can have"),
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("look", [open_regular, check_regular, lambda p: read_bounded(p, 10)])
def test_what_is_no_ordinary_file_is_refused_at_once(kind, look, tmp_path):
    make, words = OTHERS[kind]
    with pytest.raises(UnusableFileError, match=words):
        look(make(tmp_path))


def test_an_ordinary_file_is_read_up_to_its_bound(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert read_bounded(file, 5) == b"12345"
    assert check_regular(file).st_size == 5
    with pytest.raises(UnusableFileError, match="more than 4 bytes"):
        read_bounded(file, 4)


def test_links_to_files_are_followed(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"content"


def test_a_file_that_cannot_be_read_to_its_end_is_named():
    with pytest.raises(UnusableFileError, match="/proc/self/mem cannot be read"):
        read_bounded(Path("/proc/self/mem"), 10)
