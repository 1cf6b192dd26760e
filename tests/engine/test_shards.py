"""Tar shards in the WebDataset way: what is read of them, and what nobody is harmed by."""

from __future__ import annotations

import io
import json
import os
import struct
import tarfile
from pathlib import Path

import pytest
import torch
from data_files import image_folder, pixels
from streamed_files import add, shards_from, streamed

from engine.contracts.errors import DataError
from engine.contracts.loaders import WORKERS_VARIABLE
from engine.data import load
from engine.data.sources import open_source
from engine.data.sources import shards as shards_module
from engine.data.sources.tar_files import MOST_HEADER_BYTES


@pytest.fixture(autouse=True)
def in_this_process(tmp_path, monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(WORKERS_VARIABLE, "0")


@pytest.fixture
def folder(tmp_path):
    return image_folder(tmp_path / "images", each=8)


def png(number: int) -> bytes:
    content = io.BytesIO()
    pixels(number).save(content, "png")
    return content.getvalue()


def one_set(folder: Path) -> Path:
    """Shards of two classes."""
    folder.mkdir()
    for split in ("train", "test"):
        with tarfile.open(folder / f"{split}-000000.tar", "w") as archive:
            for number in range(8):
                add(archive, f"{number:03}.png", png(number + 100 * (split == "test")))
                add(archive, f"{number:03}.cls", str(number % 2).encode())
    return folder


def content_of(data) -> torch.Tensor:
    return torch.cat([images.pixels_NHWC for images in data.test.batches(4)])


@pytest.mark.parametrize("label", ["cls", "json"])
def test_shards_hold_the_images_of_a_folder(folder, tmp_path, label):
    shards = shards_from(folder, tmp_path / "shards", label=label)
    memory = load(str(folder))
    for data in (streamed(shards), load(str(shards))):
        assert data.classes == ("0", "1")
        assert torch.equal(data.train.labels_N, memory.train.labels_N)
        assert torch.equal(data.test.labels_N, memory.test.labels_N)
    assert torch.equal(content_of(streamed(shards)), memory.test.pixels_NHWC)
    assert torch.equal(load(str(shards)).test.pixels_NHWC, memory.test.pixels_NHWC)
    # The same images in the same order: the same data, whatever they are packed in.
    assert streamed(shards).digest == streamed(folder).digest
    assert load(str(shards)).digest == memory.digest


def test_a_number_is_that_of_the_networks_output_and_its_name_is_in_a_file(tmp_path):
    folder = one_set(tmp_path / "x")
    with tarfile.open(folder / "train-000001.tar", "w") as archive:
        for number in range(4):
            add(archive, f"more{number}.png", png(500 + number))
            add(archive, f"more{number}.cls", b"3\n")
    with tarfile.open(folder / "test-000001.tar", "w") as archive:
        add(archive, "more.png", png(900))
        add(archive, "more.cls", b"3")
    data = streamed(folder)
    assert data.classes == ("0", "1", "2", "3") and int(data.test.labels_N.max()) == 3
    (folder / "classes.txt").write_text("ant\nbee\ncat\ndog\n")
    assert streamed(folder).classes == ("ant", "bee", "cat", "dog")
    (folder / "classes.txt").write_text("ant\nbee\n")
    with pytest.raises(DataError, match="labels up to 3, but 2 lines of names"):
        streamed(folder)


def test_labels_may_be_names(tmp_path):
    folder = tmp_path / "x"
    folder.mkdir()
    for split in ("train", "validation", "test"):
        with tarfile.open(folder / f"imagenet-{split}-0000.tar", "w") as archive:
            for number, name in enumerate(("n02", "n01", "n02", "n01")):
                add(archive, f"a/{number}.jpg", png(number + 7 * len(split)))
                add(archive, f"a/{number}.json", json.dumps({"label": name, "w": 8}).encode())
    data = streamed(folder)
    assert data.classes == ("n01", "n02") and data.test.labels_N.tolist() == [1, 0, 1, 0]
    assert len(data.validation) == 4


def test_a_tar_beside_class_folders_is_no_shard(folder):
    before = load(str(folder)).digest
    with tarfile.open(folder / "train.tar", "w") as archive:
        add(archive, "x.txt", b"x")
    data = load(str(folder))
    assert data.digest == before and "train.tar" in " ".join(data.notes)


def test_shards_are_listed_once_until_one_changes(tmp_path, monkeypatch):
    folder, opened = one_set(tmp_path / "x"), []
    members = shards_module.Members

    def counted(path):
        opened.append(path.name)
        return members(path)

    monkeypatch.setattr(shards_module, "Members", counted)
    digest = streamed(folder).digest
    assert streamed(folder).digest == digest and len(opened) == 2
    with tarfile.open(folder / "test-000000.tar", "a") as archive:
        add(archive, "new.png", png(77))
        add(archive, "new.cls", b"1")
    assert streamed(folder).digest != digest and len(opened) == 4


# ------------------------------------------------------------ from anybody


def with_member(folder: Path, *names: tuple[str, bytes, dict]) -> Path:
    folder = one_set(folder)
    with tarfile.open(folder / "train-000001.tar", "w") as archive:
        for name, content, changes in names:
            add(archive, name, content, **changes)
    return folder


def test_links_devices_and_names_that_lead_out_are_no_images(tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(1))
    link = {"type": tarfile.SYMTYPE, "linkname": str(secret), "size": 0}
    hard = {"type": tarfile.LNKTYPE, "linkname": "000.png", "size": 0}
    folder = with_member(
        tmp_path / "x",
        ("a.png", b"", link), ("a.cls", b"0", {}),
        ("b.png", b"", hard), ("b.cls", b"0", {}),
        ("c.png", b"", {"type": tarfile.CHRTYPE, "size": 0}), ("c.cls", b"1", {}),
        ("d.png", b"", {"type": tarfile.FIFOTYPE, "size": 0}), ("d.cls", b"1", {}),
        ("../../../e.png", png(2), {}), ("../../../e.cls", b"1", {}),
    )  # fmt: skip
    data = streamed(folder)
    assert "links and devices inside of shards: 4" in " ".join(data.notes)
    assert len(data.train) + len(data.validation) == 9  # e.png is read where it is, and never out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cache", "secret.png", "x"]


def header(**changes) -> bytes:
    info = tarfile.TarInfo(changes.pop("name", "x.png"))
    for key, value in changes.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.GNU_FORMAT)


def with_size(content: bytes, size: bytes) -> bytes:
    """A header with these bytes as its size, and the checksum that fits."""
    changed = content[:124] + size + content[136:148] + b" " * 8 + content[156:]
    total = sum(changed[:512])
    return changed[:148] + b"%06o\0 " % total + changed[156:]


NEGATIVE = b"\xff" + struct.pack(">q", -1536).rjust(11, b"\xff")
HOSTILE = {
    "size below zero": with_size(header(), NEGATIVE) + bytes(2048),
    "size of exabytes": with_size(header(), b"\x80" + struct.pack(">q", 2**60).rjust(11, b"\0")),
    "long name of gigabytes": header(type=tarfile.GNUTYPE_LONGNAME, size=2**32) + bytes(1024),
    "header of a megabyte": header(type=tarfile.XHDTYPE, size=2**20) + b"9" * 2**20 + bytes(1024),
    "pax below zero": with_size(header(type=tarfile.XHDTYPE), NEGATIVE) + bytes(2048),
    "chain of headers": header(type=tarfile.XHDTYPE, size=0) * 3000 + bytes(1024),
    "numbers without end": header(type=tarfile.XHDTYPE, size=MOST_HEADER_BYTES)
    + b"9" * MOST_HEADER_BYTES + bytes(1024),
    "cut short": header(size=10_000) + bytes(512),
    "no header behind": header(size=0) + b"?" * 512,
    "packed": b"\x1f\x8b\x08" + bytes(600),
    "nothing": b"",
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.timeout(20)
def test_a_hostile_shard_is_refused_by_name_in_bounded_time(tmp_path, kind):
    folder = one_set(tmp_path / "x")
    (folder / "train-000001.tar").write_bytes(HOSTILE[kind])
    with pytest.raises(DataError, match=r"'train-000001\.tar' is damaged or cut short"):
        streamed(folder)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("x.cls", b"", "holds no label"),
        ("x.cls", b"\xff\xfe", "cannot be read as a label"),
        ("x.cls", b"1" * 2000, "which is no label"),
        ("x.cls", b"99999999", "no number of a class"),
        ("x.json", b"[" * 100_000, "cannot be read as a label"),
        ("x.json", b"{}", None),
    ],
)
def test_a_label_that_is_none_is_refused_by_name(tmp_path, name, content, told):
    folder = with_member(tmp_path / "x", ("x.png", png(3), {}), (name, content, {}))
    if told is None:
        assert "images without a .cls or .json of their key: 1" in " ".join(streamed(folder).notes)
        return
    with pytest.raises(DataError, match=told):
        streamed(folder)


def test_a_shard_that_is_a_pipe_or_goes_away_is_told(tmp_path):
    folder = one_set(tmp_path / "x")
    path = folder / "test-000000.tar"
    place = open_source(str(folder)).images.place
    raw = open_source(str(folder)).images.collected.splits["test"][0][0].raw
    path.unlink()
    with pytest.raises(DataError, match=r"test-000000\.tar is not there"):
        place.read(raw)
    os.mkfifo(path)
    with pytest.raises(DataError, match="is a pipe"):
        streamed(folder)


def test_shards_without_a_test_split_say_what_is_there(tmp_path):
    folder = one_set(tmp_path / "x")
    (folder / "test-000000.tar").rename(folder / "other-000000.tar")
    with pytest.raises(DataError, match=r"no images in shards of test; found train \(8 images\)"):
        streamed(folder)
