"""Another run of the store that is open: one of those that it has, or a new one of the same root.

The root of a new one is there with its weights and figures, so nothing is opened or measured again:
it begins with what a run of the same checkpoint with these settings would begin with. So the images
and how they are read stay as they are; other ones are another root.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine.contracts.errors import UsageError
from engine.contracts.jobs import Opened
from engine.contracts.networks import FileRef, SnapshotRef
from engine.contracts.presets import values_of_preset
from engine.contracts.references import is_task
from engine.contracts.settings import Settings, all_settings, with_values
from explorer.session.artifacts import Artifacts
from explorer.session.data_places import DataPlaces
from explorer.session.documents import RunDocument, newest_phase, settings_document
from explorer.session.events import Emit
from explorer.session.known_run import grown_alike, is_of_the_same_root
from explorer.session.network_defaults import with_network_defaults
from explorer.session.new_run import NewRun
from explorer.session.offer import Offer
from explorer.session.session import Session

# What decides which images the root was measured on.
FIXED = tuple(each.option.name for each in all_settings() if each.section == "data")


class SameRunError(UsageError):
    """A run that would grow as one that there is."""

    code = "same-run"


def check_another(session: Session, settings: Settings) -> None:
    """Raises SameRunError where a run of this root has these settings."""
    known = grown_alike(_readable(session), session.document, settings)
    if known is not None:
        raise SameRunError(
            f"run {known.run.name} is grown with these settings already; change one, such as the "
            "seed, or open that run"
        )


def begin_another(session: Session, settings: Settings, named: str | None = None) -> RunDocument:
    """The new run, stored; without a name it is called after the old one. Raises SameRunError,
    StoreError."""
    old, store = session.document, session.store
    settings = replace(settings, data=old.settings.data)
    check_another(session, settings)
    root, name = session.node("R"), old.run.name
    return RunDocument.of(
        store.create_run(
            name=named or f"{name.rpartition('-')[0] or name}-{len(store.runs()) + 1}",
            seed=settings.seed,
            architecture=old.run.architecture,
            data=old.run.data,
            settings=settings_document(settings, old.origin),
            environment=old.run.environment,
            root_metrics=root.metrics,
            root_snapshot=store.snapshot(store.snapshot_hash(root.id, newest_phase(root))),
        )
    )


async def offer_another(session: Session) -> Offer:
    """Another run of an open one's root, for who says with which settings it begins: at first the
    same ones. Raises what looking for the run's data raises."""
    document, root = session.document, session.node("R")
    place = (await session.jobs.places()).data
    settings = document.settings
    settings = replace(settings, data=replace(settings.data, source=place))
    snapshot = SnapshotRef(session.store.snapshot_hash(root.id, newest_phase(root)))
    session.artifacts.path(snapshot)  # to be measured
    opened = Opened(
        document.architecture, snapshot, document.data, None, document.environment,
        document.origin.notes, root.metrics, doubts=document.origin.doubts,
        structure=document.structure,
    )  # fmt: skip

    def with_preset(preset: str | None) -> Settings:
        if preset is None:
            return settings
        values = values_of_preset(preset, place, is_task=is_task(place))
        fresh = with_values(replace(Settings(), seed=settings.seed), values)
        num_classes = len(document.data.classes)
        fresh = with_network_defaults(fresh, (), document.structure, num_classes)
        return replace(fresh, data=settings.data)

    checkpoint = document.origin.checkpoint or FileRef(document.run.name, "")
    new = NewRun(checkpoint, document.origin.trusted_pickle, settings, opened)
    everything = {each.option.name: None for each in all_settings()}  # as the open run has it
    return Offer(checkpoint.name, new, None, everything, with_preset, session.executor)


def on_another_run(session: Session, document: RunDocument, emit: Emit) -> Session:
    """The same store, executor and right to write, on another of its runs. What was said of the
    place of one run's images is not said of another's."""
    old = session.artifacts
    places = DataPlaces(folders=old.data.folders, found=old.data.found)
    artifacts = Artifacts(session.store, old.spool, places, old.factories)
    other = Session(session.store, document, session.executor, artifacts, emit)
    if not session.store.read_only:
        other.jobs.sweep()
    return other


def next_seed(session: Session) -> int:
    """A seed that no run of this root has yet."""
    alike = [d for d in _readable(session) if is_of_the_same_root(d, session.document)]
    return max(document.run.seed for document in alike) + 1


def _readable(session: Session) -> Sequence[RunDocument]:
    return [RunDocument.of(run) for run in session.store.runs()]
