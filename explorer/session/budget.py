"""Until when the policy decides alone: of several limits, the one that is reached first ends it.

The time is a wall clock's, in seconds since 1970: "until six" means six, whoever works until then
and however often the work changed hands, stood still, or was killed. At that time the last decision
has been made; work that has begun is still finished and stored.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass, replace

from engine.contracts.errors import UsageError
from explorer.session.policy import Margin

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_SPAN = re.compile(r"(\d{1,6}(?:[.,]\d{1,6})?) ?(h|hours?|m|min|minutes?|)")
MOST_DECISIONS, MOST_HOURS = 100_000, 24.0 * 366
_LATEST = 1e11  # seconds since 1970; later times are no times
_SOON, _DAYS = 20 * 3600, 6 * 86400  # seconds within which a time, a day of the week, is enough


@dataclass(frozen=True)
class Budget:
    """The limits; None: no such limit. `target_macs` is in percent that are gone of the root's,
    `max_drop` in points of validation accuracy below the root's."""

    decisions: int | None = None
    until: float | None = None
    target_macs: float | None = None
    max_drop: float | None = None
    stop_at_close_calls: bool = False

    def __post_init__(self) -> None:
        checks = (
            (self.decisions, 0, MOST_DECISIONS, "decisions"),
            (self.until, 0, _LATEST, "until"),
            (self.target_macs, 0, 100, "target MACs"),
            (self.max_drop, 0, 100, "max drop"),
        )
        for value, low, high, name in checks:
            if value is not None and not low <= value <= high:  # NaN is not, either
                raise UsageError(f"{name} {value!r} is not a number from {low:,} to {high:,}")

    @property
    def is_bounded(self) -> bool:
        """Whether anything but an end of what can be removed ends it."""
        limits = (self.decisions, self.until, self.target_macs, self.max_drop)
        return self.stop_at_close_calls or any(limit is not None for limit in limits)

    def after_one(self) -> Budget:
        """What is left after one more decision."""
        if self.decisions is None:
            return self
        return replace(self, decisions=max(self.decisions - 1, 0))

    # ------------------------------------------------------------ why it ends

    def spent(self, now: float) -> str | None:
        """Why no further decision may be made, None while one may."""
        if self.decisions == 0:
            return "all decisions that were left to the policy are made"
        if self.until is not None and now >= self.until:
            return f"{clock(self.until, now)} has come"
        return None

    def leaves(self, margin: Margin | None) -> str | None:
        """Why a decision by this margin is left to a person, None where it is not."""
        if not self.stop_at_close_calls or margin is None or not margin.too_close:
            return None
        interval = ""
        if margin.low is not None and margin.high is not None:
            interval = f" [{margin.low:+.4f}, {margin.high:+.4f}]"
        return f"too close to call, margin {margin.value:+.4f}{interval}: left for you"

    def reached(self, macs_gone: float | None, drop: float | None) -> str | None:
        """Why a branch whose newest node has these figures is over, None while it is not."""
        if self.max_drop is not None and drop is not None and drop > self.max_drop:
            return f"max-drop: validation accuracy is {drop:.2f} points below the root's"
        if self.target_macs is not None and macs_gone is not None and macs_gone >= self.target_macs:
            return f"target-macs: {macs_gone:.2f} % of the multiply-accumulates are gone"
        return None

    # ------------------------------------------------------------ in words

    def words(self, now: float | None = None, where: str = "") -> str:
        """`4 decisions everywhere, until 06:00, until 40 % of the MACs are gone`."""
        now = time.time() if now is None else now
        count = self.decisions
        found = [
            f"{_decisions(count)} {where}".strip(),
            "" if self.until is None else f"until {clock(self.until, now)}",
            ""
            if self.target_macs is None
            else f"until {self.target_macs:g} % of the MACs are gone",
            "" if self.max_drop is None else f"at most {self.max_drop:g} points of accuracy lost",
            "stopping at close calls" if self.stop_at_close_calls else "",
        ]
        if not self.is_bounded:
            found.append("until nothing more may be removed")
        return ", ".join(filter(None, found))

    def brief(self, now: float | None = None) -> str:
        """What there is room for in a title: `4 until 06:00`."""
        now = time.time() if now is None else now
        found = [
            "" if self.decisions is None else f"{self.decisions:,}",
            "" if self.until is None else f"until {clock(self.until, now)}",
            "" if self.target_macs is None else f"to −{self.target_macs:g}% MACs",
        ]
        return " ".join(filter(None, found)) or "on"


def _decisions(count: int | None) -> str:
    return "" if count is None else "1 decision" if count == 1 else f"{count:,} decisions"


def deadline(hours: float | None, now: float | None = None) -> float | None:
    """The moment so many hours from now; None for none. Raises UsageError."""
    if hours is None:
        return None
    if not (math.isfinite(hours) and 0 < hours <= MOST_HOURS):
        raise UsageError(f"{hours:g} hours are not more than 0 and at most {MOST_HOURS:,.0f}")
    return (time.time() if now is None else now) + 3600 * hours


def moment_in(text: str, now: float) -> float | None:
    """The moment that a person means by `06:00` (the next one), `8 h`, `90 min` or `8` (hours);
    None for nothing. Raises UsageError."""
    said = text.strip().lower()
    if not said:
        return None
    if found := _CLOCK.fullmatch(said):
        hour, minute = int(found[1]), int(found[2])
        if hour < 24 and minute < 60:
            today = time.localtime(now)
            at = (*today[:3], hour, minute, 0, *today[6:8], -1)  # summer time as it is then
            moment = time.mktime(at)
            if moment <= now:
                moment = time.mktime((*at[:2], at[2] + 1, *at[3:]))
            return moment
    elif found := _SPAN.fullmatch(said):
        number = float(found[1].replace(",", "."))
        return deadline(number / 60 if found[2].startswith("m") else number, now)
    raise UsageError(f"{text.strip()!r} is no time such as 06:00, 8 h or 90 min")


def clock(moment: float, now: float) -> str:
    """A moment as a person names it: `06:00`, `Sun 06:00`, `02 Dec 06:00`."""
    away = abs(moment - now)
    form = "%H:%M" if away < _SOON else "%a %H:%M" if away < _DAYS else "%d %b %H:%M"
    return time.strftime(form, time.localtime(moment))
