"""A person's own modules under whatever names they have, also those of our packages.

The folder of a person's factory may hold an `engine.py` or a `store.py` of theirs. While their code
is imported or called such a name means their file; before and after it means our package. What
theirs does not have (`engine.models` beside a plain `engine.py`) is ours throughout.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from engine.contracts.errors import UnknownFamilyError

OUR_NAMES = ("engine", "store", "explorer", "sample_checkpoints")
OUR_ROOT = Path(__file__).resolve().parents[2]

# Imports are the whole process's, so one thread at a time; their code may come back here.
_lock = threading.RLock()
_inside = threading.local()
# Their modules of our names, by folder: the same objects each time, as every import gives them.
_theirs_by_folder: dict[str, dict[str, ModuleType]] = {}


class _Names:
    """Which module names mean the person's files in a folder, and not our packages."""

    def __init__(self, folder: str) -> None:
        found = {name: PathFinder.find_spec(name, [folder]) for name in OUR_NAMES}
        self.specs = {name: spec for name, spec in found.items() if spec and _has_code(spec)}
        loaded = (name.split(".") for name in sys.modules)
        self.only_ours = {
            (parts[0], parts[1])
            for parts in loaded
            if len(parts) > 1 and parts[0] in self.specs and not self._has(parts[0], parts[1])
        }

    def _has(self, package: str, part: str) -> bool:
        places = self.specs[package].submodule_search_locations
        spec = PathFinder.find_spec(f"{package}.{part}", list(places)) if places else None
        return spec is not None and _has_code(spec)

    def mean(self, module_name: str) -> bool:
        """Whether the name, as imported by the person's code, means a file of theirs."""
        parts = module_name.split(".")
        return parts[0] in self.specs and tuple(parts[:2]) not in self.only_ours


def _has_code(spec: ModuleSpec) -> bool:
    """False for a mere folder of that name, such as one of data, which would import as empty."""
    places = spec.submodule_search_locations or ()
    return spec.loader is not None or any(any(Path(place).glob("*.py")) for place in places)


class _FolderFirst(MetaPathFinder):
    """Finds the given top-level names in one folder before Python looks anywhere else."""

    def __init__(self, folder: str, names: set[str]) -> None:
        self.folder = folder
        self.names = names

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        return PathFinder.find_spec(fullname, [self.folder]) if fullname in self.names else None


class _FromSource(SourceFileLoader):
    """Compiles a file as it is now."""

    def path_stats(self, path: str) -> NoReturn:
        raise OSError  # so that nothing compiled is looked for, or kept


class _AsItsFileIs(MetaPathFinder):
    """Has one module made of its source alone: a person has allowed that file, and what lies beside
    it in __pycache__ may have been made of another one."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next((each for each in found if each is not None), None)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _FromSource(fullname, spec.loader.path)
        return spec


def user_folder() -> str | None:
    """The current folder, if Python looks for modules there; None in our own checkout."""
    try:
        folder = os.getcwd()
    except FileNotFoundError:  # somebody removed it
        return None
    if (folder not in sys.path and "" not in sys.path) or os.path.samefile(folder, OUR_ROOT):
        return None
    return folder


@contextmanager
def users_modules_first(module_name: str = "") -> Iterator[None]:
    """Within it, names mean the person's modules where the current folder has them.

    That goes for the names of our packages and for `module_name`. Other names are found as ever:
    somebody's `random.py` or `torch.py` stays out of the way of the libraries.
    """
    with _lock:
        folder = None if getattr(_inside, "yes", False) else user_folder()
        if folder is None:
            yield
            return
        names = _Names(folder)
        asked = {module_name.partition(".")[0]} - {"", *OUR_NAMES} - sys.stdlib_module_names
        finder = _FolderFirst(folder, names.specs.keys() | asked)
        ours = _taken_out(names)
        sys.modules.update(_theirs_by_folder.get(folder, {}))
        sys.meta_path.insert(0, finder)
        _inside.yes = True
        try:
            yield
        finally:
            _inside.yes = False
            sys.meta_path.remove(finder)
            _theirs_by_folder[folder] = _taken_out(names)
            sys.modules.update(ours)


def _taken_out(names: _Names) -> dict[str, ModuleType]:
    """The imported modules whose names mean the person's, which are no longer imported then."""
    taken = {name: module for name, module in sys.modules.items() if names.mean(name)}
    for name in taken:
        del sys.modules[name]
    return taken


def import_factory(reference: str) -> Callable[..., Any]:
    """What `package.module:factory` names. Raises UnknownFamilyError.

    To be called within `users_modules_first(module)`.
    """
    module_name, _, attribute = reference.partition(":")
    finder = _AsItsFileIs(module_name)
    sys.meta_path.insert(0, finder)
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # it is their code: anything may happen in it
        raise UnknownFamilyError(_why_not_imported(reference, module_name, error)) from error
    finally:
        sys.meta_path.remove(finder)
    try:
        found: Callable[..., Any] = getattr(module, attribute)
    except AttributeError as error:
        near = difflib.get_close_matches(attribute, dir(module), n=1)
        hint = f"; did you mean '{module_name}:{near[0]}'?" if near else "; name one that is there"
        where = getattr(module, "__file__", None) or "built in"
        raise UnknownFamilyError(
            f"cannot import the factory {reference!r}: {module_name} ({where}) has no "
            f"{attribute!r}{hint}"
        ) from error
    return found


def _why_not_imported(reference: str, module_name: str, error: BaseException) -> str:
    folder = user_folder()
    places = f"neither in {folder} nor installed" if folder else "not on Python's path"
    start = f"cannot import the factory {reference!r}: "
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing is not None and f"{module_name}.".startswith(f"{missing}."):
        file_name = f"{module_name.partition('.')[0]}.py"
        return (
            f"{start}there is no module {missing!r}: it is {places}; run the command in the folder "
            f"that holds {file_name}, or install it beside pe-explore"
        )
    if missing is not None:
        return (
            f"{start}the module {module_name!r} imports {missing!r}, which is {places}; "
            f"install it beside pe-explore, or put it into the folder of {module_name}"
        )
    lines = str(error).strip().splitlines()
    words = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return (
        f"{start}the module {module_name!r}, looked for in {folder or 'the places of sys.path'}, "
        f"fails when it is imported ({words}); mend it until python -c 'import {module_name}' works"
    )
