"""`structure`: what can be removed from a network, before any tree of it is grown."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from engine.contracts.errors import UsageError
from engine.contracts.jobs import DescribeStructure, JobRequest, Places, StructureDescribed
from engine.contracts.references import factory_here, is_persons
from engine.contracts.structure import Block, NetworkStructure
from explorer.cli.commands.train import run_job
from explorer.cli.console import cell, say, wide_console
from explorer.cli.json_types import BlockTold, GroupTold, NetworkTold, PartTold, print_json
from explorer.cli.progress import Reporter
from explorer.cli.temporary import temporary_folder
from explorer.session.data_places import full_path
from explorer.session.model_source import ModelSource, is_network, source_of
from explorer.session.named_files import check_data, check_task, is_store

_STAYS = {"shape": "stays: it changes the shape", "first": "stays: the first of its stage"}
MOST_REASONS, MOST_NAMES = 12, 3


@dataclass(frozen=True)
class Named:
    """Which network, and on what it is to be run."""

    model: str
    arch: str | None = None
    weights: Path | None = None
    trust_pickle: bool = False
    data: str | None = None
    input: str | None = None
    output: str | None = None
    task: str | None = None

    @property
    def place(self) -> str:
        """Where the data are that it is to be run on, empty for none."""
        if self.task is not None:
            return self.task
        return full_path(self.data) if self.data is not None else ""

    @property
    def random_weights(self) -> bool:
        """What can be removed does not depend on weights: a network may be named without any."""
        return is_network(self.model) and self.weights is None


def structure(named: Named, *, as_json: bool) -> None:
    """Prints what can be removed from a network."""
    source = source_of(named)
    if source.path is not None and is_store(source.path):
        raise UsageError(
            f"{source.path.name} is a store; give the checkpoint that its tree began with"
        )
    if named.data is not None:
        check_data(named.data)
    if named.place and named.input is not None:
        raise UsageError("the data say already what the network takes; leave --input out")
    job = DescribeStructure(
        source.arch,
        named.trust_pickle,
        source.untrained,
        _shape(named.input) if named.input is not None else (),
        named.output,
    )
    request = JobRequest(uuid.uuid4().hex, job, "structure", _places(named, source))
    with temporary_folder() as folder, Reporter() as reporter:
        found = cast(StructureDescribed, run_job(request, folder, reporter))
    if as_json:
        print_json(_as_printed(found))
    else:
        _print(found)


def _places(named: Named, source: ModelSource) -> Places:
    arch = source.arch or ""
    return Places(
        data=named.place,
        checkpoint=str(source.path.absolute()) if source.path is not None else "",
        factory=factory_here(arch) if is_persons(arch) else None,
        task=check_task(named.task) if named.task is not None else None,
    )


def _shape(text: str) -> tuple[int, ...]:
    """The channels, height and width of `CxHxW`. Raises UsageError."""
    match = re.fullmatch(r"(\d{1,4})[x×](\d{1,5})[x×](\d{1,5})", text.strip().lower())
    shape = tuple(map(int, match.groups())) if match else ()
    if not shape or min(shape) < 1 or shape[0] * shape[1] * shape[2] > 10**8:
        raise UsageError(
            f"--input is CxHxW, channels, height and width, such as 3x224x224; got {text!r}"
        )
    return shape


# ------------------------------------------------------------ as JSON


def _as_printed(found: StructureDescribed) -> NetworkTold:
    structure = found.structure
    return NetworkTold(
        network=found.network,
        input=found.input_shape,
        output_module=structure.output_module,
        blocks=tuple(map(_block_told, structure.blocks)),
        groups=tuple(
            GroupTold(
                group.path,
                group.kind,
                group.num_units,
                group.block,
                group.crosses_blocks,
                tuple(dict.fromkeys(member.tensor for member in group.members)),
            )
            for group in structure.groups
        ),
        frozen=dict(structure.frozen),
        seconds=found.seconds,
    )


def _block_told(block: Block) -> BlockTold:
    parts = tuple(PartTold(part.path, part.kind, part.num_units) for part in block.parts)
    return BlockTold(
        block.path, block.stage, block.kind, block.how, block.num_units, block.stays, parts
    )


# ------------------------------------------------------------ as text


def _print(found: StructureDescribed) -> None:
    structure = found.structure
    shape = "×".join(map(str, found.input_shape))
    taken = "images" if len(found.input_shape) == 3 else "items"
    say(
        f"{found.network} on {taken} of {shape}; its classifier is {structure.output_module or '-'}"
    )
    if structure.blocks:
        _print_blocks(structure)
    for line in (*_group_lines(structure), *_frozen_lines(structure)):
        say(line)


def _print_blocks(structure: NetworkStructure) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("stage", "block", "class"):
        table.add_column(title, no_wrap=True)
    table.add_column("units", justify="right", no_wrap=True)
    for title in ("halves that can go alone", "the block itself"):
        table.add_column(title)
    stage = None
    for block in structure.blocks:
        shown = block.stage if block.stage != stage else ""
        stage = block.stage
        halves = ", ".join(
            f"{part.path.removeprefix(f'{block.path}.')} ({part.num_units})" for part in block.parts
        )
        can = "can go" if block.stays is None else _STAYS.get(block.stays, block.stays)
        cells = (shown, block.path, block.kind, f"{block.num_units:,}", halves, can)
        style = "" if block.stays is None else "dim"
        table.add_row(*(cell(text, style) for text in cells))
    wide_console().print(table)


def _group_lines(structure: NetworkStructure) -> Iterable[str]:
    """How many units of each kind can go, and where they are."""
    groups, units = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for group in structure.groups:
        where = (
            "across blocks" if group.crosses_blocks else "in blocks" if group.block else "beside"
        )
        groups[group.kind, where] += 1
        units[group.kind, where] += group.num_units
    words = {
        "in blocks": "inside of blocks",
        "beside": "outside of blocks",
        "across blocks": "of a stream that several blocks share (never removed unasked)",
    }
    for (kind, where), count in groups.items():
        plural = "s" if count > 1 else ""
        yield f"{units[kind, where]:,} {kind}s in {count} group{plural} {words[where]}"
    if not structure.groups:
        yield "no filters, neurons or heads can go"


def _frozen_lines(structure: NetworkStructure) -> Iterable[str]:
    """What stays, by the reason; the most frequent ones first."""
    by_reason: dict[str, list[str]] = {}
    for path, why in structure.frozen.items():
        by_reason.setdefault(why, []).append(path)
    reasons = sorted(by_reason.items(), key=lambda each: -len(each[1]))
    for why, paths in reasons[:MOST_REASONS]:
        more = f" and {len(paths) - MOST_NAMES} more" if len(paths) > MOST_NAMES else ""
        yield f"stays: {', '.join(paths[:MOST_NAMES])}{more}: {why}"
    if len(reasons) > MOST_REASONS:
        yield f"stays for {len(reasons) - MOST_REASONS} other reasons: --json tells them all"
