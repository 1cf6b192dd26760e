"""Damaged shards, zips and folders, streamed to their last image: a data set, or words."""

from __future__ import annotations

import io
import random
import shutil
import tarfile
from pathlib import Path

import pytest
import torch
from budget import rounds
from data_fuzz import accepted, damaged, fuzzed
from streamed_files import add
from test_fuzz_data_files import FILES, encoded, odd_entry, usual_names

from engine.contracts.loaders import WORKERS_VARIABLE
from engine.contracts.networks import Reading
from engine.data import StreamedData, open_data

pytestmark = pytest.mark.slow

LABELS = (b"0", b"1", b"0\n", b"cat", b"", b"-1", b"7", b"1" * 40, b"\xff", b'{"label": 1}', b"[")
TYPES = (tarfile.REGTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE,
         tarfile.FIFOTYPE, tarfile.DIRTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE,
         tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE)  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_CACHE", "/dev/null/nowhere")
    monkeypatch.setenv(WORKERS_VARIABLE, "0")


def read_whole(path: Path) -> StreamedData:
    """A streamed data set, each image of which was decoded."""
    data = open_data(str(path), Reading(loader="streaming"))
    assert isinstance(data, StreamedData)
    for split in (data.train, data.validation, data.test):
        for images in split.batches(2):
            assert images.pixels_NHWC.shape[1:] == data.image_shape_HWC
    list(data.train.training_batches([torch.arange(len(data.train))], 0, data.mean))
    return data


def shard(source: random.Random, name: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(name, "w", content) as archive:
        for number in range(6):
            add(archive, f"{number}.png", encoded(source))
            label = str(number % 2).encode()
            add(
                archive, f"{number}.cls", source.choice(LABELS) if source.random() < 0.01 else label
            )
        for _ in range(source.choice((0, 0, 1, 3))):
            odd = {"type": source.choice(TYPES), "linkname": source.choice(("..", "/dev/zero", ""))}
            add(archive, source.choice(FILES), encoded(source), **odd)
    found = content.getvalue()
    return damaged(found, source) if source.random() < 0.3 else found


@pytest.mark.filterwarnings("ignore")
def test_any_shards_are_a_data_set_or_words(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()

    def one(source: random.Random) -> bool:
        for name in ("train-0.tar", "train-1.tar", "test-0.tar"):
            (folder / name).write_bytes(shard(source, name))
        return accepted(lambda: read_whole(folder))

    report = fuzzed(rounds(15), one, tmp_path / "log")
    assert not report.faults, "\n".join(report.faults)
    assert 0 < report.accepted < report.tries


@pytest.mark.filterwarnings("ignore")
def test_any_folder_is_streamed_or_refused_in_words(tmp_path):
    folder = tmp_path / "set"

    def one(source: random.Random) -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        for name in usual_names():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(encoded(source))
        for _ in range(source.choice((0, 1, 2))):
            odd_entry(folder, source)
        return accepted(lambda: read_whole(folder))

    report = fuzzed(rounds(15), one, tmp_path / "log")
    assert not report.faults, "\n".join(report.faults)
    assert 0 < report.accepted < report.tries
