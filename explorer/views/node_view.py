"""A node as commands print it and as panes show it: the NODE of every `--json`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.contracts.codec import encode
from engine.contracts.edits import Edit
from engine.contracts.json_values import JsonObject, JsonValue
from engine.contracts.metrics import measure
from engine.contracts.settings import Settings
from explorer.session.policy import Margin
from explorer.views.doubts import DoubtView
from explorer.views.shape_fields import ShapeField, absent, without_absent

# The measures that a NODE prints, in this order, and those of them that are counts.
PRINTED = (
    "similarity", "similarity_second", "val_accuracy", "val_accuracy_before", "test_accuracy",
    "macs", "params", "macs_reduction", "latency_ms", "latency_ratio", "latency_ratio_low",
    "latency_ratio_high",
)  # fmt: skip
COUNTS = ("macs", "params")


def printed(key: str, value: float) -> float:
    """A measure as JSON has it: whole where it counts something."""
    return int(value) if key in COUNTS and math.isfinite(value) else value


@dataclass(frozen=True)
class DecisionView:
    """What was decided of a node's candidates. The margin is layer minus filter."""

    kept: tuple[str, ...]
    reason: str
    margin: Margin | None = None

    def as_json(self) -> dict[str, JsonValue]:
        """What a NODE says of it, beside its own fields."""
        return {"decision": self.kept, "reason": self.reason, **_margin_json(self.margin)}


def _margin_json(margin: Margin | None) -> dict[str, JsonValue]:
    return {
        "margin": margin.value if margin else None,
        "margin_low": margin.low if margin else None,
        "margin_high": margin.high if margin else None,
        "too_close": margin.too_close if margin else None,
    }


@dataclass(frozen=True)
class NodeView:
    """One node. `metrics` holds its measures by key, `macs_reduction` (percent of the root's)
    among them; `kept` is None while undecided; `removes` says what its edit took; `open_margin`
    is that of its candidates while nothing is decided of them."""

    name: str
    parent: str | None
    structure: str
    state: str
    kept: bool | None = None
    decided_by: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    removes: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None
    dropped: bool = False
    freed: bool = False  # its weights are gone
    seconds: float = 0.0
    error: str | None = None
    decision: DecisionView | None = None
    open_margin: Margin | None = None
    similarity_by: str = "cka"  # the measure that its run compares by

    def measure(self, key: str) -> float | None:
        """A measure by its key, whole where it counts something; None where it was not taken."""
        if key == "seconds":
            return self.seconds
        value = self.metrics.get(key)
        return None if value is None else printed(key, value)

    @property
    def similarity(self) -> float | None:
        return self.metrics.get("similarity")

    @property
    def val_accuracy(self) -> float | None:
        return self.metrics.get("val_accuracy")

    @property
    def test_accuracy(self) -> float | None:
        return self.metrics.get("test_accuracy")

    @property
    def macs_reduction(self) -> float | None:
        return self.metrics.get("macs_reduction")

    @property
    def margin(self) -> Margin | None:
        """That of its candidates: as it was decided on, or as it stands."""
        return self.open_margin if self.decision is None else self.decision.margin

    @property
    def last_name(self) -> str:
        """Its name below its parent: `F2` of `R.L.F2`."""
        return self.name.rpartition(".")[2]

    def as_json(self) -> dict[str, JsonValue]:
        """The NODE that `--json` prints: flat, absent measures null."""
        value: dict[str, JsonValue] = {
            "name": self.name,
            "parent": self.parent,
            "structure": self.structure,
            "state": self.state,
            "kept": self.kept,
            "decided_by": self.decided_by,
            **{key: self.measure(key) for key in PRINTED},
            "removes": self.removes,
            "tags": self.tags,
            "note": self.note,
            "dropped": self.dropped,
            "freed": self.freed,
            "seconds": self.seconds,
        }
        if self.error:
            value["error"] = self.error
        if self.decision is not None:
            value |= self.decision.as_json()
        elif self.open_margin is not None:
            value |= _margin_json(self.open_margin)
        return value

    @staticmethod
    def json_fields() -> list[ShapeField]:
        """The keys of a NODE, for docs/json.md."""
        return [*_STANDING_FIELDS, *map(_measure_field, PRINTED), *_FURTHER_FIELDS]


def _measure_field(key: str) -> ShapeField:
    known = measure(key)
    unit = {"%": ", percent", "ms": ", milliseconds"}.get(known.unit, "")
    return ShapeField(key, int | None if key in COUNTS else float | None, f"{known.name}{unit}")


_STANDING_FIELDS = (
    ShapeField("name", str, "its way from the root, such as `R.L.F2`"),
    ShapeField("parent", str | None, "the parent's name; null for the root"),
    ShapeField("structure", str, "what was removed: `root`, `layer`, `filter`"),
    ShapeField("state", str, "`queued`, `running`, `ready`, `failed` or `cancelled`"),
    ShapeField("kept", bool | None, "the newest decision's word; null while undecided"),
    ShapeField("decided_by", str | None, "who decided: a policy, or `user`"),
)
_FURTHER_FIELDS = (
    ShapeField("removes", str | None, "what was removed, in words"),
    ShapeField("tags", tuple[str, ...], "its tags, in the order they came"),
    ShapeField("note", str | None, "its note"),
    ShapeField("dropped", bool, "whether it was dropped"),
    ShapeField("freed", bool, "whether its weights were freed"),
    ShapeField("seconds", float, "how long the work on it took"),
    ShapeField("error", str, "why it failed", True),
    ShapeField("decision", tuple[str, ...], "the candidates that are kept of it", True),
    ShapeField("reason", str, "why they are kept", True),
    ShapeField("margin", float | None, "similarity of the layer candidate less the filter's", True),
    ShapeField("margin_low", float | None, "lower end of the margin's 95 % interval", True),
    ShapeField("margin_high", float | None, "its upper end", True),
    ShapeField("too_close", bool | None, "whether the decision turns within the interval", True),
)


@dataclass(frozen=True)
class EditPrinted:
    """What one step removed from the parent's network."""

    blocks: tuple[str, ...] | None = absent(
        "the paths of the blocks, of a layer edit or of one that removes units of others too"
    )
    filters: Mapping[str, tuple[int, ...]] | None = absent(
        "of a filter edit: by the path of a convolution, the indices of its filters"
    )
    structure: str = field(default="", metadata={"about": "`layer` or `filter`"})

    @staticmethod
    def of(edit: Edit) -> EditPrinted:
        """An edit as it is printed."""
        if edit.structure == "layer":
            return EditPrinted(edit.blocks, None, edit.structure)
        return EditPrinted(edit.blocks or None, dict(edit.units), edit.structure)

    def as_json(self) -> dict[str, JsonValue]:
        return without_absent(self)


@dataclass(frozen=True)
class EpochView:
    """An epoch of a node's training, as it was stored.

    `epoch` counts from 0; figures are None where they were not taken.
    """

    phase: str
    stored: JsonObject
    epoch: int | None = None
    loss: float | None = None
    accuracy: float | None = None
    images_per_second: float | None = None

    def as_json(self) -> dict[str, JsonValue]:
        """The stored values, with their phase first."""
        return {"phase": self.phase, **self.stored}

    @staticmethod
    def json_fields() -> list[ShapeField]:
        """The keys of an epoch, for docs/json.md."""
        return [
            ShapeField("phase", str, "`recovered` or `tuned`"),
            ShapeField("accuracy", float, "training accuracy, percent"),
            ShapeField("epoch", int, "counted from 0 in its phase"),
            ShapeField("images_per_second", float, "how fast it was"),
            ShapeField("learning_rate", float, "at its end"),
            ShapeField("loss", float, "mean training loss"),
        ]


@dataclass(frozen=True)
class NodeDetails:
    """All that is known of one node."""

    node: NodeView
    edit: Edit | None = None
    epochs: tuple[EpochView, ...] = ()
    snapshots: Mapping[str, str] = field(default_factory=dict)  # SHA-256 by phase
    created_at: str = ""
    doubts: tuple[DoubtView, ...] = ()  # about the run's root
    row: str = "image"  # what rates are of
    settings: Settings | None = None  # its run's, where they were asked for
    deciding: str = ""  # which images decide, in words, where they are not the data's own

    def as_json(self) -> dict[str, JsonValue]:
        """The NODE, and below it what else is known."""
        return {
            **self.node.as_json(),
            "edit": None if self.edit is None else EditPrinted.of(self.edit).as_json(),
            "epochs": [epoch.as_json() for epoch in self.epochs],
            "snapshots": dict(self.snapshots),
            "created_at": self.created_at,
            "doubts": [encode(doubt) for doubt in self.doubts],
            "settings": encode(self.settings),
            "deciding": self.deciding,
        }

    @staticmethod
    def json_fields() -> list[ShapeField]:
        """The keys of a NODE and what `show` prints beside them, for docs/json.md."""
        return [
            *NodeView.json_fields(),
            ShapeField("edit", EditPrinted | None, "what was removed; null for the root"),
            ShapeField("epochs", tuple[EpochView, ...], "every epoch of its training"),
            ShapeField("snapshots", Mapping[str, str], "SHA-256 of its weights, by phase"),
            ShapeField("created_at", str, "when it was proposed, UTC"),
            ShapeField("doubts", tuple[DoubtView, ...], "what speaks against its run's figures"),
            ShapeField(
                "settings",
                Mapping[str, object],
                "its run's settings, in the sections of settings.md",
            ),
            ShapeField(
                "deciding",
                str,
                "which images decide, in words; empty where they are the data's own",
            ),
        ]
