"""A run that may begin, for whoever says with which settings it does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import cast

from engine.contracts.errors import UserError
from engine.contracts.jobs import DataDescribed, DescribeData
from engine.contracts.networks import DataDescription
from engine.contracts.options import SettingValue
from engine.contracts.settings import Settings
from explorer.executors.base import Executor
from explorer.session.data_places import at_full_paths
from explorer.session.events import Emit
from explorer.session.network_defaults import with_network_defaults
from explorer.session.new_run import NewRun
from explorer.session.root_job import run_for_root
from explorer.session.speed import Speed, measure_speed


class NotBegunError(UserError):
    """A run that somebody looked at, and did not begin; nothing of it was stored."""

    code = "not-begun"


@dataclass(frozen=True, eq=False)
class Offer:
    """A new run, its root looked at. `preset` is what was named, `given` are the settings that
    were; `with_preset` says what the settings would be by another one. `seconds` is how long
    looking took."""

    model: str
    new: NewRun
    preset: str | None
    given: Mapping[str, SettingValue]
    settings_with: Callable[[str | None], Settings]
    executor: Executor
    seconds: float = 0.0

    def with_preset(self, preset: str | None) -> Settings:
        """The settings by a preset, None for none, below what was given."""
        root = self.new.root
        return with_network_defaults(
            self.settings_with(preset), self.given, root.structure, len(root.data.classes)
        )

    async def measure(
        self, settings: Settings, emit: Emit, tell: Callable[[Speed], object]
    ) -> Speed:
        """How quickly its work would go here with these settings. Raises JobFailedError."""
        return await measure_speed(self.new.subject, settings, self.executor, emit, tell)

    async def describe(self, settings: Settings, emit: Emit) -> DataDescription:
        """The data as these settings would have them read. Raises JobFailedError."""
        subject = self.new.subject
        reading = replace(settings.data.reading, transforms=subject.places.transforms)
        job = DescribeData("", reading)
        deciding = at_full_paths(settings).data.validation_file
        places = replace(subject.places, validation=deciding)
        found = await run_for_root(job, places, self.executor, emit)
        return cast(DataDescribed, found).data


Plan = Callable[[Offer], Awaitable[Settings]]  # raises NotBegunError where nobody begins


async def as_asked(offer: Offer) -> Settings:
    """Begins with what was asked for."""
    return offer.new.settings
