"""The runs of a study in its store: one a way and seed, known by its root and settings.

A run is found again by what it is grown with, never by its name: so the same command goes on where
it was stopped, and a run that was there before is used too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from engine.contracts.options import SettingValue
from engine.contracts.setting_sections import TrainingSettings
from engine.contracts.settings import Settings, all_settings, value_of
from engine.contracts.structure import NetworkStructure
from explorer.session.documents import RunDocument
from explorer.session.known_run import grown_alike
from explorer.session.network_defaults import with_network_defaults
from explorer.session.open_run import Request, settings_of
from explorer.session.study import control
from explorer.session.study.ways import Study, StudyError, Way, check_study
from store import TreeStore


@dataclass(frozen=True)
class Cell:
    """One run of a study."""

    way: Way
    seed: int

    @property
    def name(self) -> str:
        return f"{self.way.name}-s{self.seed}"


@dataclass(frozen=True)
class Control:
    """The unpruned root, trained as some of the ways train; its figures are kept with the runs of
    the first of these."""

    name: str
    training: TrainingSettings
    way: Way


def given_to(request: Request, study: Study, cell: Cell) -> dict[str, SettingValue]:
    """The settings of a run that were chosen: by the study, the person, and the way."""
    return {
        **study.settings, **request.overrides, **cell.way.settings, "seed": cell.seed
    }  # fmt: skip


def request_of(request: Request, study: Study, cell: Cell) -> Request:
    """What opens a cell's run, or begins it where its store has none."""
    given = given_to(request, study, cell)
    return replace(request, overrides=given, new_run=True, name=cell.name)


def cells_of(study: Study, seeds: Sequence[int]) -> list[Cell]:
    """The runs in the order in which they are grown: every way with a seed, then the next seed."""
    return [Cell(way, seed) for seed in seeds for way in study.ways]


def check_request(request: Request, study: Study) -> None:
    """Raises StudyError or SettingsError where the request's options do not fit a study."""
    if "seed" in request.overrides:
        raise StudyError("a study has seeds of its own; say --seeds, and leave --seed out")
    check_study(replace(study, settings={**study.settings, **request.overrides}))


class StudyRuns:
    """A study's runs of a root, as its store has them. `root` is a run that has that root."""

    def __init__(
        self, store: TreeStore, root: RunDocument, request: Request, study: Study,
        seeds: Sequence[int],
    ) -> None:  # fmt: skip
        self.store = store
        self.root = root
        self.request = request
        self.study = study
        self.seeds = tuple(seeds)
        self.cells = cells_of(study, seeds)

    def settings(self, cell: Cell) -> Settings:
        """What a cell's run is grown with. Raises SettingsError."""
        root = self.root
        settings = settings_of_cell(
            self.request, self.study, cell, root.structure, len(root.data.classes)
        )
        return replace(settings, data=root.settings.data)

    def document(self, cell: Cell) -> RunDocument | None:
        """A cell's run, None where it has not begun."""
        runs = [RunDocument.of(run) for run in self.store.runs()]
        return grown_alike(runs, self.root, self.settings(cell))

    def decided(self, cell: Cell) -> int:
        """How many decisions of a cell's run are made, the kept nodes tuned."""
        document = self.document(cell)
        if document is None:
            return 0
        tip = self.store.node_by_id(self.store.tip(document.run.id))
        return tip.depth if tip.depth == 0 or "tuned" in tip.phases else tip.depth - 1

    def is_finished(self, cell: Cell) -> bool:
        """Whether as many decisions are made as there are to be, along the kept path."""
        return self.decided(cell) >= self.settings(cell).search.iterations

    def trained(self, each: Control, seed: int) -> dict[int, control.Trained]:
        """A control's figures by steps, as far as it was trained with a seed."""
        document = self.document(Cell(each.way, seed))
        if document is None:
            return {}
        root = self.store.node(document.run.id, "R")
        return control.trained(self.store, root, each.training, seed)

    def is_trained(self, each: Control, seed: int) -> bool:
        """Whether a control has had as many steps as the ways make decisions."""
        return self.settings(Cell(each.way, seed)).search.iterations in self.trained(each, seed)

    @property
    def controls(self) -> list[Control]:
        """The root, trained in each of the ways in which networks are trained here."""
        settings = [self.settings(Cell(way, self.seeds[0])) for way in self.study.ways]
        return controls_of(self.study.ways, settings)


def settings_of_cell(
    request: Request, study: Study, cell: Cell, structure: NetworkStructure | None,
    num_classes: int,
) -> Settings:  # fmt: skip
    """What a cell's run is grown with, of a root with that structure. Raises SettingsError."""
    given = given_to(request, study, cell)
    settings = settings_of(replace(request, overrides=given))
    return with_network_defaults(settings, given, structure, num_classes)


def controls_of(ways: Sequence[Way], settings: Sequence[Settings]) -> list[Control]:
    """The controls of ways with these settings, each training once."""
    found: dict[TrainingSettings, Control] = {}
    for way, each in zip(ways, settings, strict=True):
        how = control.training_of(each.training)
        if how not in found:
            first = next(iter(found), how)
            apart = _apart(Settings(training=how), Settings(training=first))
            name = "root, trained on" + (f" ({apart})" if apart else "")
            found[how] = Control(name, each.training, way)
    return list(found.values())


def _apart(ours: Settings, theirs: Settings) -> str:
    names = [each.option.name for each in all_settings()]
    pairs = {name: value_of(ours, name) for name in names}
    changed: Mapping[str, SettingValue] = {
        name: value for name, value in pairs.items() if value != value_of(theirs, name)
    }
    return ", ".join(f"{name.replace('_', '-')} {value}" for name, value in changed.items())
