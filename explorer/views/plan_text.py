"""A plan in lines of words, for the command and the app."""

from __future__ import annotations

import math
from collections.abc import Mapping

from explorer.views.counting import counted
from explorer.views.plan import Interval, Prediction
from explorer.views.plan_view import DataPlanned, NetworkRecognised, SpeedTold

_PHASES: Mapping[str, str] = {
    "start": "start: engine, data, the root measured",
    "rank": "rank blocks and units",
    "recover": "recover the candidates",
    "compare": "measure and compare them",
    "tune": "tune the kept one",
    "measure": "measure it",
}
_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))


def phase_words(phase: str) -> str:
    """What a part of the work is called."""
    return _PHASES[phase]


def about(seconds: float) -> str:
    """A time in two digits, no more exact than predictions are: `8 s`, `12 min`, `2.5 h`."""
    if not math.isfinite(seconds):
        return "–"
    for size, unit in _UNITS:
        if seconds >= 1.5 * size:
            return f"{_two_digits(seconds / size)} {unit}"
    return "< 1 s" if seconds < 1 else f"{_two_digits(seconds)} s"


def _two_digits(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if value < 10 else f"{float(f'{value:.2g}'):,.0f}"


def rate_of(a_second: float) -> str:
    """How many a second, in figures that one reads: `2.84`, `187`, `18,700`."""
    return f"{a_second:.3g}" if a_second < 100 else f"{float(f'{a_second:.3g}'):,.0f}"


def interval_words(time: Interval) -> str:
    """`about 40 s (33 s to 48 s)`."""
    return f"about {about(time.seconds)} ({about(time.low)} to {about(time.high)})"


def network_line(network: NetworkRecognised) -> str:
    """The network in a line."""
    units = " and ".join(counted(count, kind) for kind, count in network.units.items() if count)
    accuracy = _accuracy(network)
    return (
        f"{network.factory}: {network.params:,.0f} parameters, {network.macs / 1e6:,.2f} M "
        f"multiply-accumulates{accuracy}; {network.removable_blocks} of "
        f"{counted(network.blocks, 'block')} and {units or 'no units'} may go ({network.how})"
    )


def _accuracy(network: NetworkRecognised) -> str:
    known = (("val acc", network.val_accuracy), ("test acc", network.test_accuracy))
    return "".join(f", {name} {value:.2f} %" for name, value in known if value is not None)


def data_line(data: DataPlanned) -> str:
    """The data in a line."""
    shape = "×".join(map(str, data.image_shape))
    held = "held in memory" if data.in_memory else "streamed, decoded when needed"
    parts = [
        f"{data.train:,} training, {data.validation:,} validation, {data.test:,} test",
        f"{data.classes:,} classes" if data.classes else "",
        f"{shape} each" if shape else "",
        held,
        f"scaled as {data.normalisation}" if data.normalisation else "",
    ]
    return f"{data.name or data.place}: " + ", ".join(part for part in parts if part)


def speed_line(speed: SpeedTold) -> str:
    """The speeds in a line."""
    beside = ""
    if speed.training_beside != speed.training:
        beside = f" (each of two at once: {speed.training_beside:,.0f})"
    ranked = "" if speed.ranking is None else f", {rate_of(speed.ranking)} ranked"
    threads = f", {counted(speed.threads, 'thread')}" if speed.device == "cpu" else ""
    return (
        f"measured here on {speed.device}{threads}, images a second: {speed.training:,.0f} "
        f"trained{beside}, {speed.evaluating:,.0f} evaluated{ranked}"
    )


def decision_line(prediction: Prediction) -> str:
    """One decision in a line."""
    if not prediction.decisions:
        return f"no decision is to come: {prediction.until}"
    grown = counted(prediction.candidates, "candidate")
    at_once = ", all at once" if prediction.at_once == prediction.candidates > 1 else ""
    return f"one decision ({grown}{at_once}): {interval_words(prediction.decision)}"


def tree_line(prediction: Prediction) -> str:
    """The tree in a line."""
    if not prediction.decisions:
        return ""
    removes = ""
    if prediction.step is not None:
        removes = f" (each removes about {100 * prediction.step:.1f} % of the root's operations)"
    return f"the whole tree{removes}: {interval_words(prediction.tree)}; it ends {prediction.until}"
