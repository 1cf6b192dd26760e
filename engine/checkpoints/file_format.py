"""What kind of file this is, by its first bytes and never by its name alone."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine.checkpoints.errors import DamagedFileError, NotACheckpointError, UnsupportedFormatError
from engine.contracts.message_text import shown
from engine.contracts.outside import MOST_CHECKPOINT_BYTES

MAX_FILE_BYTES = MOST_CHECKPOINT_BYTES
LEGACY_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # pickled by torch before 1.6

_EXPORT_REMEDY = (
    "save the state_dict of the PyTorch network it was made from: "
    'torch.save(model.state_dict(), "weights.pt")'
)
_UNPACK_REMEDY = "unpack it and give the checkpoint inside"
# (offset, bytes, what it is, remedy)
_FOREIGN: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras or h5py)", _EXPORT_REMEDY),
    (0, b"\x93NUMPY", "a NumPy array (.npy)", _EXPORT_REMEDY),
    (0, b"GGUF", "a GGUF file", _EXPORT_REMEDY),
    (4, b"TFL3", "a TensorFlow Lite model", _EXPORT_REMEDY),
    (0, b"\x1f\x8b", "a gzip archive", _UNPACK_REMEDY),
    (0, b"BZh", "a bzip2 archive", _UNPACK_REMEDY),
    (0, b"\xfd7zXZ\x00", "an xz archive", _UNPACK_REMEDY),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive", _UNPACK_REMEDY),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK_REMEDY),
    (257, b"ustar", "a tar archive", _UNPACK_REMEDY),
    (0, b"SQLite format 3\x00", "a SQLite database", "open a store with `pe-explore STORE`"),
)


@dataclass(frozen=True, eq=False)
class FileBytes:
    """A whole file, read once, so that what was checked is what is loaded."""

    path: Path
    data: bytes

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the file."""
        return hashlib.sha256(self.data).hexdigest()


def read_file(path: Path) -> FileBytes:
    """The bytes of a regular file of a sane size. Raises NotACheckpointError."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise NotACheckpointError("this is a directory; give the checkpoint file inside it")
        if not stat.S_ISREG(mode):
            raise NotACheckpointError("not a regular file; give a checkpoint file")
        # Whatever stands there by now: opening a pipe would wait for somebody who writes to it.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise NotACheckpointError("not a regular file; give a checkpoint file")
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE_BYTES:
                raise NotACheckpointError(
                    f"{size:,} bytes; a checkpoint may have at most {MAX_FILE_BYTES:,} "
                    "(leave the optimiser's state out of it)"
                )
            return FileBytes(path, file.read(MAX_FILE_BYTES))
    except FileNotFoundError as error:
        raise NotACheckpointError("no such file; check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or "not a valid path"
        raise NotACheckpointError(f"cannot be read ({reason}); check its permissions") from error


def kind_of(file: FileBytes) -> str:
    """`zip`, `legacy`, `pickle` or `safetensors`. Raises CheckpointError for any other file."""
    data, suffix = file.data, file.path.suffix.lower()
    if not data:
        raise NotACheckpointError("the file is empty; fetch or save it again")
    if data.startswith(LEGACY_MAGIC):
        return "legacy"
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    _refuse_foreign(data, suffix)
    if suffix == ".safetensors" or data[8:9] == b"{":
        _check_safetensors_header(data)
        return "safetensors"
    if data[0] == 0x80 and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "pickle"
    _refuse_text(data)
    raise NotACheckpointError(
        f"not a checkpoint (it begins with the bytes {data[:8].hex(' ')}); give a file written "
        "by torch.save or safetensors"
    )


def _refuse_foreign(data: bytes, suffix: str) -> None:
    for offset, magic, what, remedy in _FOREIGN:
        if data[offset : offset + len(magic)] == magic:
            raise UnsupportedFormatError(f"{what}, which is not read here; {remedy}")
    # ONNX has no magic bytes: a protobuf whose first field is the version, 1 to 127.
    looks_onnx = data[0] == 8 and len(data) > 2 and data[1] < 128 and data[2] in (0x12, 0x1A, 0x3A)
    if looks_onnx or (suffix == ".onnx" and data[0] == 8):
        raise UnsupportedFormatError(f"an ONNX model, which is not read here; {_EXPORT_REMEDY}")


def _check_safetensors_header(data: bytes) -> None:
    header_bytes = int.from_bytes(data[:8], "little")
    if len(data) < 10:
        raise DamagedFileError(
            f"a safetensors file of {len(data)} bytes is truncated; fetch it again"
        )
    if data[8:9] != b"{":
        _refuse_text(data)
        raise NotACheckpointError("named .safetensors but has no header; fetch it again")
    if header_bytes > len(data) - 8:
        raise DamagedFileError(
            f"the safetensors header claims {header_bytes:,} bytes of a file of {len(data):,}: "
            "truncated or corrupt; fetch it again"
        )


def _refuse_text(data: bytes) -> None:
    head = data[:1024]
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # else only a character cut in two by the limit
            return
        text = head[: error.start].decode("utf-8")
    if any(not c.isprintable() and c not in "\r\n\t\f\ufeff" for c in text):
        return
    start = text.lstrip("\ufeff \r\n\t").lower()
    if start.startswith(("<!doctype html", "<html", "<?xml", "<head", "<error")):
        raise NotACheckpointError(
            "a web page, not a checkpoint (a saved error or log-in page?); open the address in a "
            "browser and download the file itself"
        )
    if start.startswith("version https://git-lfs"):
        raise NotACheckpointError(
            "a Git LFS pointer, not the checkpoint it points to; run `git lfs pull`"
        )
    raise NotACheckpointError(
        f"text, not a checkpoint (it begins with {shown(text[:40])}); give a file written by "
        "torch.save or safetensors"
    )
