"""Damaged zips and odd folders of images: a data set, or words."""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import zipfile
from pathlib import Path

import pytest
from budget import rounds
from data_files import pixels
from data_fuzz import accepted, damaged, fuzzed

from engine.data import load

pytestmark = pytest.mark.slow

NAMES = ("train", "test", "val", "Train", "TEST", "valid", "cat", "dog", "1", "10", "2", "data",
         "été", "e\u0301te\u0301", ".hidden", "__MACOSX", "@eaDir", "x.png", " ", "a\nb", "\x1b[2J",
         "‮abc", "c:", "..", "\udce9")  # fmt: skip
FILES = (
    "0.png",
    "1.PNG",
    "._0.png",
    "Thumbs.db",
    "notes.txt",
    "x.jpg",
    "\udcff.png",
    "e\u0301.png",
)
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def encoded(source: random.Random) -> bytes:
    mode = source.choice(("RGB", "RGB", "RGB", "RGB", "L", "P", "RGBA"))
    size = 5 if source.random() < 0.01 else 4  # one size is needed: few are odd
    image = pixels(source.randrange(100), mode, size)
    file = io.BytesIO()
    image.save(file, "PNG")
    content = file.getvalue()
    return damaged(content, source) if source.random() < 0.01 else content


def usual_names() -> list[str]:
    return [f"{s}/{c}/{n}.png" for s in ("train", "test") for c in ("cat", "dog") for n in range(3)]


def path_of(source: random.Random) -> str:
    depth = source.choice((0, 1, 2, 2, 3, 5))
    return "/".join((*source.choices(NAMES, k=depth), source.choice(FILES)))


@pytest.mark.filterwarnings("ignore")
def test_any_zip_is_a_data_set_or_words(tmp_path, monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_CACHE", "/dev/null/nowhere")
    path = tmp_path / "a.zip"

    def one(source: random.Random) -> bool:
        names = usual_names() + [path_of(source) for _ in range(source.choice((0, 0, 0, 1, 4)))]
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                name = name.encode("utf-8", "replace").decode()
                if source.random() < 0.02:
                    name = name.replace("/", "\\")
                archive.writestr(name, encoded(source), source.choice(METHODS))
        if source.random() < 0.6:
            path.write_bytes(damaged(path.read_bytes(), source))
        return accepted(lambda: load(str(path)))

    report = fuzzed(rounds(20), one, tmp_path / "log")
    assert not report.faults, "\n".join(report.faults)
    assert 0 < report.accepted < report.tries


def odd_entry(folder: Path, source: random.Random) -> None:
    """Something that lies in a folder, now and then something that must not be opened."""
    place = Path(os.fsdecode(os.fsencode(folder))) / path_of(source).replace("..", "dots")
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(place):  # perhaps a pipe: writing to it would wait for ever
            return
        kind = source.randrange(12)
        if kind == 0:
            place.symlink_to(source.choice(("/nowhere", "..", "../..", place.name, "/dev/zero")))
        elif kind == 1:
            place.symlink_to(folder / source.choice(usual_names()))
        elif kind == 2:
            place.with_suffix("").symlink_to(folder / source.choice(("train", "test/dog", ".")))
        elif kind == 3:
            os.mkfifo(place)
        elif kind == 4:
            place.mkdir()
        elif kind == 5:
            place.touch()
        else:
            place.write_bytes(encoded(source))


@pytest.mark.filterwarnings("ignore")
def test_any_folder_is_a_data_set_or_words(tmp_path, monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_CACHE", "/dev/null/nowhere")
    folder = tmp_path / "set"

    def one(source: random.Random) -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        for name in usual_names():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(encoded(source))
        for _ in range(source.choice((0, 1, 2, 3, 8))):
            odd_entry(folder, source)
        if source.random() < 0.1:
            top = source.choice(("train", "test"))
            with contextlib.suppress(OSError):  # there may be one of that name
                (folder / top).rename(folder / source.choice(("Train", "testing", "val", "other")))
        return accepted(lambda: load(str(folder)))

    report = fuzzed(rounds(20), one, tmp_path / "log")
    assert not report.faults, "\n".join(report.faults)
    assert 0 < report.accepted < report.tries
