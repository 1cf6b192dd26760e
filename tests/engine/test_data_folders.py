"""Folders of images as people have them: what is taken, what is left out, what is said of it."""

from __future__ import annotations

import os
import shutil
import unicodedata
from pathlib import Path

import pytest
from data_files import image_folder, pixels, zip_of

from engine.contracts.errors import DataError
from engine.data import load
from engine.data.sources import open_source
from engine.data.sources.collector import collect
from engine.data.sources.entries import Entry, LeftOut, Listing


@pytest.fixture(autouse=True)
def nothing_cached(tmp_path, monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_CACHE", str(tmp_path / "cache"))


def notes_of(data) -> str:
    return "\n".join(data.notes)


def refusal(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(str(folder))
    return str(caught.value)


def plain(tmp_path: Path, **changes) -> Path:
    return image_folder(tmp_path / "plain", **changes)


def num_images(data) -> int:
    return len(data.train) + len(data.validation) + len(data.test)


def test_a_plain_folder_is_not_worth_a_word(tmp_path):
    assert load(str(plain(tmp_path))).notes == ()


# ------------------------------------------------------------ links


def test_split_and_class_folders_that_are_links_are_followed(tmp_path):
    whole = plain(tmp_path, classes=("a", "b", "c"))
    linked = tmp_path / "linked"
    (linked / "test").mkdir(parents=True)
    (linked / "train").symlink_to(whole / "train")
    for name in ("a", "b"):
        (linked / "test" / name).symlink_to(f"../../plain/test/{name}")
    shutil.copytree(whole / "test" / "c", linked / "test" / "c")
    data = load(str(linked))
    assert data.digest == load(str(whole)).digest
    assert "links lead out of the folder" in notes_of(data) and "'train'" in notes_of(data)
    (tmp_path / "again").symlink_to("linked")
    assert load(str(tmp_path / "again")).digest == data.digest


def test_links_within_the_folder_are_nobody_s_business(tmp_path):
    folder = plain(tmp_path)
    (folder / "train/cat/again.png").symlink_to("000.png")
    data = load(str(folder))
    assert num_images(data) == 25 and data.notes == ()


def test_links_in_circles_are_told_and_end(tmp_path):
    folder = plain(tmp_path)
    (folder / "train/cat/back").symlink_to("../..")
    (folder / "train/cat/self").symlink_to("self")
    (folder / "train/dog/cat").symlink_to("../cat")
    data = load(str(folder))
    assert "lead back to a folder above" in notes_of(data)
    # The linked class folder is read once more, as a folder of dogs.
    assert num_images(data) == 24 + 6


def test_folders_linked_to_each_other_do_not_multiply_for_ever(tmp_path):
    folder = plain(tmp_path)
    for one in range(4):
        for other in range(4):
            place = folder / "train/cat" / f"{one}"
            place.mkdir(exist_ok=True)
            (place / f"to{other}").symlink_to(f"../{other}")
    data = load(str(folder))
    assert num_images(data) == 24


def test_a_link_to_nowhere_is_named_with_its_target(tmp_path):
    folder = plain(tmp_path)
    (folder / "train/cat/gone.png").symlink_to("/nowhere/x.png")
    said = refusal(folder)
    assert "'train/cat/gone.png'" in said and "'/nowhere/x.png'" in said and "remove" in said
    (folder / "train/cat/gone.png").unlink()  # as it says
    assert num_images(load(str(folder))) == 24


# ------------------------------------------------------------ below a class, beside it


def test_images_below_a_class_folder_are_of_that_class(tmp_path):
    folder = plain(tmp_path)
    whole = load(str(folder))
    (folder / "train/cat/day1/morning").mkdir(parents=True)
    (folder / "train/cat/005.png").rename(folder / "train/cat/day1/morning/z.png")
    data = load(str(folder))
    assert num_images(data) == num_images(whole) and data.classes == whole.classes


def test_a_folder_with_the_name_of_an_image_is_a_folder(tmp_path):
    folder = plain(tmp_path)
    (folder / "train/cat/x.png").mkdir()
    pixels(77).save(folder / "train/cat/x.png/y.png")
    assert num_images(load(str(folder))) == 25


def test_what_systems_leave_behind_is_left_out_and_counted(tmp_path):
    folder = plain(tmp_path)
    digest = load(str(folder)).digest
    for image in sorted(folder.rglob("*.png")):
        image.with_name(f"._{image.name}").write_bytes(b"\0\x05\x16\x07 Mac OS X")
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store"):
        (folder / "train/cat" / name).write_bytes(b"x")
    for place in ("train/cat/@eaDir/000.png", "__MACOSX/train/cat", ".cache/train/owl"):
        (folder / place).mkdir(parents=True)
        pixels(1).save(folder / place / "thumb.png")
    data = load(str(folder))
    assert data.digest == digest
    assert "left out hidden files and those that systems leave behind: 30 (" in notes_of(data)
    assert "and 27 more" in notes_of(data)


def test_files_that_are_no_images_and_images_of_no_class_are_told(tmp_path):
    folder = plain(tmp_path)
    (folder / "labels.csv").write_text("a,b")
    (folder / "train/cat/notes.txt").write_text("hello")
    pixels(1).save(folder / "train/stray.png")
    pixels(1).save(folder / "preview.png")
    told = notes_of(load(str(folder)))
    assert "left out files that are no images by their names: 2 (" in told
    assert "left out images that lie in no class folder: 1 ('train/stray.png')" in told
    assert "left out images that lie in no split: 1 ('preview.png')" in told


# ------------------------------------------------------------ names of splits


@pytest.mark.parametrize(
    "splits",
    [("Train", "Test"), ("TRAIN", "TEST"), ("training", "testing"), ("Training", "test")],
)
def test_splits_may_be_spelled_otherwise_and_it_is_said(tmp_path, splits):
    expected = load(str(plain(tmp_path)))
    data = load(str(image_folder(tmp_path / "other", splits)))
    assert data.digest == expected.digest
    assert f"'{splits[0]}/' is taken as train/" in notes_of(data)


@pytest.mark.parametrize("name", ["valid", "validation", "Val", "VALIDATION"])
def test_a_validation_split_may_be_spelled_otherwise(tmp_path, name):
    expected = load(str(image_folder(tmp_path / "usual", ("train", "test", "val"))))
    data = load(str(image_folder(tmp_path / "other", ("train", "test", name))))
    assert data.digest == expected.digest and len(data.validation) == 12
    assert f"'{name}/' is taken as val/" in notes_of(data)


@pytest.mark.parametrize("splits", [("Train", "train"), ("val", "valid"), ("test", "Testing")])
def test_two_folders_for_one_split_are_refused_by_name(tmp_path, splits):
    folder = image_folder(tmp_path / "set", {"train", "test", *splits})
    said = refusal(folder)
    assert all(f"'{name}'" in said for name in splits) and "rename" in said
    shutil.rmtree(folder / splits[1])  # put their images together, or rename: one is left
    assert load(str(folder)).classes == ("cat", "dog")


SERVES = "there are no images in test/: the 12 of val/ serve as the test images, and 2 of the 12 "


@pytest.mark.parametrize("name", ["val", "validation", "Valid"])
def test_where_nothing_is_in_test_val_serves_and_others_are_held_out_to_decide_by(tmp_path, name):
    """ImageNet's layout. It is never decided on images that figures are reported of."""
    folder = image_folder(tmp_path / "set", ("train", name))
    data = load(str(folder))
    assert (len(data.train), len(data.validation), len(data.test)) == (10, 2, 12)
    assert data.num_shared() == 0 and SERVES in notes_of(data)
    zipped = load(str(zip_of(folder, tmp_path / "set.zip")))
    assert zipped.digest == data.digest and SERVES in notes_of(zipped)
    (folder / name).rename(folder / "test")  # the same images by another name are the same data
    renamed = load(str(folder))
    assert renamed.digest == data.digest and "serve as" not in notes_of(renamed)


def test_test_images_of_no_class_are_none_and_told(tmp_path):
    """As in ImageNet, whose test images nobody has labels of."""
    folder = image_folder(tmp_path / "set", ("train", "val"))
    (folder / "test").mkdir()
    (folder / "train/cat/000.png").rename(folder / "test/0.png")
    said = notes_of(load(str(folder)))
    assert "there are no images in test/: the 12 of val/ serve" in said
    assert "left out images that lie in no class folder: 1 ('test/0.png')" in said
    # Where some are labelled, all is as ever: val/ is what is decided on.
    (folder / "test/cat").mkdir()
    (folder / "train/cat/001.png").rename(folder / "test/cat/1.png")
    (folder / "test/dog").mkdir()
    (folder / "train/dog/000.png").rename(folder / "test/dog/0.png")
    data = load(str(folder))
    assert (len(data.validation), len(data.test)) == (12, 2) and "serve as" not in notes_of(data)


def test_without_training_images_val_serves_for_nothing(tmp_path):
    said = refusal(image_folder(tmp_path / "set", ("val", "test")))
    assert "has no images in train/<class>/; found" in said and "'val/' (12 images)" in said
    said = refusal(image_folder(tmp_path / "flat", ("train",)))
    assert "has no images in test/<class>/" in said and "(or val/<class>/*)" in said


def test_too_few_training_images_beside_val_are_told(tmp_path):
    folder = image_folder(tmp_path / "set", ("train", "val"))
    for name in ("cat", "dog"):
        for path in sorted((folder / "train" / name).iterdir())[1:]:
            path.unlink()
    assert "none are left when validation images are taken out" in refusal(folder)


def test_what_is_there_instead_is_named(tmp_path):
    folder = image_folder(tmp_path / "set", ("images", "labels"))
    said = refusal(folder)
    assert "'images/' (12 images)" in said and "'labels/' (12 images)" in said
    assert "train/<class>/* and test/<class>/*" in said
    without = image_folder(tmp_path / "classes", (".",))
    assert "'cat/' (6 images), 'dog/' (6 images)" in refusal(without)
    (tmp_path / "empty").mkdir()
    assert "found no images at all; it needs" in refusal(tmp_path / "empty")
    (tmp_path / "empty/data_batch_1").write_bytes(b"x")  # the layout of CIFAR-10 for Python
    assert "left out files that are no images by their names: 1 ('data_batch_1')" in refusal(
        tmp_path / "empty"
    )


def test_images_directly_in_a_split_are_no_classes(tmp_path):
    for split in ("train", "test"):
        (tmp_path / "set" / split).mkdir(parents=True)
        pixels(1).save(tmp_path / "set" / split / "x.png")
    said = refusal(tmp_path / "set")
    assert "'train/' (1 image)" in said and "2 images of them in a split but in no class" in said


# ------------------------------------------------------------ names of classes


def test_class_folders_named_by_numbers_are_numbered_so(tmp_path):
    data = load(str(plain(tmp_path, classes=[str(n) for n in range(12)], each=2)))
    assert data.classes == tuple(str(n) for n in range(12))
    assert "not as text (torchvision's ImageFolder: 0, 1, 10, …)" in notes_of(data)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (("007", "10", "8"), ("007", "8", "10")),
        (("-1", "10", "2"), ("-1", "10", "2")),
        (("1", "10", "2", "background"), ("1", "10", "2", "background")),
        (("class10", "class2"), ("class10", "class2")),
    ],
)
def test_only_numbers_sort_as_numbers(tmp_path, classes, expected):
    assert load(str(plain(tmp_path, classes=classes))).classes == expected


def test_accents_are_one_letter_however_they_are_written(tmp_path):
    decomposed, composed = unicodedata.normalize("NFD", "café"), "café"
    folder = image_folder(tmp_path / "set", ["train"], [decomposed, "dog"])
    image_folder(folder, ["test"], [composed, "dog"])
    data = load(str(folder))
    assert data.classes == (composed, "dog") and data.notes == ()
    image_folder(folder, ["train"], [composed], each=2)
    data = load(str(folder))
    assert "2 folders of train/ are the class 'café'" in notes_of(data)
    assert num_images(data) == 24 + 2


def test_names_in_another_encoding_are_read_as_latin_1(tmp_path):
    folder = plain(tmp_path)
    for split in (b"train", b"test"):
        place = os.fsencode(folder) + b"/" + split
        os.rename(place + b"/cat", place + b"/\xe9t\xe9")
        os.rename(place + b"/\xe9t\xe9/000.png", place + b"/\xe9t\xe9/\xe9.png")
    odd = os.fsencode(tmp_path) + b"/donn\xe9es"
    os.rename(folder, odd)
    data = load(os.fsdecode(odd))
    assert data.classes == ("dog", "été") and data.name == "données"
    assert num_images(data) == 24
    data.describe().name.encode()  # fit for JSON and a database


def test_a_class_that_only_the_test_split_has_is_named_with_the_nearest(tmp_path):
    folder = plain(tmp_path)
    (folder / "test/cat").rename(folder / "test/Cat")
    said = refusal(folder)
    assert "'Cat' is in test/ but not in train/" in said and "did you mean 'cat'?" in said


def test_a_class_without_test_images_is_told(tmp_path):
    folder = plain(tmp_path, classes=("a", "b", "c"))
    shutil.rmtree(folder / "test/b")
    assert "test/ has no images of 'b'" in notes_of(load(str(folder)))


# ------------------------------------------------------------ names only


def entries_of(*paths: str) -> Listing:
    return Listing(tuple(Entry(path, path) for path in paths), LeftOut())


def test_the_collector_needs_names_only_and_keeps_their_order():
    found = collect(
        "set",
        entries_of(
            "top/train/b/2.png", "top/train/a/9.png", "top/train/b/1.png", "top/test/a/1.png"
        ),
    )
    assert [(e.path, n) for e, n in found.splits["train"]] == [
        ("top/train/b/2.png", 1),
        ("top/train/a/9.png", 0),
        ("top/train/b/1.png", 1),
    ]
    assert found.num_images == 4


def test_two_copies_of_a_data_set_below_each_other_are_told():
    listing = entries_of(
        *(f"{top}{split}/a/1.png" for top in ("", "copy/") for split in ("train", "test"))
    )
    found = collect("set", listing)
    assert "the splits of '.', 'copy' are taken together" in found.notes


def test_names_that_would_write_to_a_terminal_are_escaped(tmp_path):
    folder = plain(tmp_path)
    (folder / "train/cat/\x1b[2J.png").write_bytes(b"junk")
    said = refusal(folder)
    assert "\x1b" not in said and "\\x1b[2J.png" in said


def test_looking_tells_of_its_progress(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.data.sources.folder.TOLD_EVERY", 5)
    told = []
    open_source(str(plain(tmp_path)), lambda *step: told.append(step))
    assert ("reading folders", 5, 5) in told
