"""From the bytes of a file to its content, so that nothing in the file can do harm."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch

from engine.checkpoints import zip_archive as archive
from engine.checkpoints.errors import (
    DamagedFileError,
    NotACheckpointError,
    UnsafeCheckpointError,
    UnsuitableValueError,
    UnsupportedFormatError,
)
from engine.checkpoints.file_format import FileBytes, kind_of
from engine.checkpoints.passive_classes import is_told
from engine.checkpoints.pickle_scan import Survey, leaves, survey_pickle
from engine.checkpoints.stand_ins import Inert, Unsupported
from engine.checkpoints.without_pickle import (
    ReadStorage,
    content_of,
    storages_of_legacy,
    storages_of_zip,
)
from engine.contracts.errors import CheckpointError
from engine.contracts.message_text import listed, plain, shown
from engine.models.user_modules import users_modules_first

_MAX_LEGACY_PICKLES = 5  # magic number, protocol, system, content, keys of the storages
_SAVE_LINE = 'torch.save(model.state_dict(), "weights.pt")'
_safe_globals_lock = threading.Lock()  # torch keeps its list of safe globals for the whole process


class ClassesMissingError(UnsafeCheckpointError):
    """A trusted checkpoint whose classes are not installed here."""


@dataclass(frozen=True, eq=False)
class Content:
    """What a file holds, what was said about it on the way, and a safetensors file's metadata."""

    value: Any
    notes: tuple[str, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_content(file: FileBytes, *, trust_pickle: bool = False) -> Content:
    """The content of a checkpoint file. Raises CheckpointError.

    Nothing in the file is executed, unless `trust_pickle`: then its classes are imported and
    made, as torch.load(weights_only=False) does, and a note names them.
    """
    kind = kind_of(file)
    if kind == "safetensors":
        tensors = _read_safetensors(file.data)
        return Content(tensors, (), _safetensors_metadata(file.data))
    found = Survey()
    try:
        read_storage = _surveyed(kind, file.data, found)
    except (DamagedFileError, UnsafeCheckpointError):
        # What an unknown class does may look like damage; its name says more.
        if found.unknown_globals and not trust_pickle:
            _refuse_globals(found)
        raise
    if found.unknown_globals and not trust_pickle:
        _refuse_globals(found)
    if kind == "pickle":
        raise UnsupportedFormatError(
            "a bare pickle, which torch.save did not write; if you trust it, load it with pickle "
            f"and save it again: {_SAVE_LINE}"
        )
    _check_leaves(found.content)
    if found.passive and not found.unknown_globals:
        return Content(_without_pickle(found, read_storage), _left_out_notes(found.passive))
    try:
        return Content(_torch_load(file.data, found, trust_pickle), _trust_notes(found))
    except ClassesMissingError:
        if isinstance(found.content, Inert):
            raise
    note = (
        f"the classes {_names(found.unknown_globals)} cannot be imported here: took the tensors "
        "without them, and ran no code"
    )
    return Content(_without_pickle(found, read_storage), (note,))


def _surveyed(kind: str, data: bytes, found: Survey) -> ReadStorage:
    """Surveys a file of a kind; gives what reads its storages."""
    if kind == "zip":
        entries = archive.scan(data)
        survey_pickle(io.BytesIO(entries.pickled), found, entries.storage_bytes)
        return storages_of_zip(data, entries)
    if kind == "legacy":
        keys, start = _survey_legacy(data, found)
        return storages_of_legacy(data, found, keys, start)
    survey_pickle(io.BytesIO(data), found)
    return lambda _: b""


def _without_pickle(found: Survey, read_storage: ReadStorage) -> Any:
    try:
        return content_of(found, read_storage)
    except CheckpointError:
        raise
    except (RuntimeError, ValueError, TypeError, KeyError, IndexError) as error:
        # Values that are damaged in a way that no check above has seen.
        raise DamagedFileError(
            f"its tensors cannot be read ({type(error).__name__}: {plain(str(error))}); fetch it "
            "again"
        ) from error


def _left_out_notes(classes: Iterable[str]) -> tuple[str, ...]:
    told = [name for name in classes if is_told(name)]
    if not told:
        return ()
    return (f"left out, beside the weights: values of {_names(told)}; no code was run",)


def _names(classes: Iterable[str]) -> str:
    return listed(shown(name) for name in classes)


def _survey_legacy(data: bytes, found: Survey) -> tuple[list[str], int]:
    """Surveys the format of torch before 1.6: five pickles, then the storages. Gives the keys of
    these in their order, and where the first begins."""
    stream = io.BytesIO(data)
    contents = []
    for _ in range(_MAX_LEGACY_PICKLES):
        survey_pickle(stream, found)
        contents.append(found.content)
    found.content, keys = contents[3], contents[4]
    if type(keys) is not list or any(type(k) is not str for k in keys) or set(keys) != set(
        found.storages
    ) or len(keys) != len(found.storages):  # fmt: skip
        raise DamagedFileError("corrupt: the list of its storages is wrong; fetch it again")
    start = stream.tell()
    end = start + sum(8 + found.storages[key].num_bytes for key in keys)
    if end > len(data):
        raise DamagedFileError(
            f"truncated: {len(data):,} bytes of {end:,} are there; fetch it again"
        )
    if end < len(data):
        raise DamagedFileError(
            f"corrupt: {len(data) - end:,} bytes follow the end of the checkpoint; fetch it again"
        )
    return keys, start


def _refuse_globals(found: Survey) -> None:
    """Raises for a pickle that names classes which are not known to be harmless."""
    names = tuple(found.unknown_globals)
    shown_names = listed(shown(name) for name in names)
    whole = isinstance(found.content, Inert) or any(
        n.startswith("torch.nn.modules.") for n in names
    )
    if whole:
        raise UnsafeCheckpointError(
            f"a whole pickled network, not its weights ({shown_names}): reading it would run its "
            f"code. Where it was made, save its state_dict: {_SAVE_LINE}",
            names,
        )
    raise UnsafeCheckpointError(
        f"refused: beside the tensors it holds {shown_names}, and reading those would run code. "
        f"Save the weights alone: {_SAVE_LINE}; or, only if you trust whoever made the file, "
        "give --trust-pickle",
        names,
    )


def _trust_notes(found: Survey) -> tuple[str, ...]:
    if not found.unknown_globals:
        return ()
    names = ", ".join(shown(name) for name in found.unknown_globals)
    return (f"trusted the file to make objects of {names} (--trust-pickle)",)


def _check_leaves(content: Any) -> None:
    for key, value in leaves(content):
        if isinstance(value, Unsupported):
            raise UnsuitableValueError(
                f"{shown(key)} is {value.what}, which cannot be a weight here; convert it to a "
                "dense float32 tensor and save it again"
            )


def _torch_load(data: bytes, found: Survey, trust_pickle: bool) -> Any:
    """The content as torch reads it, every tensor on the CPU."""
    trusted = trust_pickle and bool(found.unknown_globals or found.protocol > 3)
    if found.protocol > 3 and not trusted:
        raise UnsupportedFormatError(
            f"written with pickle protocol {found.protocol}, which torch cannot read safely; save "
            f"it with the default one: {_SAVE_LINE}"
        )
    # A trusted file's classes are the person's own, whatever their modules are called.
    imports = users_modules_first() if trusted else contextlib.nullcontext()
    try:
        with (
            imports,
            _safe_globals_lock,
            torch.serialization.safe_globals(_numpy_scalar_globals()),
        ):
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=not trusted)
    except (ImportError, AttributeError) as error:  # AttributeError: the module lacks the class
        if isinstance(error, AttributeError) and not trusted:
            raise DamagedFileError(_cannot_read(error)) from error
        raise ClassesMissingError(
            f"the classes in it cannot be imported here ({plain(str(error))}); install what "
            f"defines them, or save the weights alone: {_SAVE_LINE}",
            tuple(found.unknown_globals),
        ) from error
    except pickle.UnpicklingError as error:
        reason = plain(str(error).rpartition("WeightsUnpickler error:")[2])
        raise UnsafeCheckpointError(
            f"torch refuses to read it ({reason}); save the weights alone: {_SAVE_LINE}"
        ) from error
    # Bytes of which the survey could not tell that they are wrong make torch raise nearly
    # anything: RuntimeError, AssertionError, AttributeError, TypeError, KeyError, …
    except Exception as error:
        raise DamagedFileError(_cannot_read(error)) from error


def _cannot_read(error: Exception) -> str:
    return f"torch cannot read it ({type(error).__name__}: {plain(str(error))}); fetch it again"


def _numpy_scalar_globals() -> list[Any]:
    """What a NumPy number needs to be read; the survey has checked what it is called with."""
    scalar = np.float64(0).__reduce__()[0]
    numbers = (np.bool_, np.float16, np.float32, np.float64, np.int8, np.int16, np.int32, np.int64,
               np.uint8, np.uint16, np.uint32, np.uint64)  # fmt: skip
    return [
        np.dtype,
        *{type(np.dtype(number)) for number in numbers},
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
    ]


def _read_safetensors(data: bytes) -> dict[str, torch.Tensor]:
    try:
        tensors = safetensors.torch.load(data)
    except safetensors.SafetensorError as error:
        raise DamagedFileError(
            f"the safetensors file is truncated or corrupt ({plain(str(error))}); fetch it again"
        ) from error
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        # A dtype that the format has and torch has not, or sizes that do not fit the bytes.
        raise DamagedFileError(
            f"the safetensors file holds what torch cannot read ({type(error).__name__}: "
            f"{plain(str(error))}); save it again as float32"
        ) from error
    if not tensors:
        raise NotACheckpointError("the safetensors file holds no tensors; fetch or save it again")
    return tensors


def _safetensors_metadata(data: bytes) -> dict[str, str]:
    """The text by name in the header of a file that the library has read."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    metadata: dict[str, str] = header.get("__metadata__") or {}
    return metadata
