"""By what a network is made: a family of ours, a library's registry, or a function of a person's.

`torchvision.models:resnet18`, `timm:resnet18` and `transformers:vit` are names of a registry:
nothing runs but that library, so anybody may give them. `package.module:factory` is code. Its file
is found without importing it, and known by its SHA-256: a person allows what they have read.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from engine.contracts.errors import UnusableFileError, UserError
from engine.contracts.outside import digest_of

TORCHVISION, TIMM, TRANSFORMERS = "torchvision.models", "timm", "transformers"
LIBRARIES = (TORCHVISION, TIMM, TRANSFORMERS)
MOST_SOURCE_BYTES = 64 * 2**20
_MODULE = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_REFERENCE = re.compile(rf"({_MODULE}):([\w.-]+)")


class ForeignFactoryError(UserError):
    """A network that is made by a function which nobody here has allowed to be called."""

    code = "foreign-factory"


@dataclass(frozen=True)
class Factory:
    """A person's `package.module:function`, and the SHA-256 of the module's file: it makes a
    network, or a task."""

    reference: str
    sha256: str


def is_reference(text: str) -> bool:
    """Whether a text is written as `module:name`."""
    return _REFERENCE.fullmatch(text) is not None


def library_of(factory: str) -> str | None:
    """The library in whose registry a network is, None where it is from elsewhere."""
    module, colon, _ = factory.partition(":")
    return module if colon and module in LIBRARIES else None


def is_persons(factory: str) -> bool:
    """Whether it names code: neither a family of ours nor a name of a registry."""
    return ":" in factory and library_of(factory) is None


def is_own_method(name: str) -> bool:
    """Whether a method is a person's function, in place of a name of ours."""
    return is_reference(name) and is_persons(name)


def is_task(place: str) -> bool:
    """Whether the place of data is a person's function that makes a task of them. Files and folders
    are named by their full path, and known data sets without a colon."""
    return is_reference(place) and is_persons(place)


def name_of(factory: str) -> str:
    """What a network is called behind its module."""
    return factory.partition(":")[2]


def factory_here(reference: str) -> Factory:
    """A person's factory as it is now on this machine. Raises ForeignFactoryError."""
    path = source_of(reference)
    if path is None:
        module = reference.partition(":")[0]
        raise ForeignFactoryError(
            f"the factory {reference[:200]!r} is not here: there is no file of the module "
            f"{module[:200]!r} in {_current_folder() or 'the current folder'}, nor is it "
            "installed; run the command in the folder that holds it"
        )
    try:
        return Factory(reference, digest_of(path, MOST_SOURCE_BYTES))
    except UnusableFileError as error:
        raise ForeignFactoryError(f"the factory {reference[:200]!r}: {error}") from error


def source_of(reference: str) -> Path | None:
    """The file of a reference's module, looked for where the worker looks, and not imported."""
    if not is_reference(reference):
        return None
    parts = reference.partition(":")[0].split(".")
    for places in _search_paths(parts[0]):
        found = _file_of(parts, places)
        if found is not None:
            return found
    return None


def _search_paths(top: str) -> Iterator[Sequence[str]]:
    """The current folder comes first, but for names of Python's own library."""
    current = _current_folder()
    if current is not None and top not in sys.stdlib_module_names:
        yield [current]
    yield [place for place in sys.path if place]
    if current is not None:
        yield [current]


def _file_of(parts: Sequence[str], places: Sequence[str]) -> Path | None:
    path: Sequence[str] | None = list(places)
    origin = None
    for index in range(len(parts)):
        if path is None:
            return None
        spec = PathFinder.find_spec(".".join(parts[: index + 1]), list(path))
        if spec is None:
            return None
        origin = spec.origin if spec.has_location else None
        path = spec.submodule_search_locations
    return None if origin is None else Path(origin)


def _current_folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # somebody removed it
        return None
