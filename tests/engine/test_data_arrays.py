"""Arrays as people keep them: .npz of several layouts, IDX files, and what is wrong with some."""

from __future__ import annotations

import gzip
import io
import os
import re
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from data_files import arrays, idx_bytes, idx_folder, npz_of

from engine.contracts.errors import DataError
from engine.data import load

X, Y = arrays()
X_TEST, Y_TEST = arrays(20)
NAMES = ("cat", "dog", "owl", "eel")


@pytest.fixture
def plain(tmp_path):
    return load(npz_of(tmp_path / "plain.npz"))


def told(tmp_path, expected, **changes) -> str:
    """What is said of an .npz that holds the same data as the plain one."""
    data = load(npz_of(tmp_path / "a.npz", **changes))
    assert data.digest == expected.digest
    return "\n".join(data.notes)


def refusal(source) -> str:
    started = time.process_time()
    with pytest.raises(DataError) as caught:
        load(str(source))
    assert time.process_time() - started < 5
    said = str(caught.value)
    assert "Errno" not in said and "BytesIO" not in said
    return said


def test_a_plain_file_is_not_worth_a_word(plain):
    assert plain.notes == () and plain.classes == ("0", "1", "2", "3")


# ------------------------------------------------------------ names of arrays


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("{}_images", "{}_labels"),
        ("X_{}", "Y_{}"),
        ("{}_x", "{}_y"),
        ("{}_data", "{}_labels"),
        ("images_{}", "labels_{}"),
    ],
)
def test_the_names_of_other_programs_are_known_and_told(tmp_path, plain, images, labels):
    content = {}
    for split, x, y in (("train", X, Y), ("test", X_TEST, Y_TEST)):
        content[images.format(split)], content[labels.format(split)] = x, y
    np.savez(tmp_path / "a.npz", **content)
    data = load(str(tmp_path / "a.npz"))
    assert data.digest == plain.digest
    assert f"'{images.format('train')}' is taken as x_train" in data.notes[0]


def test_medmnist_with_its_validation_split(tmp_path):
    content = {}
    for split, x, y in (("train", X, Y), ("val", X_TEST, Y_TEST), ("test", X_TEST, Y_TEST)):
        content[f"{split}_images"], content[f"{split}_labels"] = x, y[:, None]
    np.savez(tmp_path / "pathmnist.npz", **content)
    data = load(str(tmp_path / "pathmnist.npz"))
    assert (len(data.train), len(data.validation), len(data.test)) == (40, 20, 20)


def test_arrays_that_are_not_read_are_named_and_stay_unread(tmp_path, plain):
    objects = np.array([{"a": 1}], dtype=object)
    assert "not read: 'ids', 'meta'" in told(tmp_path, plain, ids=np.arange(9), meta=objects)


def test_an_array_of_3_gb_that_is_not_read_costs_nothing(tmp_path):
    path = tmp_path / "a.npz"
    npz_of(path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "|u1", "fortran_order": False, "shape": (3 * 10**9,)}
        )
        archive.writestr("unused.npy", header.getvalue() + bytes(10**6))
    tracemalloc.start()
    try:
        assert "not read: 'unused'" in load(str(path)).notes[0]
        assert tracemalloc.get_traced_memory()[1] < 5 * 10**6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x_test": None}, "lacks x_test; found 'x_train', 'y_train', 'y_test'"),
        ({"x_train": None, "y_train": None, "x_test": None, "y_test": None, "a": X},
         "lacks images and labels by names that are known; found 'a'"),
        ({"x_val": X_TEST}, "has 'x_val' but not what belongs to it; add y_val, or leave"),
        ({"y_val": Y_TEST}, "has 'y_val' but not what belongs to it; add x_val, or leave"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named_beside_what_is_there(tmp_path, changes, words):
    assert words in refusal(npz_of(tmp_path / "a.npz", **changes))


# ------------------------------------------------------------ labels


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y: y[:, None], ""),
        (lambda y: y.astype(np.uint8), ""),
        (lambda y: y.astype(np.float32), "labels of floating point are read as integers"),
        (lambda y: np.eye(4)[y], "one-hot labels are read as the classes that they mark"),
        (lambda y: np.eye(4, dtype=bool)[y], "one-hot labels"),
    ],
    ids=["column", "bytes", "floats", "one-hot", "one-hot of bool"],
)
def test_labels_in_other_shapes_are_the_same_labels(tmp_path, plain, change, words):
    assert words in told(tmp_path, plain, y_train=change(Y), y_test=change(Y_TEST))


def test_labels_from_1_to_k_are_shifted_where_there_are_k_names(tmp_path, plain):
    said = told(tmp_path, plain, y_train=Y + 1, y_test=Y_TEST + 1, classes=list(NAMES))
    assert "labels count from 1 to 4: 1 was subtracted" in said


def test_labels_from_1_on_without_names_stay_and_are_told(tmp_path):
    data = load(npz_of(tmp_path / "a.npz", y_train=Y + 1, y_test=Y_TEST + 1))
    assert len(data.classes) == 5 and "no image has the label 0" in data.notes[0]


def test_classes_that_a_split_lacks_and_names_used_twice_are_told(tmp_path):
    names = ["cat", "dog", "cat", "eel"]
    few = Y_TEST != 3
    data = load(npz_of(tmp_path / "a.npz", classes=names, x_test=X_TEST[few], y_test=Y_TEST[few]))
    assert data.notes == ("y_test has none of 'eel'", "several classes have the same name: 'cat'")
    more = load(npz_of(tmp_path / "b.npz", classes=[*NAMES, "yak"]))
    assert [note for note in more.notes if "'yak'" in note] == [
        "y_train has none of 'yak'", "y_test has none of 'yak'"
    ]  # fmt: skip


def test_fewer_names_than_labels_are_refused(tmp_path):
    said = refusal(npz_of(tmp_path / "a.npz", classes=list(NAMES[:3])))
    assert "labels of split 'train' run from 0 to 3, but a has 3 classes" in said


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.full(40, 2**62), "its labels go up to 4,611,686,018,427,387,904"),
        (np.full(40, 2**64 - 1, np.uint64), "goes from 18446744073709551615"),
        (Y - 1, "run from -1 to 2"),
        (Y + 0.5, "labels must be one integer an image"),
        (np.where(Y == 0, np.nan, Y), "10 are none, nan among them"),
        (np.zeros((40, 3)), "several labels each"),
        (np.zeros(0, int), "is empty"),
        (Y.astype(str), "return_inverse=True"),
        (np.array(5), "of shape ()"),
        (Y[:39], "as many labels as images are needed"),
    ],
    ids=range(10),
)
def test_labels_that_cannot_be_are_refused_at_once(tmp_path, labels, words):
    assert words in refusal(npz_of(tmp_path / "a.npz", y_train=labels))


def test_the_line_for_labels_in_words_works(tmp_path, plain):
    names = np.array(NAMES)
    said = refusal(npz_of(tmp_path / "a.npz", y_train=names[Y], y_test=Y_TEST))
    line = re.search(r"classes, y_train = np\.unique.*$", said).group()
    scope = {"np": np, "y_train": names[Y]}
    exec(line, scope)
    assert load(npz_of(tmp_path / "b.npz", y_train=scope["y_train"])).classes == plain.classes


# ------------------------------------------------------------ names of classes


@pytest.mark.parametrize(
    "names",
    [
        np.array(NAMES),
        np.array([name.encode() for name in NAMES]),
    ],
)
def test_names_of_classes_are_text(tmp_path, names):
    assert load(npz_of(tmp_path / "a.npz", classes=names)).classes == NAMES


def test_names_in_bytes_may_have_accents(tmp_path):
    names = np.array(["été".encode(), "été".encode("latin-1"), b"a", b"b"])
    assert load(npz_of(tmp_path / "a.npz", classes=names)).classes[:2] == ("été", "été")


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"classes": np.array("cat")}, "one name a class is needed"),
        ({"classes": np.array([NAMES])}, "one name a class is needed"),
        ({"classes": np.array(NAMES, dtype=object)}, "classes.astype(str) for names"),
        ({"flips": np.array([True, False])}, "one truth value"),
        ({"flips": np.array("yes")}, "one truth value"),
    ],
)
def test_extras_that_cannot_be_are_refused(tmp_path, extra, words):
    assert words in refusal(npz_of(tmp_path / "a.npz", **extra))


# ------------------------------------------------------------ images


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x.transpose(0, 3, 1, 2), "(N, C, H, W) are read as (N, H, W, C)"),
        (lambda x: x / np.float32(255), "float32 are read as uint8 (times 255"),
        (lambda x: x / 255, "float64 are read as uint8 (times 255"),
        (lambda x: x.astype(np.float32), "float32 are read as uint8 (nothing is lost)"),
        (lambda x: x.astype(np.int64), "int64 are read as uint8"),
        (lambda x: (x / np.float32(255)).transpose(0, 3, 1, 2), "(N, C, H, W)"),
        (lambda x: np.asfortranarray(x), ""),
    ],
)
def test_images_in_other_forms_are_the_same_images(tmp_path, plain, change, words):
    assert words in told(tmp_path, plain, x_train=change(X), x_test=change(X_TEST))


def test_a_dark_test_split_is_scaled_as_the_training_split_is(tmp_path):
    dark = np.zeros_like(X_TEST, dtype=np.float32)
    dark[:, 0, 0] = 1
    data = load(npz_of(tmp_path / "a.npz", x_train=X.astype(np.float32), x_test=dark))
    assert int(data.test.pixels_NHWC.max()) == 1


@pytest.mark.parametrize("shape", [(3, 8, 3), (1, 28, 1), (3, 3, 3), (3, 8, 4)])
def test_where_both_ends_look_like_channels_the_last_is_taken(tmp_path, shape):
    x = np.zeros((40, *shape), np.uint8)
    data = load(npz_of(tmp_path / "a.npz", x_train=x, x_test=x[:20]))
    assert data.image_shape_HWC == shape and data.notes == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x / np.float32(300), "with values from 0 to 0.85"),
        (lambda x: x.astype(np.float32) - 128, "with values from -128 to 127"),
        (lambda x: x.astype(np.uint16) * 257, "with values from 0 to 65535"),
        (lambda x: np.where(x == 0, np.nan, x), "with values from nan to nan"),
        (lambda x: x.reshape(len(x), -1), "x_train.reshape(-1, 3, 8, 8)"),
        (lambda x: x > 128, "x_train.astype(np.uint8) * 255"),
        (lambda x: x[:0], "is empty"),
        (lambda x: x[:, :0], "is empty"),
        (lambda x: x[None], "of shape (1, 40, 8, 8, 3)"),
        (lambda x: x.astype(str), "<U3"),
        (lambda x: x.astype(complex), "complex128"),
    ],
    ids=range(11),
)
def test_images_that_would_lose_something_are_refused_with_the_line(tmp_path, change, words):
    said = refusal(npz_of(tmp_path / "a.npz", x_train=change(X)))
    assert words in said and "images must be uint8" in said
    line = re.search(r"x_train = (np\.clip.*uint8\)|x_train.*(?=$))", said)
    if line is not None:  # followed, it helps
        scope = {"np": np, "x_train": change(X), "x_test": change(X_TEST)}
        exec(line.group(), scope)
        exec(line.group().replace("x_train", "x_test"), scope)
        again = {name: scope[name] for name in ("x_train", "x_test")}
        assert len(load(npz_of(tmp_path / "b.npz", **again)).test) == 20


# ------------------------------------------------------------ files that are not what they say


def member(shape: tuple, content: bytes, descr: str = "|u1") -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return header.getvalue() + content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff{",
        b"\x93NUMPY\x09\x00\x10\x00" + b" " * 16,
        member((10**12,), b"abc"),
        member((2**40, 2**40), b"abc"),
        member((40, 8, 8, 3), bytes(100)),
        member((40, 8, 8, 3), bytes(8_000)),
        member((1,) * 20, b"a"),
        member((40,), bytes(40), "|O"),
        b"PK\3\4 another zip",
    ],
    ids=range(11),
)
def test_members_that_are_no_arrays_are_named(tmp_path, content):
    path = tmp_path / "a.npz"
    npz_of(path, x_train=None)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x_train.npy", content)
    said = refusal(path)
    assert "'x_train" in said and "a.npz" in said


def test_a_packed_array_that_promises_more_than_packing_can_hold_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    npz_of(path, x_train=None)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_BZIP2) as archive:  # packs zeros without end
        archive.writestr("x_train.npy", member((3 * 10**7,), bytes(3 * 10**7)))
    assert "'x_train" in refusal(path)


def test_arrays_beyond_the_memory_are_refused_before_they_are_read(tmp_path, monkeypatch):
    path = npz_of(tmp_path / "a.npz")
    monkeypatch.setattr("engine.data.sources.limits.available_bytes", lambda: 20_000)
    said = refusal(path)
    assert "does not fit in memory" in said and "use fewer or smaller images" in said


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_a_file_that_was_cut_is_said_to_be(tmp_path, share):
    path = tmp_path / "a.npz"
    npz_of(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    said = refusal(path)
    assert "'a.npz' is damaged or cut short" in said and "save it again with np.savez" in said
    assert "the folder" not in said, "a folder of arrays is not read"


def test_an_archive_with_a_password_is_to_be_saved_again(tmp_path):
    """A folder of arrays, as after unpacking, is not read."""
    path = Path(npz_of(tmp_path / "a.npz"))
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        at = -1
        while (at := content.find(mark, at + 1)) >= 0:
            content[at + flags] |= 1
    path.write_bytes(content)
    said = refusal(path)
    assert "is locked with a password; save it again with np.savez" in said


def test_a_pickle_under_the_name_of_an_npz_runs_nothing(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(b"cos\nsystem\n(S'touch " + os.fsencode(tmp_path / "sign") + b"'\ntR.")
    refusal(path)
    assert not (tmp_path / "sign").exists()


# ------------------------------------------------------------ IDX


def test_idx_files_are_read_packed_or_not_and_with_dots_in_their_names(tmp_path):
    plain = load(str(idx_folder(tmp_path / "plain")))
    assert load(str(idx_folder(tmp_path / "packed", ".gz"))).digest == plain.digest
    dotted = idx_folder(tmp_path / "dotted")
    for path in dotted.iterdir():
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert load(str(dotted)).digest == plain.digest
    assert not plain.flips
    assert load(str(idx_folder(tmp_path / "Fashion"))).flips


LABELS = idx_bytes(Y)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "first bytes none"),
        (b"\0\0\x08", "first bytes 00 00 08"),
        (idx_bytes(X[..., 0]), "in 1 dimension does"),
        (b"\0\0\x0d\x01" + LABELS[4:], "does not begin as an IDX file"),
        (LABELS[:-5], "promises 40 values, it has 35"),
        (LABELS[:6], "cannot be unpacked to its end"),
        (LABELS + b"more", "promises 40 values, it has more"),
        (b"\0\0\x08\x01\xff\xff\xff\xff" + bytes(40), "its header promises 4.3 GB"),
        (b"\0\0\x08\x01\0\0\0\0", "is an empty IDX file"),
        (gzip.compress(LABELS)[:-12], "cannot be unpacked to its end"),
        (gzip.compress(LABELS)[:15] + b"garbage!", "cut short or damaged"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x28" + bytes(3 * 10**7)), "it has more"),
        (idx_bytes(Y[:39]), "as many labels as images are needed"),
    ],
    ids=range(13),
)
def test_idx_files_that_are_not_what_they_say_are_named(tmp_path, content, words):
    folder = idx_folder(tmp_path / "set", y_train=content)
    said = refusal(folder)
    assert words in said
    assert "'train-labels-idx1-ubyte'" in said or "split 'train' of set" in said


def test_a_missing_idx_file_is_named(tmp_path):
    folder = idx_folder(tmp_path / "set")
    (folder / "t10k-labels-idx1-ubyte").unlink()
    assert "lacks t10k-labels-idx1-ubyte (or t10k-labels-idx1-ubyte.gz)" in refusal(folder)


def test_a_packed_idx_file_is_unpacked_no_further_than_its_header_says(tmp_path):
    bomb = gzip.compress(b"\0\0\x08\x01\0\0\0\x28" + bytes(64 * 2**20))
    folder = idx_folder(tmp_path / "set", y_train=bomb)
    tracemalloc.start()
    try:
        refusal(folder)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()
