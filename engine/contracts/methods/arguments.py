"""What stands behind the colon of a method: `lora:8`, `el2n:0.3`."""

from __future__ import annotations

import math

from engine.contracts.errors import SettingsError
from engine.contracts.methods.method import name_in

LORA = "lora"
RANK = 4  # of `lora` alone
MOST_RANK = 10_000
SUBSETS = ("random", "el2n")
SHARE = 0.5  # of `random` and `el2n` alone


def argument_in(value: str) -> str:
    """The argument in `lora:8`; empty where there is none."""
    return value.partition(":")[2]


def check_recovery(value: str) -> None:
    """Raises SettingsError for a recovery whose argument it does not take."""
    if name_in(value) == LORA:
        rank_in(value)
    elif ":" in value:
        name = name_in(value)
        raise SettingsError(
            f"--recover {value!r}: {name} takes nothing behind a colon; give {name} alone"
        )


def rank_in(value: str) -> int:
    """The rank in `lora:8`. Raises SettingsError."""
    text = argument_in(value)
    if ":" not in value:
        return RANK
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MOST_RANK:
        raise SettingsError(
            f"--recover {value!r}: the rank is {text!r}; it must be a whole number between 1 and "
            f"{MOST_RANK:,}, such as {LORA}:8"
        )
    return int(text)


def share_in(value: str | None) -> float:
    """The share of the training items in `el2n:0.3`; 1 for None. Raises SettingsError."""
    if value is None:
        return 1.0
    if ":" not in value:
        return SHARE
    text = argument_in(value)
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise SettingsError(
            f"--train-subset {value!r}: the share is {text!r}; it must be above 0 and at most 1, "
            f"such as {name_in(value)}:0.3"
        )
    return share
