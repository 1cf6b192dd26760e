"""Which run of a store is meant: that of a checkpoint and its settings, or the newest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from engine.contracts.errors import UsageError
from engine.contracts.networks import FileRef
from engine.contracts.options import SettingValue, flag
from engine.contracts.settings import Settings, all_settings, value_of
from explorer.session.documents import RunDocument, UnreadableRowError, settings_document
from store import TreeStore

# Settings that may change on a resume: they say when to stop, not what a node is.
STOPPING = tuple(each.option.name for each in all_settings() if each.option.stops)


def newest_run(store: TreeStore) -> RunDocument:
    """The run that a store is resumed with. Raises UsageError where it holds none."""
    run = store.latest_run()
    if run is None:
        raise UsageError(f"{store.path.name} holds no run yet; give a checkpoint to start one")
    return RunDocument.of(run)


def check_resumable(path: Path, overrides: Mapping[str, SettingValue]) -> None:
    """Raises UsageError where a store is resumed with settings that its run has fixed."""
    fixed = sorted(set(overrides) - set(STOPPING))
    if fixed:
        raise UsageError(
            f"{flag(fixed[0])} is fixed for a run that exists; leave it out to resume "
            f"{path.name}, or give the checkpoint instead of the store to start another run"
        )


def resumed(store: TreeStore, known: RunDocument, wanted: Settings) -> RunDocument:
    """A run with the reasons to stop that are wanted now; all else stays as it began."""
    stopping = {name: getattr(wanted.search, name) for name in STOPPING}
    settings = replace(known.settings, search=replace(known.settings.search, **stopping))
    if settings == known.settings:
        return known
    written = settings_document(settings, known.origin)
    return RunDocument.of(store.extend_run_settings(known.run.id, written))


def known_run(
    store: TreeStore, settings: Settings, checkpoint: FileRef, tell: Callable[[str], object]
) -> RunDocument | None:
    """The newest run that was begun with the same checkpoint and settings. A run that cannot be
    read is told of, and is in nobody's way."""
    for run in reversed(store.runs()):
        try:
            known = RunDocument.of(run)
        except UnreadableRowError as error:
            tell(f"run {run.id} is passed over: {error}")
            continue
        found = known.origin.checkpoint
        same_file = found is not None and found.sha256 == checkpoint.sha256
        if same_file and _grows_the_same(settings, known.settings):
            return known
    return None


def _grows_the_same(wanted: Settings, known: Settings) -> bool:
    """Whether nodes would be the same; data that are left out are those that the run has."""
    names = [each.option.name for each in all_settings() if not each.option.stops]
    if not wanted.data.source:
        names.remove("data")
    return all(value_of(wanted, name) == value_of(known, name) for name in names)
