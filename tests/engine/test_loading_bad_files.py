"""Checkpoints that must be refused: each row of the bad inputs, with its own words."""

from __future__ import annotations

import io
import os
import pickle
import string
import sys
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from networks import network
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.checkpoints import (
    DamagedFileError,
    NotACheckpointError,
    UnsafeCheckpointError,
    UnsuitableValueError,
    UnsupportedFormatError,
    load,
)
from engine.checkpoints import write as checkpoint
from engine.contracts.errors import CheckpointError
from engine.contracts.networks import Architecture, DataDescription

torch.set_num_threads(1)

TINY: dict[str, Any] = {
    "stem_width": 4,
    "stage_widths": [4, 6],
    "inner_widths": [[3, 5], [4, 2]],
    "shortcut": "B",
    "num_classes": 3,
}


def tiny_state() -> dict[str, Any]:
    return dict(network(TINY).state_dict())


def saved(content: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def legacy(content: Any) -> bytes:
    return saved(content, _use_new_zipfile_serialization=False)


def repacked(data: bytes, edit: Callable[[str, bytes], bytes] = lambda _, content: content,
             compression: int = zipfile.ZIP_STORED, extra: str | None = None) -> bytes:  # fmt: skip
    """The same archive with its entries edited, and their checksums right again."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, edit(name, old.read(name)))
        if extra:
            new.writestr(extra, b"x")
    return stream.getvalue()


def refused(tmp_path: Path, data: bytes, kind: type[CheckpointError], words: str,
            name: str = "net.pt", **options: Any) -> CheckpointError:  # fmt: skip
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(kind, match=words) as caught:
        load(path, **options)
    message = str(caught.value)
    assert message.startswith(repr(name))  # the cause names the file
    assert message.isprintable()  # what the file says cannot reach the screen raw
    assert len(message) < 1200
    return caught.value


# -- no checkpoint at all --------------------------------------------------------------------


def test_missing_file_and_directory(tmp_path: Path) -> None:
    with pytest.raises(NotACheckpointError, match=r"'no\.pt': no such file"):
        load(tmp_path / "no.pt")
    with pytest.raises(NotACheckpointError, match="this is a directory"):
        load(tmp_path)
    with pytest.raises(NotACheckpointError, match="cannot be read"):
        load(tmp_path / "a\0b")


def test_fifo(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.pt")
    with pytest.raises(NotACheckpointError, match="not a regular file"):
        load(tmp_path / "fifo.pt")


@pytest.mark.parametrize(("data", "words"), [
    (b"", "is empty"),
    (b"\n<!DOCTYPE html><html>404</html>", "a web page"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
    ("just words, é ".encode() * 200, "text, not a checkpoint"),
    (b"cos\nsystem\n(S'touch x'\ntR.", "text, not a checkpoint"),
    (np.random.default_rng(0).bytes(4096), "not a checkpoint .it begins with the bytes"),
    (b"PK\x05\x06" + bytes(18), "an empty zip"),
])  # fmt: skip
def test_no_checkpoint(tmp_path: Path, data: bytes, words: str) -> None:
    refused(tmp_path, data, NotACheckpointError, words)


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, weight=np.zeros(3))
    return stream.getvalue()


@pytest.mark.parametrize(("data", "words"), [
    (b"\x89HDF\r\n\x1a\n" + bytes(40), "HDF5"),
    (b"\x08\x07\x12\x07pytorch\x1a\x052.1.0", "ONNX"),
    (npz(), r"\.npz"),
    (b"\x93NUMPY\x01\x00" + bytes(40), r"\.npy"),
    (b"\x1f\x8b\x08" + bytes(40), "gzip.*unpack"),
    (bytes(257) + b"ustar" + bytes(300), "tar archive"),
    (pickle.dumps({"a": 1}), "a bare pickle"),
])  # fmt: skip
def test_other_formats_are_named(tmp_path: Path, data: bytes, words: str) -> None:
    refused(tmp_path, data, UnsupportedFormatError, words)


@pytest.mark.parametrize(("extra", "words"), [
    ("archive/constants.pkl", "TorchScript.*torch.jit.load"),
    ("archive/archive_format", r"\.pt2.*not read here.*torch.export.load"),
])  # fmt: skip
def test_programs_are_refused_with_the_way_to_convert(
    tmp_path: Path, extra: str, words: str
) -> None:
    data = repacked(saved(tiny_state()), extra=extra)
    refused(tmp_path, data, UnsupportedFormatError, words)


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    refused(tmp_path, stream.getvalue(), NotACheckpointError, r"without the data\.pkl")


# -- damage ----------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [saved, legacy])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_truncated(tmp_path: Path, write: Callable[[Any], bytes], kept: float) -> None:
    data = write({"state_dict": tiny_state()})
    refused(tmp_path, data[: int(len(data) * kept)], DamagedFileError, "truncated|cut short")


@pytest.mark.parametrize("write", [saved, legacy])
def test_trailing_bytes(tmp_path: Path, write: Callable[[Any], bytes]) -> None:
    data = write(tiny_state())
    refused(tmp_path, data + b"more", DamagedFileError, "bytes (after|follow) the end")


def test_a_flipped_bit_in_a_tensor(tmp_path: Path) -> None:
    state = tiny_state()
    data = bytearray(saved(state))
    place = bytes(data).index(state["fc.weight"].detach().numpy().tobytes())
    data[place + 5] ^= 1
    refused(tmp_path, bytes(data), DamagedFileError, "checksum")


def test_truncated_and_absurd_safetensors(tmp_path: Path) -> None:
    save_file(tiny_state(), tmp_path / "good")
    data = (tmp_path / "good").read_bytes()
    for bad, words in (
        (data[:-7], "truncated or corrupt"),
        (data + b"x", "truncated or corrupt"),
        (data[:50], "truncated"),
        (data[:5], "truncated"),
        ((2**60).to_bytes(8, "little") + data[8:], "header claims"),
        (data[:8] + b"{!" + data[10:], "truncated or corrupt"),
    ):
        refused(tmp_path, bad, DamagedFileError, words, name="x.safetensors")
    empty = b"\x02" + bytes(7) + b"{}"
    refused(tmp_path, empty, NotACheckpointError, "no tensors", name="x.safetensors")
    refused(tmp_path, b"<html>" * 9, NotACheckpointError, "web page", name="x.safetensors")


# -- files that mean harm --------------------------------------------------------------------


class Touch:
    """Unpickling this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("write", [saved, legacy, pickle.dumps, lambda x: pickle.dumps(x, 2)])
def test_a_pickle_that_runs_code_is_refused_by_name(
    tmp_path: Path, write: Callable[[Any], bytes]
) -> None:
    marker = tmp_path / "marker"
    data = write({"state_dict": tiny_state(), "x": Touch(marker)})
    error = refused(tmp_path, data, UnsafeCheckpointError, r"mkdir")
    assert isinstance(error, UnsafeCheckpointError)
    assert "posix.mkdir" in error.global_names
    assert not marker.exists()


def test_a_pickle_that_names_many_globals_names_them_all(tmp_path: Path) -> None:
    content = {"a": textwrap.TextWrapper(), "b": string.Template("x"), "w": torch.zeros(1)}
    error = refused(tmp_path, saved(content), UnsafeCheckpointError, "'textwrap.TextWrapper'")
    assert "'string.Template'" in str(error)


def test_an_object_of_an_installed_class_beside_the_tensors(tmp_path: Path) -> None:
    data = saved({"state_dict": tiny_state(), "args": textwrap.TextWrapper()})
    refused(tmp_path, data, UnsafeCheckpointError, "textwrap.TextWrapper.*--trust-pickle")
    loaded = load(tmp_path / "net.pt", trust_pickle=True)
    assert loaded.notes[0] == (
        "trusted the file to make objects of 'textwrap.TextWrapper' (--trust-pickle)"
    )


def test_a_trusted_class_that_is_not_installed(tmp_path: Path) -> None:
    data = repacked(saved({"state_dict": tiny_state(), "args": textwrap.TextWrapper()}),
                    lambda _, c: c.replace(b"textwrap\nText", b"textwrop\nText"))  # fmt: skip
    (tmp_path / "net.pt").write_bytes(data)
    loaded = load(tmp_path / "net.pt", trust_pickle=True)
    assert (
        "'textwrop.TextWrapper' cannot be imported here: took the tensors without"
        in (loaded.notes[0])
    )
    assert torch.equal(loaded.model.fc.weight, tiny_state()["fc.weight"])


@pytest.mark.parametrize("write", [saved, legacy])
@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_a_whole_pickled_network(tmp_path: Path, write: Callable[[Any], bytes]) -> None:
    words = r"whole pickled network.*torch\.save\(model\.state_dict\(\), \"weights\.pt\"\)"
    model = network(TINY)
    for content in (model, {"net": model, "acc": 1.0}, nn.Linear(2, 2)):
        refused(tmp_path, write(content), UnsafeCheckpointError, words)
    (tmp_path / "net.pt").write_bytes(write(model))
    loaded = load(tmp_path / "net.pt", trust_pickle=True)
    assert torch.equal(loaded.model.fc.weight, model.fc.weight)
    assert any("whole pickled network" in note for note in loaded.notes)


def test_a_deflate_bomb(tmp_path: Path) -> None:
    state = {"w": torch.zeros(2**22)}
    bomb = repacked(saved(state), compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 2**17
    refused(tmp_path, bomb, UnsafeCheckpointError, "compressed")


def test_two_entries_of_one_name(tmp_path: Path) -> None:
    data = repacked(saved(tiny_state()), extra="archive/DATA.PKL")
    refused(tmp_path, data, UnsafeCheckpointError, "two entries")


def with_shape(shape: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    return torch.zeros(6).as_strided(shape, stride)


@pytest.mark.parametrize("write", [saved, legacy])
def test_tensors_larger_than_their_storage(tmp_path: Path, write: Callable[[Any], bytes]) -> None:
    for tensor in (with_shape((2**31,), (0,)), with_shape((3, 3), (1, 1)),
                   with_shape((2, 4), (0, 1))):  # fmt: skip
        data = write({"fc.weight": tensor})
        assert len(data) < 2000
        refused(tmp_path, data, UnsafeCheckpointError, "elements outside its storage .* several")


@pytest.mark.parametrize("write", [saved, legacy])
def test_sizes_that_the_file_does_not_hold(tmp_path: Path, write: Callable[[Any], bytes]) -> None:
    data = write({"w": torch.zeros(200, 100)})
    # In the pickle 20000, 200 and 100 are "M 20 4e", "K c8" and "K d"; a tensor grows a storage
    # that is too small for it, so torch itself would take either.
    for old, new, words in ((b"K\xc8Kd", b"K\xc9Kd", "outside its storage"),
                            (b"M N", b"M!N", "claims 80,004 bytes|truncated")):  # fmt: skip
        changed = (data.replace(old, new, 1) if write is legacy
                   else repacked(data, lambda _, c, o=old, n=new: c.replace(o, n)))  # type: ignore[misc]  # fmt: skip
        assert changed != data
        refused(tmp_path, changed, CheckpointError, words)


def test_deep_nesting(tmp_path: Path) -> None:
    deep: Any = []
    for _ in range(2000):
        deep = [deep]
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(50_000)
    try:
        data = saved({"state_dict": tiny_state(), "x": deep})
    finally:
        sys.setrecursionlimit(limit)
    refused(tmp_path, data, UnsafeCheckpointError, "nested more than 32 deep")


def test_a_bomb_of_references(tmp_path: Path) -> None:
    many: Any = ["x"]
    for _ in range(30):
        many = [many, many]  # 2^30 leaves in a few bytes
    assert load_ok(tmp_path, {"state_dict": tiny_state(), "x": many})


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_bomb_of_parts(tmp_path: Path, protocol: int) -> None:
    """Two bytes of the file make a list of 56 or more: 20 MB would fill a gigabyte."""
    start = pickle.PROTO + bytes([protocol]) + pickle.EMPTY_LIST
    body = (pickle.EMPTY_LIST + pickle.APPEND) * 10_000_000 + pickle.STOP
    if protocol == 4:  # announced as one frame, which pickle reads ahead
        start += pickle.FRAME + len(body).to_bytes(8, "little")
    data = repacked(
        saved({"w": torch.zeros(1)}),
        lambda name, content: start + body if name.endswith("data.pkl") else content,
    )
    refused(tmp_path, data, UnsafeCheckpointError, "more than 4,000,000 parts")


def test_what_takes_for_ever_is_given_up(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("engine.checkpoints.LOAD_SECONDS", 0.1)
    # Numbers with one hash: every key of a dict is compared with all before it.
    body = b"".join(
        pickle.LONG1 + bytes([10]) + (i * (2**61 - 1)).to_bytes(10, "little") + pickle.NONE
        for i in range(20_000)
    )
    pickled = pickle.PROTO + b"\x02" + pickle.EMPTY_DICT + pickle.MARK + body + b"u."
    data = repacked(
        saved({"w": torch.zeros(1)}),
        lambda name, content: pickled if name.endswith("data.pkl") else content,
    )
    refused(tmp_path, data, UnsafeCheckpointError, "took longer than 0 s")


def load_ok(tmp_path: Path, content: Any) -> bool:
    (tmp_path / "ok.pt").write_bytes(saved(content))
    return load(tmp_path / "ok.pt").model is not None


def test_weights_that_are_numpy_arrays_are_named_with_the_remedy(tmp_path: Path) -> None:
    arrays = {name: tensor.numpy() for name, tensor in tiny_state().items()}
    words = r"no tensors, but 'conv1.weight'.*NumPy arrays.*torch\.as_tensor"
    refused(tmp_path, saved(arrays), NotACheckpointError, words)
    one = {**tiny_state(), "fc.bias": np.zeros(3)}
    refused(
        tmp_path, saved(one), UnsuitableValueError, r"'fc\.bias' is of the class 'numpy.*as_ten"
    )


def test_several_networks_in_one_file_are_named(tmp_path: Path) -> None:
    both = {"generator": tiny_state(), "discriminator": tiny_state()}
    words = r"several networks \('generator', 'discriminator'\).*torch\.load\(path\)\['generator'"
    refused(tmp_path, saved(both), NotACheckpointError, words)


def test_a_factory_in_our_format_is_not_called(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    architecture = Architecture("os:mkdir", {"path": str(marker)})
    checkpoint.save(tmp_path / "own.pt", architecture, tiny_state(), DataDescription(), {})
    with pytest.raises(UnsafeCheckpointError, match=r"made by the function 'os:mkdir'.*--arch"):
        load(tmp_path / "own.pt")
    assert not marker.exists()


# -- values and names ------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "words"), [
    (torch.tensor([1.0, float("nan"), 1.0]), "not finite in 1 of 3 places"),
    (torch.tensor([1.0, float("inf"), 1.0]), "not finite"),
    (torch.tensor([1.0, 1e300, 1.0], dtype=torch.float64), "not finite"),
    (torch.ones(3, dtype=torch.int8), "of type int8"),
    (torch.ones(3, dtype=torch.int64), "of type int64"),
    (torch.ones(3, dtype=torch.complex64), "of type complex64"),
    (torch.ones(3, dtype=torch.float8_e5m2), "of type float8"),
    (torch.ones(3).to_sparse(), "a sparse tensor"),
    # Made in the test, because making it warns.
    (lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), "a quantised tensor"),
    (torch.ones(3, device="meta"), "without values"),
    ("some text", "'some text', not a tensor"),
    (None, "a value of type NoneType"),
    ([1.0, 2.0], "a value of type list"),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_values_that_are_no_weights_are_named(tmp_path: Path, value: Any, words: str) -> None:
    made = value() if callable(value) and not isinstance(value, Tensor) else value
    data = saved({"state_dict": {**tiny_state(), "fc.bias": made}})
    refused(tmp_path, data, UnsuitableValueError, rf"'fc\.bias' is .*{words}")


def test_a_negative_variance(tmp_path: Path) -> None:
    data = saved({**tiny_state(), "bn1.running_var": -torch.ones(4)})
    refused(tmp_path, data, UnsuitableValueError, "'bn1.running_var' is a variance with negative")


@pytest.mark.parametrize("key", [3, "a\x1b[31m", "a\u202eb", "line\nline", "", "x" * 600, "\x9b2J"])
def test_names_that_are_none(tmp_path: Path, key: Any) -> None:
    refused(tmp_path, saved({**tiny_state(), key: torch.zeros(1)}), UnsuitableValueError, "nam")


def test_text_from_the_file_is_escaped(tmp_path: Path) -> None:
    nasty = "\x1b]0;x\x07\u202e[@click=app.quit]"
    refused(tmp_path, saved({nasty: "text"}), NotACheckpointError, r"\\x1b\]0;x\\x07\\u202e\[@cl")
    refused(tmp_path, saved({"format": f"pe-explore/{nasty}"}), UnsupportedFormatError, r"\\x1b")


@pytest.mark.parametrize(("content", "words"), [
    ({}, "holds no weights, but nothing"),
    ({"epoch": 3}, "holds no weights, but 'epoch'"),
    ([torch.zeros(1)], "a value of type list"),
    (torch.zeros(3), "a value of type Tensor"),
    ({"state_dict": {}}, "holds no weights"),
])  # fmt: skip
def test_no_weights(tmp_path: Path, content: Any, words: str) -> None:
    refused(tmp_path, saved(content), NotACheckpointError, words)


def test_pickle_protocol_4(tmp_path: Path) -> None:
    data = saved(tiny_state(), pickle_protocol=4)
    refused(tmp_path, data, UnsupportedFormatError, "pickle protocol 4")
