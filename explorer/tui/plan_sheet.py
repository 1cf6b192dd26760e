"""What the planner's sheet stands at: settings that are tried, and what they would take. Knows no
Textual."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from engine.contracts.networks import DataDescription
from engine.contracts.options import SettingValue
from engine.contracts.presets import PRESETS
from engine.contracts.settings import Settings
from explorer.session.offer import Offer
from explorer.session.speed import Speed, by_which_speed_differs
from explorer.tui.state import AppState
from explorer.views.network_structure import structure_of_root
from explorer.views.plan import Prediction, predict
from explorer.views.plan_view import (
    DataPlanned,
    NetworkRecognised,
    SpeedTold,
    data_planned,
    network_recognised,
    speed_told,
)
from explorer.views.setting_views import SettingView, setting_views, with_value
from explorer.views.time_so_far import Took

# What decides what can be opened, and is asked for where that is done.
FIXED = ("data", "transforms")
AS_ASKED = "as asked"


@dataclass
class PlanSheet:
    """The sheet of a run that may begin. `edits` are the settings that were changed in it, `fixed`
    those that cannot be; `unchanged` is the word for no preset."""

    offer: Offer
    preset: str | None = None
    edits: dict[str, SettingValue] = field(default_factory=dict)
    speed: Speed | None = None
    measured_with: Settings | None = None
    described: DataDescription | None = None
    described_with: Settings | None = None
    problem: str = ""  # why no speed could be measured
    fixed: Sequence[str] = FIXED
    unchanged: str = AS_ASKED

    @staticmethod
    def of(offer: Offer) -> PlanSheet:
        return PlanSheet(offer, offer.preset)

    # ------------------------------------------------------------ the settings

    @property
    def settings(self) -> Settings:
        """The settings as they are now."""
        settings = self.offer.with_preset(self.preset)
        for name, value in self.edits.items():
            settings = with_value(settings, name, value)
        return settings

    @property
    def presets(self) -> tuple[str, ...]:
        return (self.unchanged if self.offer.preset is None else "none", *PRESETS)

    @property
    def preset_word(self) -> str:
        """The preset that is chosen, by the word it is offered with."""
        return self.preset or self.presets[0]

    def choose_preset(self, word: str) -> None:
        """Another preset: what was changed by hand stays where that sets nothing."""
        self.preset = word if word in PRESETS else None
        values = PRESETS[word].values if word in PRESETS else {}
        self.edits = {name: v for name, v in self.edits.items() if name not in values}

    def change(self, name: str, value: SettingValue) -> None:
        """Another value of a setting. Raises SettingsError."""
        with_value(self.settings, name, value)
        self.edits[name] = value

    def reset(self, name: str) -> None:
        """The setting as it was before it was changed here."""
        self.edits.pop(name, None)

    @property
    def views(self) -> tuple[SettingView, ...]:
        given = {*self.offer.given, *self.edits}
        settings = self.settings
        return setting_views(settings, given=given, preset=self.preset, data=settings.data.source)

    # ------------------------------------------------------------ what they take

    @property
    def wants_measuring(self) -> bool:
        """Whether work goes at another speed than was measured."""
        if self.measured_with is None:
            return True
        measured, now = self.measured_with, self.settings
        return by_which_speed_differs(measured) != by_which_speed_differs(now)

    @property
    def wants_describing(self) -> bool:
        """Whether other images would be read than were looked at. Of images that are known, how
        many so many are is known too."""
        looked_at = (self.described_with or self.offer.new.settings).data
        wanted, limit = self.settings.data, self.settings.data.train_limit
        fewer = limit is not None and limit <= self._looked_at.num_train
        return looked_at != (
            replace(wanted, train_limit=looked_at.train_limit) if fewer else wanted
        )

    @property
    def network(self) -> NetworkRecognised:
        root = self.offer.new.root
        return network_recognised(
            root.architecture, root.structure, root.metrics, root.notes, root.doubts, self.settings
        )

    @property
    def data(self) -> DataPlanned:
        return data_planned(self._data, self.offer.new.place, self.settings.data.validation_from)

    @property
    def _data(self) -> DataDescription:
        known, limit = self._looked_at, self.settings.data.train_limit
        return known if limit is None else replace(known, num_train=min(limit, known.num_train))

    @property
    def _looked_at(self) -> DataDescription:
        return self.described or self.offer.new.root.data

    @property
    def speed_told(self) -> SpeedTold | None:
        if self.speed is None:
            return None
        return speed_told(self.speed, self.offer.new.root.environment)

    @property
    def prediction(self) -> Prediction | None:
        """What the settings take; None until speeds are measured."""
        if self.speed is None:
            return None
        macs = self.offer.new.root.metrics.get("macs", 0)
        return predict(self.settings, self._data, macs, self.speed, grows_all=True)


@dataclass(frozen=True)
class RunSheet:
    """The sheet of a run that is open: its settings, and what its jobs took."""

    name: str
    settings: Settings
    network: NetworkRecognised
    data: DataPlanned
    took: Sequence[Took]
    decided: int
    seconds_a_decision: float | None
    predicted: Prediction | None
    device: str
    threads: int
    command: str

    @property
    def views(self) -> tuple[SettingView, ...]:
        return setting_views(self.settings)


def run_sheet(state: AppState) -> RunSheet:
    """The sheet of the run that is open."""
    from explorer.session.planning import kept_depth
    from explorer.views.new_run_command import new_run_command
    from explorer.views.time_so_far import one_decision, times_so_far

    session = state.open_session
    document, root = session.document, session.node("R")
    took = times_so_far(session.store, session.run.id)
    environment = document.environment
    return RunSheet(
        session.run.name,
        document.settings,
        network_recognised(
            document.architecture,
            structure_of_root(document),
            root.metrics,
            document.origin.notes,
            document.origin.doubts,
            document.settings,
        ),
        data_planned(
            document.data,
            document.settings.data.source,
            document.settings.data.validation_from,
        ),
        took,
        kept_depth(session.store, root),
        one_decision(took, 2, environment.candidates_at_once),
        state.predicted,
        environment.device,
        environment.num_threads,
        new_run_command(document, session.store.path),
    )
