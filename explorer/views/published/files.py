"""Files of published results: the one that came with this program, and a person's own."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import platformdirs

import explorer
from engine.contracts.errors import UnusableFileError, UsageError
from engine.contracts.files import write_text_atomically
from engine.contracts.near import did_you_mean
from engine.contracts.outside import read_bounded
from explorer.session.own_files import own_file
from explorer.views.published.result import PublishedResult, WrongFieldError, result_of

SHIPPED = Path(explorer.__file__).with_name("data") / "published.toml"
TABLE = "result"
_LARGEST_BYTES, _MOST_ROWS, _MOST_FILES = 4_000_000, 20_000, 200
_FORM = f"a file of published results holds tables [[{TABLE}]] (docs/published.md)"


class PublishedFileError(UsageError):
    """A file of published results that cannot be taken."""

    code = "published-file"


def read_results(path: Path) -> tuple[PublishedResult, ...]:
    """The results of a file, each of them checked. Raises PublishedFileError, which names the row,
    the field and the value; UnusableFileError."""
    return _results_in(path, _text_of(path))


def _text_of(path: Path) -> str:
    content = read_bounded(path, _LARGEST_BYTES)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PublishedFileError(
            f"{path}: not UTF-8 from byte {error.start} on; save it as UTF-8"
        ) from None


def _results_in(path: Path, text: str) -> tuple[PublishedResult, ...]:
    try:
        found = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        words = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise PublishedFileError(f"{path}: not TOML: {words}; {_FORM}") from None
    for name in found:
        if name != TABLE:
            hint = did_you_mean(name, (TABLE,)).rstrip()
            raise PublishedFileError(f"{path}: {name!r} is unknown; {hint or _FORM}")
    tables = found.get(TABLE, [])
    if not isinstance(tables, list) or not tables:
        raise PublishedFileError(f"{path}: no [[{TABLE}]] in it; {_FORM}")
    if len(tables) > _MOST_ROWS:
        raise PublishedFileError(
            f"{path}: {len(tables):,} results; at most {_MOST_ROWS:,} are read: split the file"
        )
    return tuple(_result(path, place, table) for place, table in enumerate(tables, 1))


def _result(path: Path, place: int, table: Any) -> PublishedResult:
    if not isinstance(table, dict):
        raise PublishedFileError(f"{path}: result {place} is no table; {_FORM}")
    try:
        return result_of(table)
    except WrongFieldError as error:
        method = table.get("method")
        named = f" ({method[:60]})" if isinstance(method, str) and method else ""
        raise PublishedFileError(f"{path}: result {place}{named}: {error}") from None


@lru_cache(maxsize=1)
def shipped() -> tuple[PublishedResult, ...]:
    """The results that came with this program."""
    return read_results(SHIPPED)


# ------------------------------------------------------------ a person's own


def own_folder() -> Path | None:
    """Where a person's own files lie (`PE_EXPLORE_PUBLISHED` names another folder); None for a
    user who has no folder for such files."""
    return own_file("PE_EXPLORE_PUBLISHED", platformdirs.user_data_path, "published")


def own_files() -> list[Path]:
    """A person's own files, by name."""
    folder = own_folder()
    if folder is None:
        return []
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".toml")[:_MOST_FILES]
    except OSError:
        return []  # there is none yet


def all_results() -> tuple[tuple[PublishedResult, ...], tuple[str, ...]]:
    """Every result, those of this program first; and what is wrong with files of the person, which
    are left out."""
    found, wrong = list(shipped()), []
    for path in own_files():
        try:
            found += read_own(path)
        except (PublishedFileError, UnusableFileError) as error:
            wrong.append(f"{error}; left out. `pe-explore published remove {path.stem}` removes it")
    return tuple(dict.fromkeys(found)), tuple(wrong)


def read_own(path: Path) -> tuple[PublishedResult, ...]:
    """The results of a person's own file, read again only where it has changed."""
    try:
        about = path.stat()
    except OSError as error:
        raise UnusableFileError(f"{path} cannot be read: {error.strerror}") from None
    return _read_once(path, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=_MOST_FILES)
def _read_once(path: Path, modified: int, size: int) -> tuple[PublishedResult, ...]:
    return read_results(path)


def add(path: Path) -> tuple[Path, tuple[PublishedResult, ...]]:
    """Checks a file and copies it into the person's folder; where it lies now, and its results.
    Raises PublishedFileError, UnusableFileError, WritingError."""
    text = _text_of(path)
    results = _results_in(path, text)
    folder = own_folder()
    if folder is None:
        raise PublishedFileError(
            "there is no folder for your files; name one with PE_EXPLORE_PUBLISHED"
        )
    name = path.stem.strip(". ") or "results"
    there = folder / f"{name}.toml"
    if there.exists():
        if read_bounded(there, _LARGEST_BYTES) == text.encode():
            return there, results
        raise PublishedFileError(
            f"{there} is there already, with other results; `pe-explore published remove {name}` "
            "removes it, or give your file another name"
        )
    _make(folder)
    write_text_atomically(there, text)
    return there, results


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PublishedFileError(
            f"cannot make the folder {folder}: {error.strerror}; name another one with "
            "PE_EXPLORE_PUBLISHED"
        ) from None


def remove(name: str) -> Path:
    """Removes one of the person's own files. Raises PublishedFileError where there is none."""
    names = {path.stem: path for path in own_files()}
    path = names.get(name.removesuffix(".toml"))
    if path is None:
        hint = did_you_mean(name, names).rstrip()
        known = f"yours are {', '.join(names)}" if names else "you have added none"
        raise PublishedFileError(f"there is no file {name!r} of yours; {hint or known}")
    try:
        path.unlink()
    except OSError as error:
        raise PublishedFileError(f"cannot remove {path}: {error.strerror}") from None
    return path


def matching(
    results: tuple[PublishedResult, ...],
    *,
    network: str | None = None,
    dataset: str | None = None,
    kind: str | None = None,
    method: str | None = None,
) -> Iterator[PublishedResult]:
    """Those of a network, of a data set, of a kind, and with a word in the name of the method."""
    for row in results:
        if network and plain(row.network) != plain(network):
            continue
        if dataset and plain(row.dataset) != plain(dataset):
            continue
        if kind and row.kind != kind:
            continue
        if method and method.casefold() not in row.method.casefold():
            continue
        yield row


def plain(name: str) -> str:
    """A name as names are compared: `CIFAR-10` and `cifar10` are one."""
    return "".join(c for c in name.casefold() if c.isalnum())
