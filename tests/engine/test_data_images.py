"""Single images: their formats, modes, sizes, damage, and what is refused before it is decoded."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from data_files import image_folder, pixels, save_png16
from PIL import EpsImagePlugin, Image

from engine.contracts.errors import DataError
from engine.data import load
from engine.data.sources.raster import MAGIC, NotAnImage, open_image, raster_of


@pytest.fixture(autouse=True)
def nothing_cached(tmp_path, monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_CACHE", str(tmp_path / "cache"))


def notes_of(data) -> str:
    return "\n".join(data.notes)


def refusal(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(str(folder))
    said = str(caught.value)
    assert "BytesIO" not in said and "Errno" not in said and "object at" not in said
    return said


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decoded(content: bytes) -> np.ndarray:
    return raster_of(open_image(content)).pixels_HWC


def all_pixels(data) -> np.ndarray:
    return np.concatenate([s.pixels_NHWC.numpy() for s in (data.train, data.validation, data.test)])


# ------------------------------------------------------------ formats


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF", "PPM", "WEBP", "JPEG"])
def test_raster_formats_are_told_by_their_content_not_by_their_name(tmp_path, kind):
    folder = image_folder(tmp_path / "set")
    odd = folder / "train/cat/000.png"
    options = {"lossless": True} if kind == "WEBP" else {}
    grey = pixels(1, "L").convert("RGB")  # what a GIF keeps exactly
    odd.write_bytes(encoded(grey, kind, **options))
    data = load(str(folder))
    if kind != "JPEG":
        assert any((image == np.asarray(grey)).all() for image in all_pixels(data))


def test_every_format_that_is_listed_can_be_decoded():
    listed = {kind for _, kind in MAGIC} | {"WEBP"}
    assert listed == {"PNG", "BMP", "GIF", "TIFF", "PPM", "WEBP", "JPEG"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"not an image", "is no image of a kind that is known here"),
        (b"<!DOCTYPE html><html>404", "a page of HTML"),
        (b"\n <svg xmlns='http://www.w3.org/2000/svg'/>", "HTML, SVG or XML"),
        (b"%PDF-1.7", "a PDF"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"\x89PNG\r\n\x1a\n", "a damaged PNG"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "a damaged PNG"),
        (b"GIF89a", "a damaged GIF"),
        (b"P6\n" + b"1" * 10_000, "a damaged PPM"),
        (b"P3 8 8 255 " + b"9" * 100_000, "a damaged PPM"),
        (b"P2\n8 8\n999999999999\n", "a damaged PPM"),
        (encoded(pixels(1), "PNG")[:-40], "cut short"),
        (encoded(pixels(1), "JPEG")[:-60], "cut short"),
        (encoded(pixels(1), "TIFF")[:40], "a damaged TIFF"),
    ],
    ids=range(15),
)
def test_what_is_no_image_is_named_with_its_file(tmp_path, content, words):
    folder = image_folder(tmp_path / "set")
    odd = folder / "train/cat/odd.png"
    odd.write_bytes(content)
    said = refusal(folder)
    assert "'train/cat/odd.png'" in said and words in said and "remove or replace it" in said
    odd.unlink()  # as it says
    assert len(load(str(folder)).test) == 12


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
DOS_EPS = (
    b"\xc5\xd0\xd3\xc6" + struct.pack("<6IH", 32, len(EPS), 0, 0, 0, 0, 0xFFFF) + b"\0\0" + EPS
)


@pytest.mark.parametrize("content", [EPS, DOS_EPS, b"\n" + EPS, b"%PDF-1.4\n" + EPS])
def test_no_program_is_started_for_an_image_that_is_one(tmp_path, monkeypatch, content):
    """Pillow hands EPS to Ghostscript: here a `gs` on PATH would leave a sign."""
    sign, programs = tmp_path / "sign", tmp_path / "bin"
    programs.mkdir()
    (programs / "gs").write_text(f"#!/bin/sh\necho started >> {sign}\ncat > /dev/null\n")
    (programs / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # it is looked for once
    folder = image_folder(tmp_path / "set")
    odd = folder / "train/cat/000.png"
    odd.write_bytes(content)
    if content == EPS:  # the sign is left where the formats are not limited
        with contextlib.suppress(OSError), Image.open(odd) as image:
            image.load()
        assert sign.exists()
        sign.unlink()
    refusal(folder)
    assert not sign.exists()


# ------------------------------------------------------------ modes


@pytest.mark.parametrize("position", ["train/cat/000", "train/dog/003", "test/dog/005"])
def test_grey_images_among_coloured_ones_get_three_equal_channels(tmp_path, position):
    folder = image_folder(tmp_path / "set")
    grey = pixels(1, "L")
    grey.save(folder / f"{position}.png")
    data = load(str(folder))
    assert data.image_shape_HWC == (8, 8, 3)
    assert any((image == np.asarray(grey)[..., None]).all() for image in all_pixels(data))
    assert f"grey among 23 images in colour, made three equal channels: 1 image ('{position}" in (
        notes_of(data)
    )


def test_one_coloured_image_makes_the_set_coloured(tmp_path):
    folder = image_folder(tmp_path / "set", mode="L")
    assert load(str(folder)).image_shape_HWC == (8, 8, 1)
    pixels(1).save(folder / "test/dog/005.png")
    data = load(str(folder))
    assert data.image_shape_HWC == (8, 8, 3) and "23 images ('train/cat/000" in notes_of(data)


def test_grey_images_saved_in_colour_here_and_there_stay_grey(tmp_path):
    folder = image_folder(tmp_path / "set", mode="L")
    digest = load(str(folder)).digest
    for name in ("train/cat/000.png", "test/dog/001.png"):
        Image.open(folder / name).convert("RGBA").save(folder / name)
    data = load(str(folder))
    assert data.digest == digest
    assert "saved in colour but grey, read as grey: 2 images" in notes_of(data)


def test_transparency_is_dropped_and_told(tmp_path):
    folder = image_folder(tmp_path / "set")
    digest = load(str(folder)).digest
    for name in ("train/cat/000.png", "test/dog/001.png"):
        image = Image.open(folder / name).convert("RGBA")
        image.putalpha(pixels(5, "L"))
        image.save(folder / name)
    data = load(str(folder))
    assert data.digest == digest and "transparency dropped: 2 images" in notes_of(data)


def test_palettes_lose_nothing_and_cmyk_is_told(tmp_path):
    folder = image_folder(tmp_path / "set")
    pixels(1).quantize(200).save(folder / "train/cat/000.png")
    pixels(2, "CMYK").save(folder / "train/cat/002.tif")
    data = load(str(folder))
    assert notes_of(data) == "converted from CMYK to RGB: 1 image"
    assert any((image == np.asarray(pixels(2))).all() for image in all_pixels(data))


def test_of_animations_the_first_frame_is_taken(tmp_path):
    folder = image_folder(tmp_path / "set", mode="L", suffix=".gif")
    first, second = pixels(1, "L"), pixels(2, "L")
    first.save(folder / "train/cat/000.gif", save_all=True, append_images=[second])
    first.save(folder / "train/cat/001.tif", save_all=True, append_images=[second])
    data = load(str(folder))
    assert "several frames, of which the first was taken: 2 images" in notes_of(data)
    shown = [(image[..., 0] == np.asarray(first)).all() for image in all_pixels(data)]
    # One more: the images of image_folder count from 1 too.
    assert sum(shown) >= 2


def deep_folder(folder: Path, factor: int) -> Path:
    for split in ("train", "test"):
        for number, name in enumerate(["a", "b"] * 6):
            values = np.asarray(pixels(number, "L")).astype(int) * factor
            save_png16(folder / split / name / f"{number}.png", values)
    return folder


def test_16_bits_are_scaled_not_clipped(tmp_path):
    data = load(str(deep_folder(tmp_path / "set", 257)))
    assert data.image_shape_HWC == (8, 8, 1)
    assert any((i[..., 0] == np.asarray(pixels(3, "L"))).all() for i in all_pixels(data))
    assert "16 bits, scaled to 8 (65,535 becomes 255): 24 images" in notes_of(data)
    assert "dark" not in notes_of(data)


def test_16_bits_of_which_few_are_used_are_told_to_be_dark(tmp_path):
    data = load(str(deep_folder(tmp_path / "set", 16)))
    assert "they are dark, their largest value is 3,872" in notes_of(data)


def test_8_bits_in_16_are_taken_as_they_are(tmp_path):
    data = load(str(deep_folder(tmp_path / "set", 1)))
    assert any((i[..., 0] == np.asarray(pixels(3, "L"))).all() for i in all_pixels(data))
    assert "16 bits of which 8 are used, taken as they are: 24 images" in notes_of(data)


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (128, 0), (129, 1), (65_535, 255)])
def test_scaling_rounds(value, expected, tmp_path):
    save_png16(tmp_path / "x.png", np.full((2, 2), value))
    from engine.data.sources.raster import scaled

    assert (scaled(decoded((tmp_path / "x.png").read_bytes())) == expected).all()


def test_floats_and_32_bits_are_refused_with_the_way_on(tmp_path):
    folder = image_folder(tmp_path / "set")
    odd = folder / "train/cat/odd.tif"
    Image.fromarray(np.zeros((8, 8), np.float32)).save(odd)
    assert "mode F" in refusal(folder) and "8 bits" in refusal(folder)
    Image.fromarray(np.full((8, 8), 70_000, np.int32)).save(odd)
    assert "values from 70,000 to 70,000" in refusal(folder)


# ------------------------------------------------------------ sizes


def test_images_of_two_sizes_are_counted(tmp_path):
    folder = image_folder(tmp_path / "set")
    for name in ("train/dog/003.png", "test/cat/001.png"):
        pixels(1, size=9).save(folder / name)
    said = refusal(folder)
    assert "'train/dog/003.png' is 9×9 pixels" in said and "22 images are 8×8" in said
    assert "2 have another size" in said and "all images need one size" in said
    pixels(1, size=7).save(folder / "train/cat/000.png")
    assert "3 have 2 other sizes" in refusal(folder)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of_size(width: int, height: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(13_000, 13_000), (9_000, 9_000), (2**31 - 1, 2**31 - 1)])
def test_images_of_too_many_pixels_are_refused_by_their_header(size):
    with pytest.raises(NotAnImage, match="is too large"):
        open_image(png_of_size(*size))


def test_a_data_set_beyond_the_memory_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    folder = image_folder(tmp_path / "set")
    monkeypatch.setattr("engine.data.sources.limits.available_bytes", lambda: 9_000)
    said = refusal(folder)
    assert "its 24 images of 8×8 pixels are 0.0 MB decoded" in said and "fewer" in said


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_bombs_in_the_texts_of_a_png_stay_packed(kind):
    image = encoded(pixels(1), "PNG")
    middle = b"x\0\1\0\0\0" if kind == b"iTXt" else b"x\0\0"
    bomb = chunk(kind, middle + zlib.compress(bytes(64 * 2**20)))
    tracemalloc.start()
    try:
        with contextlib.suppress(NotAnImage):
            raster_of(open_image(image[:33] + bomb + image[33:]))
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
