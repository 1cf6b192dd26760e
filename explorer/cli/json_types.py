"""What each command prints with `--json`: one frozen dataclass a shape.

docs/json.md is made from them (`explorer.cli.json_page`), and what is printed is one of them
encoded, so that page, types and output say the same.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import typer

from engine.contracts.codec import encode
from engine.contracts.json_values import JsonObject, JsonValue
from explorer.views.doubts import DoubtView
from explorer.views.node_diff import Decided
from explorer.views.node_view import NodeView
from explorer.views.published.result import PublishedResult
from explorer.views.run_diff import Difference
from explorer.views.shape_fields import absent, told, without_absent


def print_json(value: object, *, one_line: bool = False) -> None:
    """Prints a shape as one JSON object."""
    text = json.dumps(_finite(encode(value)), indent=None if one_line else 2, allow_nan=False)
    typer.echo(text.replace("\x7f", "\\u007f"))  # all else that is harmful is escaped already


def _finite(value: JsonValue) -> JsonValue:
    """The same with null for numbers that JSON has no form for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(item) for item in value]
    return value


# ------------------------------------------------------------ trees

_DOUBTS = "what speaks against its figures, seen when its root was opened"


@dataclass(frozen=True)
class TreeSummary:
    """A run and its nodes, after `auto`, `branch`, `candidate`, `decide`, `undo` or `redo`."""

    store: str = told("the store's path")
    run: str = told("the run's name")
    is_new: bool = told("whether this command began the run")
    why_new: str | None = told("what is new about it, in a store that has others")
    path: tuple[str, ...] = told("the structures along the kept path, from the root down")
    settings: JsonObject = told("the run's settings, in the sections of settings.md")
    notes: tuple[str, ...] = told("what was noted of the checkpoint and the data at the beginning")
    stopped: str = told("why it ended")
    root: NodeView = told("the root")
    best: NodeView = told("the smallest kept node that is accurate enough")
    nodes: tuple[NodeView, ...] = told("every node, in the order they were made")
    doubts: tuple[DoubtView, ...] = told(_DOUBTS)


@dataclass(frozen=True)
class TreeLog:
    """The newest run's nodes."""

    run: str = told("the run's name")
    nodes: tuple[NodeView, ...] = told("its nodes, or the newest ones with `--limit`")
    doubts: tuple[DoubtView, ...] = told(_DOUBTS)
    settings: JsonObject = told("the run's settings, in the sections of settings.md")
    deciding: str = told("which images decide, in words; empty where they are the data's own")


@dataclass(frozen=True)
class MomentLine:
    """One moment of a run; `replay --json` prints one a line."""

    event: int = told("the id of the event, for `--at`")
    at: str = told("when, UTC")
    kind: str = told("what kind of event")
    node: str | None = told("the node that it is about")
    text: str = told("what happened, in words")


@dataclass(frozen=True)
class MomentShown:
    """The tree as it stood at a moment."""

    run: str = told("the run's name")
    moment: MomentLine = told("the newest moment up to that event")
    nodes: tuple[NodeView, ...] = told("the nodes as they were then")


# ------------------------------------------------------------ comparisons


@dataclass(frozen=True)
class NodesCompared:
    """Nodes of one run, in the order asked for."""

    run: str = told("the run's name")
    nodes: tuple[NodeView, ...] = told("the nodes")
    differences: Mapping[str, Mapping[str, float]] = told(
        "by node, from the second one on: each measure less the first node's"
    )


@dataclass(frozen=True)
class RunSide:
    """One of two runs that are compared."""

    store: str = told("its store's path")
    run: int = told("its id in that store")
    name: str = told("its name")
    seed: int = told("its seed")
    best: NodeView = told("its best node")


@dataclass(frozen=True)
class RunsCompared:
    """Two runs: what they have in common, and where they first went different ways."""

    runs: tuple[RunSide, ...] = told("both runs, A and B")
    conditions: Mapping[str, tuple[JsonValue, JsonValue]] = told(
        "what differs in seed, architecture, data, settings and environment: [A's, B's]"
    )
    agreed: tuple[str, ...] = told("the parents at which both kept the same")
    largest_gap: float | None = told(
        "the largest difference of similarity between nodes of the same name on that way"
    )
    difference: Difference | None = told("the first parent at which they differ; null: none")
    decisions: tuple[tuple[Decided | None, Decided | None], ...] = told(
        "the decisions of both kept paths, depth by depth; null where a path has ended"
    )


# ------------------------------------------------------------ stores


@dataclass(frozen=True)
class NodeOfRun:
    """A node of a store that may hold several runs."""

    run: int = told("the run's id")
    node: str = told("the node's name")


@dataclass(frozen=True)
class FindingLine:
    """One thing that is wrong with a store."""

    kind: str = told("which check found it")
    text: str = told("what is wrong")
    nodes: tuple[NodeOfRun, ...] = told("the nodes that it concerns")


Pair = tuple[JsonValue, JsonValue]


@dataclass(frozen=True)
class RemadeLine:
    """One of a node's snapshots, made again."""

    phase: str = told("`recovered` or `tuned`")
    identical: bool = told("whether every bit is the same")
    stored_sha256: str = told("SHA-256 of what is stored")
    sha256: str = told("SHA-256 of what was made now")
    metrics: Mapping[str, Pair] = told("the measures that differ: [stored, now]")


@dataclass(frozen=True)
class Reexecuted:
    """A node made again."""

    node: str = told("its name")
    run: int = told("its run's id")
    verdict: Literal["identical", "equivalent", "different"] = told(
        "`equivalent`: another environment may round differently"
    )
    environment: Mapping[str, Pair] = told("what differs from when it was stored: [then, now]")
    snapshots: tuple[RemadeLine, ...] = told("its snapshots, in the order they were made")


@dataclass(frozen=True)
class StoreVerified:
    """Whether a store holds what it was told to hold."""

    store: str = told("the path as it was given")
    sound: bool = told("whether nothing is wrong")
    findings: tuple[FindingLine, ...] = told("what is wrong")
    usable: tuple[NodeOfRun, ...] = told("nodes whose weights are whole")
    unusable: tuple[NodeOfRun, ...] = told("nodes whose weights cannot be used")
    freed: tuple[NodeOfRun, ...] = told("nodes whose weights were freed")
    checked: Mapping[str, int] = told("by check, how much was looked at")
    snapshots: int = told("how many snapshots there are")
    bytes: int = told("how large they are together")
    seconds: float = told("how long it took")
    reexecuted: Reexecuted | None = absent("with `--reexecute NODE` only")

    def as_json(self) -> dict[str, JsonValue]:
        return without_absent(self)


@dataclass(frozen=True)
class FreedResult:
    """Weights that are freed."""

    run: int = told("the run's id")
    node: str = told("the node's name")
    phase: str = told("`recovered` or `tuned`")


@dataclass(frozen=True)
class StoreFreed:
    """What `gc` freed, or would free."""

    store: str = told("the store's path")
    freed: bool = told("whether it was done; false with `--dry-run`")
    results: tuple[FreedResult, ...] = told("whose weights")
    bytes: int = told("how large they are together")
    file_bytes_before: int = told("the file's size before")
    file_bytes: int = told("the file's size now")


@dataclass(frozen=True)
class StorePacked:
    """A store that was written anew."""

    store: str = told("the new store's path")
    runs: int = told("how many runs it holds")
    nodes: int = told("how many nodes")
    bytes: int = told("its size")
    bytes_before: int = told("the size of the store it was made from")


@dataclass(frozen=True)
class RunMerged:
    """What became of one run of the store that gives."""

    run: int = told("its id in the store that takes")
    uuid: str = told("its UUID, the same in every store")
    name: str = told("its name")
    outcome: Literal["copied", "extended", "held", "refused"] = told("`held`: it was there already")
    bytes: int = told("of weights that came over")
    why: str | None = told("why it was refused")


@dataclass(frozen=True)
class StoresMerged:
    """What became of each run of a store that was merged into another."""

    store: str = told("the store that takes")
    runs: tuple[RunMerged, ...] = told("the runs of the store that gives")


# ------------------------------------------------------------ figures and published results


@dataclass(frozen=True)
class Served:
    """Where a store is served, printed before the first visitor."""

    store: str = told("the store")
    address: str = told("what a browser opens; it holds the token")
    steer: bool = told("whether one person may change the tree")


@dataclass(frozen=True)
class FigureDrawn:
    """A picture of a run that was written."""

    figure: str = told("`pareto` or `tree`")
    path: str = told("the picture")
    nodes: int = told("how many nodes the run has")
    notes: tuple[str, ...] = told("what has to be known of the comparison")


@dataclass(frozen=True)
class PublishedListed:
    """The published results that were asked for."""

    results: tuple[PublishedResult, ...] = told("the results, in the order of their files")
    wrong: tuple[str, ...] = told("files of your own that were left out, and why")


@dataclass(frozen=True)
class PublishedFile:
    """A file of your own that was added or removed."""

    name: str = told("its name, for `published remove`")
    path: str = told("where it lies")
    num_results: int = told("how many results it holds")
    wrong: str | None = told("why it is left out")


@dataclass(frozen=True)
class PublishedFiles:
    """Your own files of published results."""

    files: tuple[PublishedFile, ...] = told("the files, by name")


# ------------------------------------------------------------ networks and machines


@dataclass(frozen=True)
class NodeExported:
    """A node that was written as a checkpoint."""

    node: str = told("its name")
    path: str = told("the checkpoint")
    size_bytes: int = told("its size")
    seconds: float = told("how long it took")


@dataclass(frozen=True)
class NetworkTrained:
    """A network that was trained from scratch and written."""

    metrics: JsonObject = told("what was measured: numbers by the keys of a NODE's measures")
    path: str = told("the checkpoint")
    data: JsonObject = told("the data set: name, classes, mean, std, digest, sizes")
    seconds: float = told("how long it took")


@dataclass(frozen=True)
class PartTold:
    """Half of a Transformer's layer, which can be passed over alone."""

    path: str = told("the module")
    kind: str = told("its class")
    num_units: int = told("neurons and heads in it that can go")


@dataclass(frozen=True)
class BlockTold:
    """A block that can be passed over, or one beside such that has to stay."""

    path: str = told("the module")
    stage: str = told("the module that holds it and its like")
    kind: str = told("its class")
    how: str = told("how it adds to what it gets: `residual`, `residual+act`, `residual+norm`")
    num_units: int = told("filters, neurons and heads in it")
    stays: str | None = told("why it may not go: `shape`, `first`; null where it may")
    parts: tuple[PartTold, ...] = told("its halves")


@dataclass(frozen=True)
class GroupTold:
    """Units of which each can go alone."""

    path: str = told("the module, or the weight, that makes them")
    kind: str = told("`filter`, `neuron`, `head`, `channel` or `expert`")
    num_units: int = told("how many there are; one has to stay")
    block: str | None = told("the block that holds them")
    crosses_blocks: bool = told("whether several blocks share them")
    tensors: tuple[str, ...] = told("every parameter and buffer that has a part in them")


@dataclass(frozen=True)
class NetworkTold:
    """What can be removed from a network."""

    network: str = told("its class")
    input: tuple[int, ...] = told("channels, height and width of the images it was run on")
    output_module: str = told("the module whose input similarity compares")
    blocks: tuple[BlockTold, ...] = told("in the order of the forward pass")
    groups: tuple[GroupTold, ...] = told("in the order of the forward pass")
    frozen: Mapping[str, str] = told("what stays, with the reason, by module or weight")
    seconds: float = told("how long it took to find out")


@dataclass(frozen=True)
class IntervalTold:
    """A figure over all images, and its 95 % interval over draws of images."""

    value: float = told("over all images")
    low: float = told("the lower end")
    high: float = told("the upper end")


@dataclass(frozen=True)
class CriterionTold:
    """How a criterion ranks a network, against the exact KL on the same images."""

    name: str = told("its name, for `--criterion`")
    applies: bool = told("whether it ranks this network")
    reason: str | None = told("why it does not")
    units: IntervalTold | None = told(
        "Spearman's rank correlation of the units' scores; null: too few, or all alike"
    )
    within_groups: IntervalTold | None = told("its mean over groups, weighed by their units")
    least_tenth: IntervalTold | None = told("which part of the least important tenth is the same")
    blocks: IntervalTold | None = told("the rank correlation of the blocks' scores")
    seconds: float | None = told("what it took on all images, draw by draw")


@dataclass(frozen=True)
class CriteriaTold:
    """How criteria rank a network."""

    model: str = told("what was named")
    reference: str = told("what they are compared with")
    images: int = told("how many training images they ranked with")
    draws: int = told("into how many draws these were dealt")
    units: int = told("how many units were ranked")
    blocks: int = told("how many blocks, with their halves")
    criteria: tuple[CriterionTold, ...] = told("the reference, then each criterion")
    device: str = told("where it ran")
    seconds: float = told("what all of it took")


@dataclass(frozen=True)
class Machine:
    """What this machine can do, and how work will run on it."""

    torch: str = told("version of PyTorch")
    python: str = told("version of Python")
    cuda: str | None = told("version of CUDA; null without a GPU")
    gpu: str | None = told("the GPU's name")
    instruction_set: str = told("what PyTorch uses of this CPU")
    platform: str = told("the machine's architecture")
    device: str = told("where work will run: `cpu` or `cuda:N`")
    num_threads: int = told("on how many threads")
    autocast: str | None = told("`bfloat16` where arithmetic runs in it; null: float32")
    candidates_at_once: int = told("how many candidates recover at a time")
    cuda_devices: int = told("how many GPUs there are")
    seconds: float = told("how long it took to find out")
