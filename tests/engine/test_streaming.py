"""Streamed images: the same as in memory, known before they are decoded, the same whoever loads."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from data_files import image_folder, npz_of, pixels, save_png16, zip_of
from PIL import Image
from streamed_files import shards_from, streamed
from torchvision.transforms import v2

from engine.contracts.errors import Cancelled, DataError, SettingsError
from engine.contracts.loaders import WORKERS_VARIABLE
from engine.contracts.networks import Reading
from engine.data import ImageData, StreamedData, load, open_data
from engine.data.sources import places
from engine.data.streaming import choosing, contents
from engine.data.streaming.preparing import random_resized_crop

FORMS = ("folder", "zip", "shards")


@pytest.fixture(autouse=True)
def in_this_process(tmp_path, monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(WORKERS_VARIABLE, "0")


@pytest.fixture
def folder(tmp_path):
    """Images of two sizes."""
    root = image_folder(tmp_path / "images", each=30)
    for number in range(8):
        pixels(1000 + number, size=11).save(root / "train" / "cat" / f"z{number}.png")
    return root


def form_of(folder: Path, form: str) -> Path:
    if form == "zip":
        return zip_of(folder, folder.parent / "images.zip")
    return folder if form == "folder" else shards_from(folder, folder.parent / "shards")


def all_of(split) -> torch.Tensor:
    return torch.cat([images.pixels_NHWC for images in split.batches(7)])


def epoch_of(data: StreamedData, seed: int = 5, size: int = 10) -> list[torch.Tensor]:
    order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(0))
    found = data.train.training_batches(list(order.split(size)), seed, data.mean)
    return [images.pixels_NHWC for images in found]


# ------------------------------------------------------------ the same images


@pytest.mark.parametrize("form", FORMS)
def test_streamed_images_are_those_in_memory(folder, form):
    path = form_of(folder, form)
    memory, data = load(str(path), image_size=8, resize=9), streamed(path, image_size=8, resize=9)
    for name in ("train", "validation", "test"):
        kept, read = getattr(memory, name), getattr(data, name)
        assert torch.equal(all_of(read), kept.pixels_NHWC)
        assert torch.equal(read.labels_N, kept.labels_N)
    some = torch.tensor([5, 0, 5])
    assert torch.equal(data.test.take(some).pixels_NHWC, memory.test.take(some).pixels_NHWC)
    assert memory.describe().image_shape == data.describe().image_shape == (8, 8, 3)
    assert (memory.describe().loader, data.describe().loader) == ("memory", "streaming")


def test_a_digest_names_images_and_what_is_made_of_them_and_not_where_they_lie(folder):
    of_folder = streamed(folder, image_size=8)
    assert streamed(form_of(folder, "zip"), image_size=8).digest == of_folder.digest
    moved = folder.rename(folder.with_name("elsewhere"))
    assert streamed(moved, image_size=8).digest == of_folder.digest
    assert streamed(moved, image_size=8, resize=9).digest != of_folder.digest
    assert streamed(moved, image_size=8, train_limit=20).digest != of_folder.digest
    (moved / "test" / "cat" / "000.png").rename(moved / "test" / "dog" / "zzz.png")
    assert streamed(moved, image_size=8).digest != of_folder.digest


def test_validation_images_are_those_in_memory_where_they_are_a_split(tmp_path):
    path = image_folder(tmp_path / "x", splits=("train", "val", "test"))
    assert torch.equal(all_of(streamed(path).validation), load(str(path)).validation.pixels_NHWC)


def test_val_serves_as_test_images_in_every_form_where_there_are_none(tmp_path):
    """ImageNet's layout: the same splits from memory and streamed, decided on what is held out."""
    path = image_folder(tmp_path / "x", ("train", "valid"))
    shards = shards_from(path, tmp_path / "shards", splits=("train", "valid"))
    memory = load(str(path))
    assert torch.equal(memory.test.pixels_NHWC, load(str(shards)).test.pixels_NHWC)
    for place in (path, zip_of(path, tmp_path / "x.zip"), shards):
        data = streamed(place)
        for split in ("train", "validation", "test"):
            ours, expected = getattr(data, split), getattr(memory, split)
            assert torch.equal(all_of(ours), expected.pixels_NHWC)
            assert torch.equal(ours.labels_N, expected.labels_N)
        assert data.num_shared() == 0
        assert any("the 12 of val/ serve as the test images, and 2 of" in n for n in data.notes)
    (path / "valid").rename(path / "test")
    assert streamed(path).digest == data.digest


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "CMYK"])
def test_every_kind_of_image_is_read_as_in_memory(tmp_path, mode):
    suffix = ".tif" if mode == "CMYK" else ".png"
    path = image_folder(tmp_path / "x", mode=mode, suffix=suffix)
    memory, data = load(str(path)), streamed(path)
    assert torch.equal(all_of(data.test), memory.test.pixels_NHWC)
    notes = [note for note in data.notes if "mean and deviation" not in note]
    assert [note.partition(":")[0] for note in notes] == [n.partition(":")[0] for n in memory.notes]


def test_grey_among_colour_has_three_channels_and_16_bits_become_8(tmp_path):
    path = image_folder(tmp_path / "x")
    deep = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1040
    save_png16(path / "test" / "cat" / "deep.png", deep)
    memory, data = load(str(path)), streamed(path)
    assert torch.equal(all_of(data.test), memory.test.pixels_NHWC)
    told = " | ".join(data.notes)
    assert "grey among 24 images in colour" in told and "16 bits, scaled to 8" in told


def test_test_images_that_are_training_images_are_counted(folder):
    copy = (folder / "train" / "cat" / "000.png").read_bytes()
    (folder / "test" / "cat" / "copy.png").write_bytes(copy)
    assert streamed(folder, image_size=8).num_shared() == 1


def test_mean_and_deviation_are_measured_on_a_sample_and_told(folder):
    data = streamed(folder, image_size=8)
    x = all_of(data.train).double() / 255
    assert data.mean == pytest.approx(x.mean((0, 1, 2)).tolist(), abs=1e-6)
    assert data.std == pytest.approx(x.std((0, 1, 2), correction=0).tolist(), abs=1e-6)
    assert "the mean and deviation of its images are those of 61 of 61 training images" in (
        " ".join(data.notes)
    )


# ------------------------------------------------------------ training


@pytest.mark.parametrize("size", [(40, 30), (30, 41), (9, 60), (60, 9), (24, 24)])
def test_a_random_part_is_the_one_that_torchvision_draws(size):
    image = Image.fromarray(
        np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    )
    theirs = v2.Compose([v2.RandomResizedCrop(24), v2.RandomHorizontalFlip()])
    for seed in range(25):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            expected = np.asarray(theirs(image))
        generator = torch.Generator().manual_seed(seed)
        ours = random_resized_crop(np.asarray(image), 24, True, generator)
        assert np.array_equal(ours, expected), seed


def test_what_an_image_becomes_depends_on_seed_and_number_alone(folder):
    data = streamed(folder, image_size=8)
    first, again = torch.cat(epoch_of(data)), torch.cat(epoch_of(data, size=7))
    assert torch.equal(first, again)
    assert not torch.equal(first, torch.cat(epoch_of(data, seed=6)))


def test_images_that_keep_their_size_are_shifted_and_mirrored_as_in_memory(tmp_path):
    path = image_folder(tmp_path / "x", each=12)
    data = streamed(path)
    padded = np.pad(all_of(data.train)[3].numpy(), ((4, 4), (4, 4), (0, 0)))
    padded_mean = [round(255 * mean) for mean in data.mean]
    rim = np.ones(padded.shape[:2], bool)
    rim[4:-4, 4:-4] = False
    padded[rim] = padded_mean
    possible = set()
    for top in range(9):
        for left in range(9):
            part = padded[top : top + 8, left : left + 8]
            possible |= {part.tobytes(), part[:, ::-1].tobytes()}
    seen = set()
    for seed in range(40):
        found = next(data.train.training_batches([torch.tensor([3])], seed, data.mean))
        seen.add(found.pixels_NHWC[0].numpy().tobytes())
    assert seen <= possible and len(seen) > 20


@pytest.mark.slow  # two processes import torch
def test_batches_do_not_depend_on_how_many_processes_load_them(folder, monkeypatch):
    alone = streamed(folder, image_size=8)
    monkeypatch.setenv(WORKERS_VARIABLE, "2")
    data = streamed(folder, image_size=8)
    for _ in range(2):  # the second epoch with the processes of the first
        assert all(map(torch.equal, epoch_of(data), epoch_of(alone)))
    many = torch.arange(60).repeat(10)
    left = data.test.batches(3, many)
    next(left)  # and nobody asks for the rest
    assert torch.equal(data.test.take(many).pixels_NHWC, alone.test.take(many).pixels_NHWC)
    with pytest.raises(AssertionError, match="in the middle of another"):
        next(left)
    (folder / "test" / "cat" / "007.png").unlink()
    with pytest.raises(DataError, match=r"^[^\n]*cat/007\.png is not there[^\n]*$"):
        data.test.take(many)


# ------------------------------------------------------------ known before it is decoded


def reads(monkeypatch) -> list[str]:
    """The images whose files are read from now on."""
    seen: list[str] = []
    read = places.FolderPlace.read

    def counted(self, raw):
        seen.append(raw)
        return read(self, raw)

    monkeypatch.setattr(places.FolderPlace, "read", counted)
    return seen


def test_files_are_read_once_and_then_again_where_they_changed(folder, monkeypatch):
    seen = reads(monkeypatch)
    digest = streamed(folder, image_size=8).digest
    seen.clear()
    assert streamed(folder, image_size=8).digest == digest and seen == []
    pixels(4321).save(folder / "test" / "cat" / "003.png")
    assert streamed(folder, image_size=8).digest != digest
    assert seen[0] == "test/cat/003.png" and "train" not in str(seen[0])


def test_with_a_limit_only_what_is_used_is_read(folder, monkeypatch):
    seen = reads(monkeypatch)
    data = streamed(folder, image_size=8, train_limit=4)
    memory = load(str(folder), image_size=8, train_limit=4)
    assert torch.equal(data.train.labels_N, memory.train.labels_N)
    assert torch.equal(all_of(data.train), memory.train.pixels_NHWC)
    assert len({raw for raw in seen if raw.startswith("train/")}) == 4 + len(data.validation)


def test_a_first_look_that_is_interrupted_goes_on_where_it_was(folder, monkeypatch):
    monkeypatch.setattr(contents, "AT_ONCE", 10)
    seen = reads(monkeypatch)

    def stop(phase, done, total):
        if phase == "looking through the images" and done == 25:
            raise Cancelled

    reading = Reading(loader="streaming", image_size=8)
    with pytest.raises(Cancelled):
        open_data(str(folder), reading, on_progress=stop)
    first = set(seen)
    seen.clear()
    open_data(str(folder), reading)
    looked_at_twice = len(first) + len(set(seen)) - 128
    assert 25 <= len(first) <= 30 and looked_at_twice <= 5 + 60  # the sample of training images


def test_a_damaged_header_is_told_before_any_work_and_the_number_of_such(folder):
    for name in ("001.png", "002.png"):
        (folder / "test" / "dog" / name).write_bytes(b"<html>")
    with pytest.raises(DataError, match=r"test/dog/001\.png.*HTML.*\(2 such files in all\)"):
        streamed(folder, image_size=8)


def test_an_image_cut_short_is_named_when_its_turn_comes(folder):
    path = folder / "test" / "dog" / "001.png"
    path.write_bytes(path.read_bytes()[:-40])
    data = streamed(folder, image_size=8)
    with pytest.raises(DataError, match=r"'test/dog/001\.png' cannot be read as an image: it is"):
        all_of(data.test)


def test_an_image_that_changes_unseen_is_noticed_when_it_is_read(tmp_path):
    folder = image_folder(tmp_path / "x", suffix=".bmp")
    data, path = streamed(folder), folder / "test" / "cat" / "004.bmp"
    before = path.stat()
    pixels(4321).save(path)  # of the same size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    for opened in (data, streamed(folder)):
        with pytest.raises(DataError, match=r"'test/cat/004\.bmp' has changed since"):
            all_of(opened.test)
    path.touch()  # for who wants it as it is now
    assert streamed(folder).digest != data.digest
    assert len(all_of(streamed(folder).test)) == 12


def test_images_of_several_sizes_need_one(folder):
    with pytest.raises(DataError, match=r"z\d.*11×11.*2 sizes.*--image-size 8"):
        streamed(folder)
    streamed(folder, image_size=8)


def test_sets_that_are_none_are_refused(tmp_path):
    with pytest.raises(DataError, match="1 class"):
        streamed(image_folder(tmp_path / "x", classes=("cat",)))
    with pytest.raises(DataError, match="fewer than its 9 classes"):
        path = image_folder(tmp_path / "y", classes=[f"c{n}" for n in range(9)])
        for name in [f"c{n}" for n in range(1, 9)]:
            for file in (path / "test" / name).iterdir():
                file.unlink()
        streamed(path)


# ------------------------------------------------------------ memory or streaming


def test_what_would_not_fit_is_streamed_and_told(folder, monkeypatch):
    reading = Reading(loader="auto", image_size=8)
    assert isinstance(open_data(str(folder), reading), ImageData)
    monkeypatch.setattr(choosing, "available_bytes", lambda: 3 * 8 * 8 * 128 * 4 - 1)
    data = open_data(str(folder), reading)
    assert isinstance(data, StreamedData)
    assert data.notes[0].startswith("images are decoded when they are needed (streaming): the 128")
    assert isinstance(open_data(str(folder), Reading(loader="memory", image_size=8)), ImageData)


def test_arrays_are_not_streamed(tmp_path):
    path = npz_of(tmp_path / "x.npz")
    assert isinstance(open_data(path, Reading(loader="auto")), ImageData)
    with pytest.raises(DataError, match="--loader streaming is for images in folders, zips"):
        open_data(path, Reading(loader="streaming"))


def test_what_is_held_is_a_few_batches_whatever_the_size_of_the_set(tmp_path):
    path = image_folder(tmp_path / "x", each=150)
    data = streamed(path, image_size=128)
    whole = 300 * 128 * 128 * 3
    tracemalloc.start()
    try:
        total = sum(int(images.pixels_NHWC.sum()) for images in data.test.batches(8))
        parts = list(torch.arange(len(data.train)).split(8))
        for images in data.train.training_batches(parts, 0, data.mean):
            total += int(images.pixels_NHWC.sum())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total > 0 and peak < whole / 8


def test_as_many_as_do_not_fit_are_not_taken_at_once(folder, monkeypatch):
    from engine.data.sources import limits

    data = streamed(folder, image_size=8)
    monkeypatch.setattr(limits, "available_bytes", lambda: 10_000)
    with pytest.raises(DataError, match="--criterion-samples"):
        data.train.take(torch.arange(60))


def test_a_number_of_processes_that_is_none_is_refused(folder, monkeypatch):
    monkeypatch.setenv(WORKERS_VARIABLE, "many")
    with pytest.raises(SettingsError, match="'many'; it must be a whole number from 0 to 64"):
        streamed(folder, image_size=8)
