"""Numbers at an axis."""

from __future__ import annotations

import math

_HUGE = 1e300  # so that a range never overflows


def number_text(value: float) -> str:
    """A number in at most seven cells."""
    if value == int(value) and abs(value) < 100_000:
        return str(int(value))
    for digits in (".3g", ".2g", ".1g"):
        text = f"{value:{digits}}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
        if len(text) <= 7:
            return text
    return text[:7]


def nice_ticks(low: float, high: float, most: int) -> list[float]:
    """About `most` round values (1, 2 or 5 times a power of ten apart) in a range."""
    least = (high - low) / most
    power = 10.0 ** math.floor(math.log10(least))
    step = next(f * power for f in (1, 2, 5, 10) if f * power >= least * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def widened(low: float, high: float) -> tuple[float, float]:
    """A range of some width around equal values, and one that can be subtracted."""
    low, high = (min(max(limit, -_HUGE), _HUGE) for limit in (low, high))
    middle = (low + high) / 2
    if high - low > 1e-12 * max(abs(low), abs(high)) and high - low > 1e-300:
        return low, high
    room = max(abs(middle) * 0.05, 0.5)
    return middle - room, middle + room
