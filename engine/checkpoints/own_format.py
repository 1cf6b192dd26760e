"""Checkpoints in our own format (`engine.checkpoints.write.save`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from engine.checkpoints.build import check_size, outline, rebuilt
from engine.checkpoints.errors import (
    ArchitectureError,
    UnsafeCheckpointError,
    UnsupportedFormatError,
)
from engine.checkpoints.state_dict import checked_names
from engine.checkpoints.tensors import as_weights, check_shapes, load_strictly
from engine.checkpoints.write import FORMAT
from engine.contracts.codec import FormatError, decode
from engine.contracts.edits import Edit
from engine.contracts.message_text import shown
from engine.contracts.networks import Architecture, DataDescription
from engine.contracts.references import library_of
from engine.models import FAMILIES

_FORMAT_NAME, _, _FORMAT_VERSION = FORMAT.partition("/")
_WRITE_AGAIN = "write the checkpoint again"


@dataclass(frozen=True, eq=False)
class OwnCheckpoint:
    """What a checkpoint in our format holds."""

    architecture: Architecture
    model: nn.Module
    data: DataDescription | None
    notes: tuple[str, ...]


def is_own(content: Any) -> bool:
    """Whether the content says that it is in our format, of whatever version."""
    if not isinstance(content, Mapping) or not isinstance(content.get("format"), str):
        return False
    return str(content["format"]).startswith(f"{_FORMAT_NAME}/")


def read_own(content: Mapping[str, Any], arch: str | None, trust: bool) -> OwnCheckpoint:
    """The network of a checkpoint in our format. Raises CheckpointError.

    A file may name any function as its factory, so only known families are called, unless the
    person named the same factory (`arch`) or trusts the file.
    """
    _check_version(content["format"])
    architecture = _architecture(content.get("architecture"))
    factory, arguments, edits = (architecture[k] for k in ("factory", "arguments", "edits"))
    prepared = tuple(architecture["prepared"])
    notes: tuple[str, ...] = ()
    if factory not in FAMILIES and library_of(factory) is None and factory != arch:
        if not trust:
            raise UnsafeCheckpointError(
                f"its network is made by the function {shown(factory)}; if you know it, give "
                f"--arch {shown(factory)}",
                (factory,),
            )
        notes = (f"trusted the file to call {shown(factory)} (--trust-pickle)",)
    if arch is not None and ":" in arch and arch != factory:
        raise ArchitectureError(f"it holds a {shown(factory)}, not {shown(arch)}; leave --arch out")
    state = content.get("state_dict")
    if not isinstance(state, Mapping):
        raise ArchitectureError(f"it has no state_dict; {_WRITE_AGAIN}")
    state = checked_names(state)
    what = f"the architecture {shown(factory)} it names"
    if factory in FAMILIES:  # before any memory is taken; another factory may not bear the device
        unpruned = outline(factory, arguments)
        check_size(unpruned)
        if not edits:
            check_shapes(unpruned, state, what, _WRITE_AGAIN)
    model = rebuilt(factory, arguments, edits, prepared)
    check_shapes(model, state, what, _WRITE_AGAIN)
    own = model.state_dict()
    weights, converted = as_weights(state, lambda name: _is_whole_number(own.get(name)))
    known = Architecture(factory, arguments, tuple(map(Edit.from_json, edits)), prepared)
    return OwnCheckpoint(
        known, load_strictly(model, weights), _data(content.get("data")), notes + converted
    )


def _is_whole_number(tensor: Any) -> bool:
    return isinstance(tensor, Tensor) and not tensor.is_floating_point()


def _check_version(written: str) -> None:
    if written == FORMAT:
        return
    version = re.fullmatch(r"[1-9]\d{0,5}", written.partition("/")[2])
    if version and int(version[0]) > int(_FORMAT_VERSION):
        raise UnsupportedFormatError(
            f"written by a newer pe-explore (its format is {shown(written)}, this one reads "
            f"{FORMAT}); upgrade: pip install --upgrade pe-explore"
        )
    raise UnsupportedFormatError(f"the format {shown(written)} is not known; {_WRITE_AGAIN}")


def _architecture(value: Any) -> dict[str, Any]:
    """Factory, arguments, edits and preparations, of the right types."""
    expected: dict[str, type] = {"factory": str, "arguments": dict, "edits": list, "prepared": list}
    if not isinstance(value, Mapping):
        raise ArchitectureError(f"it does not tell its architecture; {_WRITE_AGAIN}")
    value = {"prepared": [], **value}  # the first checkpoints have none
    for key, kind in expected.items():
        if not isinstance(value.get(key), kind):
            raise ArchitectureError(
                f"its architecture has {shown(value.get(key))} as {key!r}, which must be a "
                f"{kind.__name__}; {_WRITE_AGAIN}"
            )
    if not all(isinstance(key, str) for key in value["arguments"]):
        raise ArchitectureError(f"its architecture has an argument without name; {_WRITE_AGAIN}")
    if not all(isinstance(edit, Mapping) for edit in value["edits"]):
        raise ArchitectureError(f"its architecture has an edit that is none; {_WRITE_AGAIN}")
    if not all(isinstance(name, str) for name in value["prepared"]):
        raise ArchitectureError(f"its architecture has a preparation that is none; {_WRITE_AGAIN}")
    return {key: value[key] for key in expected}


def _data(value: Any) -> DataDescription | None:
    """The description of the data set; its normalisation is checked, as results hang on it."""
    if value is None or value == {}:
        return None
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ArchitectureError(f"its description of the data is unreadable; {_WRITE_AGAIN}")
    mean, std = value.get("mean"), value.get("std")
    if not _is_left_out(mean) or not _is_left_out(std):
        means, deviations = _numbers(mean), _numbers(std)
        if not means or len(means) != len(deviations) or min(deviations) <= 0:
            raise ArchitectureError(
                f"its normalisation is unusable (mean and std must be as many finite numbers as "
                f"channels, std above 0); {_WRITE_AGAIN}"
            )
    classes = value.get("classes", [])
    if not isinstance(classes, list | tuple) or not all(isinstance(c, str) for c in classes):
        raise ArchitectureError(f"its class names are not a list of text; {_WRITE_AGAIN}")
    try:
        given = {key: item for key, item in value.items() if item is not None}
        found = decode(DataDescription, given, "data")
    except FormatError as error:
        raise ArchitectureError(
            f"its description of the data is unreadable ({error}); {_WRITE_AGAIN}"
        ) from error
    return None if found == DataDescription() else found


def _is_left_out(value: Any) -> bool:
    return value is None or (isinstance(value, list | tuple) and not value)


def _numbers(value: Any) -> list[float]:
    """A list of finite numbers, empty where the value is anything else."""
    if not isinstance(value, list | tuple) or not all(type(v) in (int, float) for v in value):
        return []
    return [float(v) for v in value if abs(v) < 1e9]  # no NaN, nothing infinite
