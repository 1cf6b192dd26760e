"""Checkpoints read as networks: any safe file in, a network that runs out, or a clear reason.

network = load("resnet56.pt")
network.model(images_BCHW)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from engine.checkpoints.build import check_size, outline, rebuilt
from engine.checkpoints.errors import (
    ArchitectureError,
    DamagedFileError,
    NotACheckpointError,
    UnsafeCheckpointError,
    UnsuitableValueError,
    UnsupportedFormatError,
)
from engine.checkpoints.exported_archive import is_exported, read_exported
from engine.checkpoints.exported_program import check_any_number, program_of
from engine.checkpoints.file_format import FileBytes, kind_of, read_file
from engine.checkpoints.fitting import into_factory
from engine.checkpoints.infer_resnet import infer
from engine.checkpoints.normalisation_presets import preset_normalisations
from engine.checkpoints.own_format import is_own, read_own
from engine.checkpoints.own_metadata import with_metadata
from engine.checkpoints.recognise import recognised
from engine.checkpoints.safe_load import Content, read_content
from engine.checkpoints.saved_folder import NOTHING_SAID, FolderWords, words_beside
from engine.checkpoints.sharded import read_parts
from engine.checkpoints.state_dict import (
    find_state,
    numbers_in,
    stripped,
)
from engine.checkpoints.tensors import (
    as_weights,
    check_shapes,
    load_strictly,
)
from engine.checkpoints.time_limit import within
from engine.contracts.errors import CheckpointError
from engine.contracts.message_text import shown
from engine.contracts.networks import Architecture, DataDescription
from engine.contracts.references import TRANSFORMERS, library_of
from engine.contracts.sharded import is_index
from engine.models import FAMILIES, PROGRAM, architecture_of_name, open_arguments

LOAD_SECONDS = 60.0
LOAD_BYTES_PER_SECOND = 10e6

__all__ = [
    "ArchitectureError",
    "DamagedFileError",
    "LoadedNetwork",
    "NotACheckpointError",
    "UnsafeCheckpointError",
    "UnsuitableValueError",
    "UnsupportedFormatError",
    "load",
    "preset_normalisations",
]


@dataclass(frozen=True, eq=False)
class LoadedNetwork:
    """A network from a file: how to build it again, and what the file said about it."""

    architecture: Architecture
    model: nn.Module  # eval mode, float32, on the CPU
    data: DataDescription | None  # None where the file doesn't say
    metrics: Mapping[str, Any]  # numbers that stood beside the weights, as they were called there
    notes: tuple[str, ...]  # what was stripped, chosen, converted or inferred, for the user
    digest: str  # the SHA-256 of the file
    inferred: bool = False  # from the tensors, which show no layout (`trials.py`)
    folder: FolderWords = NOTHING_SAID  # what files beside it say


def load(
    path: str | os.PathLike[str], *, arch: str | None = None, trust_pickle: bool = False
) -> LoadedNetwork:
    """The network in a checkpoint file: ours, torch.save's or safetensors'.

    `arch` is a name that the file is checked against (`resnet56`), or by what the network is made
    where its architecture cannot be inferred (`torchvision.models:resnet18`, `timm:resnet18`,
    `package.module:factory`). With `trust_pickle` the file may import
    and make objects of any class: only for files whose maker is trusted.

    Raises CheckpointError (its children are in `engine.checkpoints`) and UnknownFamilyError for an
    `arch` that nothing is known by. The global random state is left as it was.
    """
    file_path = Path(path)
    try:
        return _load(file_path, arch, trust_pickle)
    except UnsafeCheckpointError as error:
        raise UnsafeCheckpointError(
            f"{shown(file_path.name)}: {error}", error.global_names
        ) from error
    except CheckpointError as error:
        raise type(error)(f"{shown(file_path.name)}: {error}") from error


def _load(path: Path, arch: str | None, trust_pickle: bool) -> LoadedNetwork:
    if is_index(path):
        return _read(path, *read_parts(path), arch, trust_pickle)
    file = read_file(path)
    seconds = LOAD_SECONDS + len(file.data) / LOAD_BYTES_PER_SECOND
    if kind_of(file) == "zip" and is_exported(file.data):
        return within(seconds, lambda: _exported(file, arch))
    content = within(seconds, lambda: read_content(file, trust_pickle=trust_pickle))
    return _read(path, content, file.digest, arch, trust_pickle)


def _read(
    path: Path, content: Content, digest: str, arch: str | None, trust_pickle: bool
) -> LoadedNetwork:
    """The network whose weights are in a content."""
    value = with_metadata(content.value, content.metadata) if content.metadata else content.value
    if is_own(value):
        own = read_own(value, arch, trust_pickle)
        if arch is not None and ":" not in arch:
            _check_name(arch, own.architecture, own.model.state_dict())
        told = value.get("metrics")
        metrics = numbers_in(told) if isinstance(told, Mapping) else {}
        return LoadedNetwork(
            own.architecture, own.model, own.data, metrics, content.notes + own.notes, digest
        )
    found = find_state(value)
    if arch is not None and ":" in arch:
        architecture, model, notes = into_factory(arch, found.state, path)
    else:
        architecture, model, notes = _into_family(arch, found.state)
    notes = content.notes + found.notes + notes
    inferred = architecture.factory in FAMILIES
    is_saved = library_of(architecture.factory) == TRANSFORMERS
    folder = words_beside(path) if is_saved else NOTHING_SAID
    return LoadedNetwork(architecture, model, None, found.metrics, notes, digest, inferred, folder)


def _exported(file: FileBytes, arch: str | None) -> LoadedNetwork:
    """The network of a program, which is built anew from what it does."""
    if arch not in (None, PROGRAM):
        raise ArchitectureError(
            "it holds a program of torch.export, which says itself what the network is; leave "
            "--arch out"
        )
    program = program_of(read_exported(file.data))
    planned = outline(PROGRAM, program.arguments)
    check_size(planned)
    check_shapes(planned, program.tensors, "the program in it", "export it again")
    own = planned.state_dict()
    weights, notes = as_weights(program.tensors, lambda name: not own[name].is_floating_point())
    model = load_strictly(rebuilt(PROGRAM, program.arguments), weights)
    check_any_number(model, program.image_shape)
    notes = ("read the program of torch.export as a network; no code of it was run", *notes)
    architecture = Architecture(PROGRAM, program.arguments)
    return LoadedNetwork(architecture, model, None, {}, notes, file.digest)


_Result = tuple[Architecture, nn.Module, tuple[str, ...]]


def _into_family(arch: str | None, state: Mapping[str, Any]) -> _Result:
    """A network of one of our families whose arguments are inferred; a name only checks them."""
    bare, prefix_notes = stripped(state)
    weights, type_notes = as_weights(bare)
    inferred = recognised(weights) or infer(weights)
    architecture = Architecture(inferred.factory, inferred.arguments)
    if arch is not None:
        _check_name(arch, architecture, inferred.state)
    model = load_strictly(rebuilt(inferred.factory, inferred.arguments), inferred.state)
    return architecture, model, prefix_notes + type_notes + inferred.notes


def _check_name(arch: str, found: Architecture, state: Mapping[str, Tensor]) -> None:
    """Raises ArchitectureError where the tensors are not those of the network called `arch`.

    A name tells depth and widths; the rest is as the file has it.
    """
    remedy = "leave --arch out to have the architecture inferred"
    if arch in FAMILIES:
        if arch != found.factory:
            raise ArchitectureError(
                f"it holds a {shown(found.factory)}, not {shown(arch)}; {remedy}"
            )
        return
    named = architecture_of_name(arch)
    if named.factory == found.factory:
        told = {
            k: found.arguments[k] for k in open_arguments(named.factory) if k in found.arguments
        }
        named = Architecture(named.factory, {**named.arguments, **told})
    check_shapes(outline(named.factory, named.arguments), state, arch, remedy)
