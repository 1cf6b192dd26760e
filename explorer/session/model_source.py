"""What MODEL names: a file, or a network by reference with the file of its weights."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, cast

from engine.contracts.errors import UsageError
from engine.contracts.jobs import NameWeights, Places, WeightsNamed
from engine.contracts.networks import FileRef
from engine.contracts.outside import read_bounded
from engine.contracts.references import (
    TIMM,
    TORCHVISION,
    TRANSFORMERS,
    is_reference,
    library_of,
    name_of,
)
from engine.contracts.sharded import (
    INDEX_ENDING,
    INDEX_NAME,
    digest_of_weights,
    num_bytes_of,
)
from explorer.executors.base import Executor
from explorer.executors.errors import JobFailedError
from explorer.session.events import Emit
from explorer.session.named_files import expanded, model_path
from explorer.session.root_job import run_for_root


class NoWeightsError(UsageError):
    """A network was named, and no weights."""

    code = "no-weights"


class Naming(Protocol):
    """The words by which a model is named."""

    @property
    def model(self) -> str: ...
    @property
    def arch(self) -> str | None: ...
    @property
    def weights(self) -> Path | None: ...
    @property
    def random_weights(self) -> bool: ...


@dataclass(frozen=True)
class ModelSource:
    """The file of the weights, and by what the network is made where that was said. Without a file
    the weights are random, or those that the network's library keeps in its cache."""

    path: Path | None
    arch: str | None = None
    untrained: bool = False
    weights: str | None = None  # what the library calls them

    @property
    def num_bytes(self) -> int:
        """How much there is to read."""
        return 0 if self.path is None else num_bytes_of(self.path)

    def checkpoint(self) -> FileRef:
        """The weights as a run knows them. Raises UnusableFileError."""
        if self.path is not None:
            name = self.path.name.removesuffix(INDEX_ENDING)
            return FileRef(name, digest_of_weights(self.path))
        # Random weights are the same ones each time.
        told = hashlib.sha256(f"random weights of {self.arch}".encode())
        return FileRef(name_of(self.arch or ""), told.hexdigest())

    async def with_weights(self, executor: Executor, emit: Emit) -> ModelSource:
        """With the library's own weights: those in its cache, else fetched into it, unless
        PE_EXPLORE_OFFLINE is set. Raises NoWeightsError."""
        if self.path is not None or self.untrained or self.arch is None:
            return self
        job = NameWeights(self.arch, self.weights)
        named = cast(WeightsNamed, await run_for_root(job, Places(), executor, emit))
        folder = _cache_folder()
        found = [folder / name for name in named.files if (folder / name).is_file()]
        if found:
            return replace(self, path=found[0])
        what = f"torchvision's weights of {name_of(self.arch)} ({' or '.join(named.files)})"
        if not named.files:
            raise NoWeightsError(f"torchvision has no weights of {name_of(self.arch)}; {_REMEDY}")
        if os.environ.get(OFFLINE):
            raise NoWeightsError(
                f"{what} are not in {folder}, and nothing is fetched while {OFFLINE} is set; "
                f"{_REMEDY}"
            )
        place = folder / named.files[0]
        try:
            await run_for_root(job, Places(output=str(place)), executor, emit)
        except JobFailedError as error:
            if error.error != "unreachable":
                raise
            raise NoWeightsError(f"{what} are not in {folder}: {error}; {_REMEDY}") from error
        return replace(self, path=place)


OFFLINE = "PE_EXPLORE_OFFLINE"
_OF_TIMM = "timm_wrapper"  # transformers' name of a network of timm
_CONFIG, _MOST_CONFIG_BYTES = "config.json", 2**20
_WEIGHTS = ("model.safetensors", INDEX_NAME, "pytorch_model.bin")
_REMEDY = (
    "give the file of its weights with --weights FILE, or begin untrained with --random-weights "
    "(train: without --weights)"
)


def is_network(model: str) -> bool:
    """Whether MODEL is a network by reference; a file of such a name is a file."""
    return not os.path.lexists(expanded(model)) and is_reference(model)


def check_named(model: str) -> None:
    """Raises UsageError where MODEL is nothing that can be opened, weights apart."""
    if not is_network(model) and not _is_saved_folder(model):
        model_path(model)


def _is_saved_folder(model: str) -> bool:
    return bool(model) and os.path.isfile(expanded(model) / _CONFIG)


def source_of(named: Naming) -> ModelSource:
    """What MODEL and the options beside it mean. Raises UsageError."""
    if _is_saved_folder(named.model):
        return _saved_by_transformers(expanded(named.model), named)
    if not is_network(named.model):
        if named.weights is not None or named.random_weights:
            option = "--weights" if named.weights is not None else "--random-weights"
            raise UsageError(
                f"{option} is for a network by reference (torchvision.models:resnet18), and MODEL "
                f"is a file: leave {option} out, or say what it holds with --arch"
            )
        return ModelSource(model_path(named.model), named.arch)
    if named.arch not in (None, named.model):
        raise UsageError(f"{named.model} says already what the network is; leave --arch out")
    if named.weights is not None and named.random_weights:
        raise UsageError("give --weights or --random-weights, not both")
    if named.weights is not None:
        word = str(named.weights)
        if library_of(named.model) == TORCHVISION and _is_name_of_weights(word):
            return ModelSource(None, named.model, weights=word)
        return ModelSource(model_path(word), named.model)
    if library_of(named.model) == TRANSFORMERS:
        raise NoWeightsError(
            f"{named.model} is known by its configuration: give the folder with config.json and "
            "model.safetensors as MODEL"
        )
    if not named.random_weights and library_of(named.model) != TORCHVISION:
        raise NoWeightsError(f"{named.model} has no weights by itself; {_REMEDY}")
    return ModelSource(None, named.model, untrained=named.random_weights)


def _is_name_of_weights(word: str) -> bool:
    """Whether it is written as torchvision names weights (`IMAGENET1K_V2`), and is no file."""
    return re.fullmatch("[A-Z][A-Z0-9_]+", word) is not None and not os.path.lexists(word)


def _saved_by_transformers(folder: Path, named: Naming) -> ModelSource:
    """A folder as transformers and timm save it: a configuration, and the weights."""
    if named.weights is not None or named.random_weights or named.arch is not None:
        raise UsageError(
            f"{named.model} is a folder with its weights; leave --weights, --random-weights and "
            "--arch out"
        )
    reference = _named_in(folder / _CONFIG)
    for name in _WEIGHTS:
        if os.path.isfile(folder / name):
            return ModelSource(folder / name, reference)
    raise UsageError(
        f"{named.model} has none of {', '.join(_WEIGHTS)}; save the network there as one file: "
        "model.save_pretrained(folder, max_shard_size='100GB')"
    )


def _named_in(config: Path) -> str:
    """The network that a folder's configuration is of: one of transformers, or one of timm that
    either library saved. Raises UsageError."""
    try:
        told = json.loads(read_bounded(config, _MOST_CONFIG_BYTES))
        kind = told.get("model_type")
        if kind not in (None, _OF_TIMM):
            return f"{TRANSFORMERS}:{kind}"
        tag = (told.get("pretrained_cfg") or {}).get("tag")
        reference = f"{TIMM}:{told['architecture']}{f'.{tag}' if tag else ''}"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"{config} names no model_type; give a folder that transformers or timm saved"
        ) from error
    if not is_reference(reference):
        raise UsageError(f"{config} names no network of timm; give a folder that timm saved")
    return reference


def _cache_folder() -> Path:
    """Where torch keeps what it has fetched."""
    home = os.environ.get("TORCH_HOME")
    if not home:
        home = os.path.join(os.environ.get("XDG_CACHE_HOME") or expanded("~/.cache"), "torch")
    return expanded(home) / "hub" / "checkpoints"
