"""Which run of a store is meant: that of a checkpoint, its settings and its images, or the newest.

A path says nothing: what a run was begun with is known by its content.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.contracts.errors import UsageError
from engine.contracts.loaders import FROM_DATA, validation_file
from engine.contracts.networks import FileRef
from engine.contracts.options import SettingValue, flag
from engine.contracts.references import is_task
from engine.contracts.setting_sections import DataSettings
from engine.contracts.settings import Settings, all_settings, value_of, with_values
from explorer.session.data_places import DataPlaces, Describe, ImagesAt, find, is_path
from explorer.session.documents import RunDocument, UnreadableRowError, settings_document
from explorer.session.network_defaults import with_network_defaults
from store import Run, TreeStore

# Settings that may change on a resume: they say which nodes are grown, not what a node is.
STOPPING = tuple(each.option.name for each in all_settings() if each.option.stops)
_FIXED = tuple(each.option.name for each in all_settings() if not each.option.stops)
_MOST_NAMED = 6  # settings that differ


class AnotherRunError(UsageError):
    """A new run would begin beside one of the same checkpoint, which nobody asked for; `why` says
    what would be new about it."""

    code = "another-run"

    def __init__(self, message: str, why: str) -> None:
        super().__init__(message)
        self.why = why


@dataclass(frozen=True)
class Choice:
    """The run to go on with; without one a new run begins, and `why` says what is new about it,
    where the store has others."""

    known: RunDocument | None = None
    why: str | None = None


async def choose_run(
    store: TreeStore,
    wanted: Settings,
    checkpoint: FileRef,
    places: DataPlaces,
    describe: Describe,
    tell: Callable[[str], object],
    *,
    given: Collection[str] = (),
    may_begin: bool,
) -> Choice:
    """The newest run that was begun with the same checkpoint, settings and images; where these were
    looked at, their place is kept in `places`. `tell` gets word of runs that cannot be read;
    settings that are not among the `given` ones are a network's own.

    Raises AnotherRunError where only other runs of that checkpoint are there, unless a new one
    `may_begin`; JobFailedError where the images that are wanted cannot be read.
    """
    runs = _readable(store, tell)
    if not runs:
        return Choice()
    same = [known for known in runs if _checkpoint_of(known) == checkpoint.sha256]
    if not same:
        others = ", ".join(dict.fromkeys(_named(known) for known in runs[:_MOST_NAMED]))
        return Choice(why=f"the store has none of {checkpoint.name} as it is now, but of {others}")

    def wanted_of(known: RunDocument) -> Settings:
        return with_network_defaults(wanted, given, known.structure, len(known.data.classes))

    grown_so = [known for known in same if not _differing(wanted_of(known), known.settings)]
    found = await _with_the_images(grown_so, wanted, places, describe, look=may_begin)
    if found is not None:
        return Choice(found)
    nearest = min(same, key=lambda known: len(_differences(wanted_of(known), known)))
    changes = _differences(wanted_of(nearest), nearest)
    if may_begin:
        return Choice(why=_instead(changes))
    raise AnotherRunError(
        _refusal(store, nearest, changes),
        f"beside run {nearest.run.name} of the same checkpoint: {_instead(changes)}",
    )


async def _with_the_images(
    runs: Sequence[RunDocument],
    wanted: Settings,
    places: DataPlaces,
    describe: Describe,
    *,
    look: bool,
) -> RunDocument | None:
    """The newest of these runs that has the images that are wanted: left out, any are right.

    The same place is believed to hold the same images (before it works, a session looks), unless
    that would leave a choice.
    """
    data = wanted.data
    if not runs or not (data.source or data.validation_file):
        return runs[0] if runs else None
    if len(runs) == 1 and _at(data, runs[0]) == _at(runs[0].settings.data, runs[0]) and not look:
        return runs[0]
    for known in runs:
        at = _at(data, known)
        found = await describe(at, known.data.digest, known.reading)
        places.found[found.digest] = at
        if found.digest == known.data.digest:
            return known
    return None


def _at(data: DataSettings, known: RunDocument) -> ImagesAt:
    """Where the images would lie; those of the run, where no place is named."""
    return ImagesAt(data.source or known.settings.data.source, data.validation_file)


def find_run(store: TreeStore, wanted: str | None = None) -> Run:
    """A run of a store by its number or uuid, or the newest of that name; without any the newest of
    all.

    Raises UsageError where there is none.
    """
    run = store.latest_run()
    if run is None:
        raise UsageError(f"{store.path.name} holds no run yet; `pe-explore auto MODEL` grows one")
    if wanted is None:
        return run
    runs = store.runs()
    for run in runs:
        if wanted == run.uuid:
            return run
    for run in reversed(runs):
        if wanted in (str(run.id), run.name):
            return run
    known = ", ".join(f"{run.id} ({run.name})" for run in runs[-10:])
    raise UsageError(f"{store.path.name} has no run {wanted!r}; it has {known}")


def run_meant(store: TreeStore, wanted: str | None) -> RunDocument:
    """The run that a store is opened on: the one that was named, else the newest. Raises
    UsageError where there is none."""
    return newest_run(store) if wanted is None else RunDocument.of(find_run(store, wanted))


def newest_run(store: TreeStore) -> RunDocument:
    """The run that a store is resumed with. Raises UsageError where it holds none."""
    run = store.latest_run()
    if run is None:
        raise UsageError(f"{store.path.name} holds no run yet; give a checkpoint to start one")
    return RunDocument.of(run)


def check_resumable(
    path: Path, overrides: Mapping[str, SettingValue], of_new_runs: Sequence[str] = ()
) -> None:
    """Raises UsageError where a store is resumed with settings that its run has fixed, or with
    options that only say how a run of a checkpoint begins: passed over, they would seem heeded."""
    fixed = [flag(name) for name in sorted(set(overrides) - {*STOPPING, *_of_places(overrides)})]
    if not fixed and not of_new_runs:
        return
    why = (
        f"{fixed[0]} is fixed for a run that exists"
        if fixed
        else (f"{of_new_runs[0]} is about a run of a checkpoint, and {path.name} is a store")
    )
    raise UsageError(
        f"{why}; leave it out to resume {path.name}, or give the checkpoint instead of the store, "
        "with --new-run, to begin another run"
    )


def _of_places(given: Mapping[str, SettingValue]) -> tuple[str, ...]:
    """The settings of these that only say where images lie."""
    file = validation_file(str(given.get("validation_from", FROM_DATA)))
    return ("data", "validation_from") if file else ("data",)


def check_has_own(known: RunDocument, validation: str | None) -> None:
    """Raises UsageError where a file is given for images that decide, and the run has none such."""
    if validation is not None and known.data.own_validation is None:
        raise UsageError(
            f"run {known.run.name} decides by {known.settings.data.validation_from}, not by a "
            "file: --validation-from is fixed for a run that exists. Leave it out, or give the "
            "checkpoint instead of the store, with --new-run, to begin another run"
        )


async def resumed(
    store: TreeStore, known: RunDocument, wanted: Settings, places: DataPlaces, describe: Describe
) -> RunDocument:
    """A run with the reasons to stop that are wanted now; all else stays as it began.

    Where that changes it, or a place was given for its images, these are looked for before anything
    is stored. Raises what `find` raises.
    """
    of_search = [each.attribute for each in all_settings() if each.option.stops]
    stopping = {name: getattr(wanted.search, name) for name in of_search}
    settings = replace(known.settings, search=replace(known.settings.search, **stopping))
    was_found = known.data.digest in places.found
    nothing_given = places.given is None and places.given_validation is None
    if settings == known.settings and nothing_given and not was_found:
        return known
    at = await find(known, places, describe)
    return with_settings(store, known, at.put_in(settings))


def with_settings(store: TreeStore, known: RunDocument, settings: Settings) -> RunDocument:
    """A run with settings that hold from now on; equal ones store nothing."""
    if settings == known.settings:
        return known
    written = settings_document(settings, known.origin)
    return RunDocument.of(store.extend_run_settings(known.run.id, written))


def _readable(store: TreeStore, tell: Callable[[str], object]) -> list[RunDocument]:
    """The store's runs, the newest first. One that cannot be read is told of, and is in nobody's
    way."""
    found = []
    for run in reversed(store.runs()):
        try:
            found.append(RunDocument.of(run))
        except UnreadableRowError as error:
            tell(f"run {run.id} is passed over: {error}")
    return found


# ------------------------------------------------------------ runs that are grown alike


def is_of_the_same_root(one: RunDocument, other: RunDocument) -> bool:
    """Whether two runs began with the same network and images."""
    return (
        one.run.architecture == other.run.architecture
        and one.data.digest == other.data.digest
        and one.reading == other.reading
        and one.origin.checkpoint == other.origin.checkpoint
        and one.origin.forked_from == other.origin.forked_from
    )


def grown_alike(
    runs: Sequence[RunDocument], root: RunDocument, settings: Settings
) -> RunDocument | None:
    """The newest run of the root of one that has these settings, but for when it stops."""
    same = [d for d in runs if is_of_the_same_root(d, root)]
    return next((d for d in reversed(same) if not _differing(settings, d.settings)), None)


# ------------------------------------------------------------ what differs, in words


@dataclass(frozen=True)
class _Difference:
    name: str
    wanted: SettingValue
    known: SettingValue


def _checkpoint_of(known: RunDocument) -> str | None:
    # A fork began with a node's weights, not with those of the checkpoint.
    origin = known.origin
    return origin.checkpoint.sha256 if origin.checkpoint and not origin.forked_from else None


def _named(known: RunDocument) -> str:
    checkpoint = known.origin.checkpoint
    return checkpoint.name if checkpoint else known.run.name


def _differing(wanted: Settings, known: Settings) -> list[_Difference]:
    """The settings, but for the images' place, by which nodes would be others."""
    pairs = [(name, value_of(wanted, name), value_of(known, name)) for name in _FIXED]
    if wanted.data.validation_file and known.data.validation_file:  # looked at: not by its name
        pairs = [pair for pair in pairs if pair[0] != "validation_from"]
    return [_Difference(*pair) for pair in pairs if pair[0] != "data" and pair[1] != pair[2]]


def _differences(wanted: Settings, known: RunDocument) -> list[_Difference]:
    """All of them. The images' place too, where the images are others, or may be: where other
    settings differ nobody has looked, and a place that is gone is no difference."""
    found = _differing(wanted, known.settings)
    source, theirs = wanted.data.source, known.settings.data.source
    if source and (not found or (source != theirs and _is_there(theirs))):
        found.append(_Difference("data", source, theirs))
    file, their_file = wanted.data.validation_file, known.settings.data.validation_file
    if file and their_file and (not found or (file != their_file and os.path.exists(their_file))):
        found.append(_Difference("validation_from", file, their_file))
    return found


def _is_there(source: str) -> bool:
    return not is_path(source) or os.path.exists(source)


def _instead(changes: Sequence[_Difference]) -> str:
    words = [_one_instead(each) for each in changes[:_MOST_NAMED]]
    more = len(changes) - len(words)
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")


def _one_instead(each: _Difference) -> str:
    if each.name in ("data", "validation_from") and each.wanted == each.known:
        what = "data" if each.name == "data" else "images"
        return f"{each.wanted} holds other {what} than before"
    wanted, known = ("none" if v is None else v for v in (each.wanted, each.known))
    return f"{_option(each.name, each.wanted)} {wanted} instead of {known}"


def _option(name: str, value: SettingValue) -> str:
    """By which option a value is given: the place of data may be a task."""
    return "--task" if name == "data" and is_task(str(value)) else flag(name)


def _refusal(store: TreeStore, nearest: RunDocument, changes: Sequence[_Difference]) -> str:
    restored = [each for each in changes if each.wanted != each.known and _can_be_said(each)]
    said = [
        f"{_option(each.name, each.known)} {shlex.quote(str(each.known))}"
        for each in restored
        if each.known is not None
    ]
    left = [f"without {_option(each.name, each.wanted)}" for each in restored if each.known is None]
    all_said = restored and len(restored) == len(changes)
    back = f"Say {' '.join([*said, *left])} to go on with it, or " if all_said else "Say "
    return (
        f"{store.path.name} has run {nearest.run.name} of this checkpoint, and with these options "
        f"a new one would begin: {_instead(changes)}. {back}--new-run to begin another"
    )


def _can_be_said(each: _Difference) -> bool:
    return each.name != "data" or _is_there(str(each.known))


def settings_with(known: RunDocument, overrides: Mapping[str, SettingValue]) -> Settings:
    """A run's settings with what is given on a resume; the images are looked for apart."""
    places = _of_places(overrides)
    given = {name: value for name, value in overrides.items() if name not in places}
    return with_values(known.settings, given)
