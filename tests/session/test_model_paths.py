"""MODEL as something that is no file: refused at once, saying what it is."""

from __future__ import annotations

import os

import pytest

from engine.contracts.errors import UnusableFileError, UsageError
from engine.contracts.outside import MOST_CHECKPOINT_BYTES, digest_of
from explorer.session.named_files import is_store, model_path


def pipe(path):
    os.mkfifo(path)


def loop(path):
    path.symlink_to(path)


def nowhere(path):
    path.symlink_to(path.with_name("gone"))


@pytest.mark.parametrize(("make", "words"), [
    (pipe, "is a pipe"), (loop, "a link that leads back to itself"), (nowhere, "is not there"),
])  # fmt: skip
def test_what_is_no_file_is_named(make, words, tmp_path):
    make(tmp_path / "net.pt")
    with pytest.raises(UsageError, match=words):
        model_path(str(tmp_path / "net.pt"))
    assert not is_store(tmp_path / "net.pt")  # and nobody waits for a pipe


def test_a_device_has_no_end(tmp_path):
    with pytest.raises(UsageError, match="is a device"):
        model_path("/dev/zero")


def test_a_file_that_is_missing_or_a_folder_is_told_as_ever(tmp_path):
    (tmp_path / "resnet.pt").touch()
    with pytest.raises(UsageError, match="did you mean"):
        model_path(str(tmp_path / "resnt.pt"))
    with pytest.raises(UsageError, match="is a folder"):
        model_path(str(tmp_path))
    with pytest.raises(UsageError, match="longer than the file system allows"):
        model_path("x" * 300)


def test_a_sparse_file_of_ten_gigabytes_is_not_read(tmp_path):
    with open(tmp_path / "big.pt", "wb") as file:
        file.truncate(10 * 2**30)
    with pytest.raises(UnusableFileError, match=r"10,737,418,240 bytes; at most"):
        digest_of(tmp_path / "big.pt", MOST_CHECKPOINT_BYTES)
