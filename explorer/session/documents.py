"""A run's documents as types: what the store keeps as JSON is read and written here, only here.

Older layouts are read too: before format 6 settings were flat, with the run's origin among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.contracts.codec import FormatError, decode, encode, encode_object
from engine.contracts.doubts import Doubt
from engine.contracts.edits import Edit
from engine.contracts.errors import EditError, EngineError
from engine.contracts.jobs import Proposed
from engine.contracts.json_values import JsonObject, JsonValue
from engine.contracts.networks import (
    Architecture,
    DataDescription,
    DataRef,
    Environment,
    FileRef,
    NetworkRef,
    Reading,
    Scores,
    SnapshotRef,
)
from engine.contracts.references import Factory
from engine.contracts.requests import EditRequest, RemoveBlocks, RemoveUnits
from engine.contracts.settings import Settings, read_settings
from engine.contracts.structure import NetworkStructure
from engine.contracts.structure_after import structure_after
from store import Node, Phase, Proposal, Run, TreeStore


class UnreadableRowError(FormatError):
    """A row of a store that says what no version of this program would write."""

    def __init__(self, row: str, why: object) -> None:
        super().__init__(
            f"{row} cannot be read: {str(why)[:300]}. The store was damaged, or written by another "
            "program; `pe-explore verify STORE` names all such rows. Take another copy of it"
        )


@dataclass(frozen=True)
class ForkedFrom:
    """The node of another run at which this one began."""

    run: str  # its uuid
    node: str


@dataclass(frozen=True)
class Origin:
    """Where a run comes from: the checkpoint, what was noted of it, the run it was forked from, and
    the persons' functions that make its network and its task, as their files were when it began."""

    checkpoint: FileRef | None = None
    trusted_pickle: bool = False
    notes: tuple[str, ...] = ()
    forked_from: ForkedFrom | None = None
    doubts: tuple[Doubt, ...] = ()
    factory: Factory | None = None
    task: Factory | None = None
    own_criterion: Factory | None = None  # a person's function that ranks
    normalisation: str | None = None  # as the person said


@dataclass(frozen=True)
class RunDocument:
    """A run with everything that its row holds as JSON, decoded once."""

    run: Run
    settings: Settings
    origin: Origin
    architecture: Architecture
    data: DataDescription
    environment: Environment
    structure: NetworkStructure | None = None  # the root's; None in runs of older versions

    @staticmethod
    def of(run: Run) -> RunDocument:
        """The documents of a run. Raises UnreadableRowError."""
        try:
            return RunDocument(
                run=run,
                settings=read_settings(run.settings),
                origin=origin_of(run),
                architecture=decode(
                    Architecture, {"factory": "", **run.architecture}, "architecture"
                ),
                data=decode(DataDescription, run.data, "data"),
                environment=decode(Environment, run.environment, "environment"),
                structure=decode(_WithStructure, run.architecture, "architecture").structure,
            )
        except (FormatError, EngineError) as error:
            raise UnreadableRowError(f"run {run.id} ({run.name})", error) from error

    @property
    def reading(self) -> Reading:
        """How the run's images are read, by what was chosen when it began."""
        chosen = self.data.loader, self.data.transforms
        return replace(self.settings.data.reading, loader=chosen[0], transforms=chosen[1])

    @property
    def data_ref(self) -> DataRef:
        """The run's images as a job names them."""
        return DataRef(self.data.digest, self.data.mean, self.data.std, self.reading)


@dataclass(frozen=True)
class _WithStructure:
    structure: NetworkStructure | None = None


@dataclass(frozen=True)
class _WithRow:
    row: str = DataDescription.row


def architecture_document(
    architecture: Architecture, structure: NetworkStructure | None
) -> dict[str, JsonValue]:
    """What the store keeps of a root: how it is built, and what can be removed from it."""
    told = encode_object(architecture)
    return told if structure is None else {**told, "structure": encode(structure, defaults=False)}


def settings_document(settings: Settings, origin: Origin) -> dict[str, JsonValue]:
    """What the store keeps of a run's settings and origin."""
    return {**encode_object(settings), "origin": encode(origin)}


def origin_of(run: Run) -> Origin:
    """Where a run comes from. Raises FormatError."""
    settings: Mapping[str, object] = run.settings
    if "origin" in settings:
        return decode(Origin, settings["origin"], "origin")
    return decode(Origin, settings, "origin")  # its fields lay among the settings


def row_of(run: Run) -> str:
    """What is classified in a run. Raises FormatError."""
    return decode(_WithRow, run.data, "data").row


def edit_of(node: Node) -> Edit | None:
    """What was removed from a node's parent; None for the root. Raises UnreadableRowError."""
    try:
        return None if node.edit is None else Edit.from_json(node.edit)
    except EditError as error:
        raise UnreadableRowError(f"the edit of {node.name}", error) from error


def architecture_of(store: TreeStore, document: RunDocument, node: Node) -> Architecture:
    """The root's factory and arguments with the edits from the root down to this node.

    Raises UnreadableRowError.
    """
    root = document.architecture
    return replace(root, edits=(*root.edits, *edits_from_the_root(store, node)))


def structure_of(store: TreeStore, document: RunDocument, node: Node) -> NetworkStructure | None:
    """What can be removed from a node's network: the root's structure, followed through the edits.

    None where the root's is not known. Raises UnreadableRowError.
    """
    structure = document.structure
    if structure is not None:
        for edit in edits_from_the_root(store, node):
            structure = structure_after(structure, edit)
    return structure


def edits_from_the_root(store: TreeStore, node: Node) -> list[Edit]:
    """The edits that made a node of its run's root. Raises UnreadableRowError."""
    return [edit for each in store.lineage(node.id) if (edit := edit_of(each)) is not None]


def newest_phase(node: Node) -> Phase:
    """The phase whose weights a node's children are made from."""
    return "tuned" if "tuned" in node.phases else node.phases[-1]


def network_of(store: TreeStore, document: RunDocument, node: Node, phase: Phase) -> NetworkRef:
    """A node's network with its weights of a phase."""
    weights = SnapshotRef(store.snapshot_hash(node.id, phase))
    return NetworkRef(architecture_of(store, document, node), weights)


# ------------------------------------------------------------ proposals


@dataclass(frozen=True)
class ProposalDocument:
    """Why a parent got candidates: the scores, by which criterion, and what was asked for."""

    criterion: str
    scores: Scores
    sample_ids: tuple[int, ...] | None = None
    request: EditRequest | None = None


def proposal_content(result: Proposed) -> dict[str, JsonValue]:
    """What the store keeps of a proposal; its edits are the candidates'."""
    content = encode_object(result)
    for name in ("kind", "edits"):
        del content[name]
    return {name: value for name, value in content.items() if value is not None}


def read_proposal(proposal: Proposal) -> ProposalDocument:
    """The proposal of a row. Raises UnreadableRowError."""
    try:
        return _read_proposal(proposal.content)
    except FormatError as error:
        raise UnreadableRowError(f"proposal {proposal.id}", error) from error


def _read_proposal(content: JsonObject) -> ProposalDocument:
    document = decode(ProposalDocument, content, "proposal")
    wish = content.get("wish")  # the name of a request before format 6
    if wish is None:
        return document
    return ProposalDocument(
        document.criterion, document.scores, document.sample_ids, _read_wish(wish)
    )


def _read_wish(wish: JsonValue) -> EditRequest:
    if not isinstance(wish, Mapping):
        raise FormatError(f"proposal.wish is {wish!r}, not an object")
    if wish.get("structure") == "layer":
        return decode(RemoveBlocks, wish, "proposal.wish")
    return decode(RemoveUnits, {**wish, "units": wish.get("filters")}, "proposal.wish")
