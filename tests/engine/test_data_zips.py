"""Zips of images, whoever packed them and whatever happened to them since."""

from __future__ import annotations

import struct
import unicodedata
import zipfile
from pathlib import Path

import pytest
from data_files import image_folder, zip_of

from engine.contracts.errors import DataError
from engine.data import load


@pytest.fixture(autouse=True)
def nothing_cached(tmp_path, monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path) -> Path:
    return image_folder(tmp_path / "plain")


@pytest.fixture
def digest(folder) -> str:
    return load(str(folder)).digest


def notes_of(data) -> str:
    return "\n".join(data.notes)


def refusal(archive: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(str(archive))
    said = str(caught.value)
    assert "BytesIO" not in said and "Errno" not in said and "Traceback" not in said
    return said


def repacked(folder: Path, archive: Path, name=lambda name: name, **about) -> Path:
    """A zip whose names and flags somebody else's program wrote."""
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*.png")):
            info = zipfile.ZipInfo("x")
            info.filename = name(path.relative_to(folder).as_posix())
            for key, value in about.items():
                setattr(info, key, value)
            file.writestr(info, path.read_bytes())
    return archive


@pytest.mark.parametrize("method", [0, 8, 12, 14], ids=["stored", "deflate", "bzip2", "lzma"])
@pytest.mark.parametrize("top", ["", "my data/"])
def test_a_zip_is_its_folder(tmp_path, folder, digest, method, top):
    data = load(str(zip_of(folder, tmp_path / "set.zip", top, method)))
    assert data.digest == digest and data.notes == ()


def test_a_zip_of_the_macos_finder_is_its_folder(tmp_path, folder, digest):
    archive = zip_of(folder, tmp_path / "set.zip", "my data/")
    with zipfile.ZipFile(archive, "a") as file:
        for name in file.namelist():
            place, _, last = name.rpartition("/")
            file.writestr(f"__MACOSX/{place}/._{last}", b"\0\x05\x16\7\0\2\0\0Mac OS X")
    data = load(str(archive))
    assert data.digest == digest
    assert "leave behind: 24 ('__MACOSX/my data/test/cat/._000.png'" in notes_of(data)


@pytest.mark.parametrize(
    "name",
    [
        lambda name: name.replace("/", "\\"),
        lambda name: f"./{name}",
        lambda name: f"/{name}",
        lambda name: f"C:\\data\\{name}".replace("/", "\\"),
    ],
    ids=["backslashes", "dot", "absolute", "drive"],
)
def test_names_as_odd_programs_write_them(tmp_path, folder, digest, name):
    assert load(str(repacked(folder, tmp_path / "set.zip", name))).digest == digest


def test_names_that_lead_out_of_the_archive_are_left_out(tmp_path, folder, digest):
    archive = zip_of(folder, tmp_path / "set.zip")
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("../../train/cat/x.png", b"x")
    data = load(str(archive))
    assert data.digest == digest and "lead out of the archive: 1" in notes_of(data)
    assert not (tmp_path.parent / "train").exists()


def test_an_entry_without_a_name_is_nothing(tmp_path, folder, digest):
    archive = zip_of(folder, tmp_path / "set.zip")
    with zipfile.ZipFile(archive, "a") as file:
        info = zipfile.ZipInfo("x")
        info.filename = ""
        file.writestr(info, b"x")
    assert load(str(archive)).digest == digest


@pytest.mark.parametrize(
    ("written", "system"),
    [
        (unicodedata.normalize("NFD", "été").encode(), 3),  # macOS, without a word of UTF-8
        ("été".encode("latin-1"), 3),
        ("été".encode("cp437"), 0),
        ("été".encode(), 3),
    ],
    ids=["macos", "latin-1", "dos", "utf-8"],
)
def test_accents_in_whatever_encoding_a_zip_has_them(tmp_path, written, system):
    folder = image_folder(tmp_path / "set", classes=("xxx", "dog"))
    archive = zip_of(folder, tmp_path / "set.zip")
    # As bytes, where the names stand: zipfile would mark them as UTF-8.
    padded = written.ljust(len(b"xxx"), b"_") if len(written) < 3 else written
    content = archive.read_bytes()
    if len(padded) == 3:
        content = content.replace(b"/xxx/", b"/" + padded + b"/")
        archive.write_bytes(content)
    else:
        archive.unlink()
        raw = padded.decode("cp437")
        repacked(folder, archive, lambda name: name.replace("xxx", "Q" * len(raw)))
        content = archive.read_bytes().replace(b"Q" * len(raw), padded)
        archive.write_bytes(content)
    content = bytearray(archive.read_bytes())
    start = 0
    while (start := content.find(b"PK\1\2", start)) >= 0:
        content[start + 5] = system  # who made it
        start += 4
    archive.write_bytes(content)
    assert load(str(archive)).classes == ("dog", "été")


def test_the_newer_of_two_files_of_one_name_counts(tmp_path, folder, digest):
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("train/cat/000.png", b"an earlier version")
        with pytest.warns(UserWarning, match="Duplicate"):
            for path in sorted(folder.rglob("*.png")):
                file.write(path, path.relative_to(folder).as_posix())
    data = load(str(archive))
    assert data.digest == digest and "that the zip holds twice: 1" in notes_of(data)


# ------------------------------------------------------------ what cannot be read


def patched(archive: Path, at: int, value: bytes, only: str = "") -> Path:
    """A field of the entries of the central directory, and of their local headers, overwritten."""
    content = bytearray(archive.read_bytes())
    start = 0
    while (start := content.find(b"PK\1\2", start)) >= 0:
        if only.encode() in content[start : start + 200]:
            (local,) = struct.unpack_from("<I", content, start + 42)
            content[start + at : start + at + len(value)] = value
            content[local + at - 2 : local + at - 2 + len(value)] = value
        start += 4
    archive.write_bytes(content)
    return archive


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (10, b"\x09\0", "is packed by Deflate64"),
        (10, b"\x63\0", "is packed by AES encryption"),
        (10, b"\x4d\0", "is packed by method 77"),
        (8, b"\x01\0", "is locked with a password"),
    ],
)
def test_packings_that_are_not_read_are_named_with_a_way_on(tmp_path, folder, at, value, words):
    archive = patched(zip_of(folder, tmp_path / "set.zip"), at, value)
    said = refusal(archive)
    assert words in said and "unpack the zip and give the folder" in said
    assert "'test/cat/000.png'" in said or "'train/cat/000.png'" in said
    assert "(24 such files in all)" in said


def test_a_wrong_checksum_names_the_member_and_the_zip(tmp_path, folder):
    archive = zip_of(folder, tmp_path / "set.zip")
    content = bytearray(archive.read_bytes())
    at = content.find(b"train/dog/002.png") + 60
    content[at] ^= 0xFF
    archive.write_bytes(content)
    said = refusal(archive)
    assert "'train/dog/002.png' is damaged inside its zip ('set.zip')" in said
    assert "fetch the zip again" in said


@pytest.mark.parametrize("share", [0.1, 0.66, 0.99])
def test_a_zip_that_was_cut_is_said_to_be(tmp_path, folder, share):
    archive = zip_of(folder, tmp_path / "set.zip")
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])
    assert "'set.zip' is damaged or cut short" in refusal(archive)


def test_a_zip_of_something_else_says_what_it_holds(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.writestr("a/b.txt", "x")
    said = refusal(tmp_path / "set.zip")
    assert "found no images at all, left out" in said and "'a/b.txt'" in said


def test_a_zip_bomb_is_not_unpacked(tmp_path, folder):
    archive = zip_of(folder, tmp_path / "set.zip")
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("train/cat/x.bmp", b"BM" + bytes(80 * 2**20))
    said = refusal(archive)
    assert "unpack to 83.9 MB; no images do, so it is not unpacked" in said


def test_a_member_that_unpacks_to_more_than_the_zip_says_stops_there(tmp_path, folder):
    archive = zip_of(folder, tmp_path / "set.zip", method=zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("train/cat/x.bmp", b"BM" + bytes(8 * 2**20))
    patched(archive, 24, struct.pack("<I", 100), only="x.bmp")
    assert "'train/cat/x.bmp' is damaged inside its zip" in refusal(archive)


def test_a_directory_that_is_larger_than_any_list_of_images_is_not_read(tmp_path):
    path = tmp_path / "set.zip"
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 2**31, 0, 0)
    with open(path, "wb") as file:
        file.truncate(2**31)
        file.seek(2**31)
        file.write(end)
    assert "damaged or cut short" in refusal(path)
