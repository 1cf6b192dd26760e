"""What a network's time is, as a function of what goes: an estimate from a few measurements.

Unlike multiply-accumulates, time is not the sum of its parts. It is measured without the blocks of
each stage that may go: that says how long a multiply-accumulate takes there, whatever saves it.
"""

from __future__ import annotations

from torch import nn

from engine.contracts.edits import LAYER, Edit
from engine.contracts.networks import Execution
from engine.contracts.structure import NetworkStructure
from engine.measures.latency import latency_beside
from engine.pruning.explicit import explicit
from engine.pruning.fitting.choices import Choices
from engine.pruning.fitting.tables import Table
from engine.pruning.surgery import carry_out
from engine.tasks import Batch

WHOLE = 1_000_000  # the network's time as it is, in millionths of it
PERCENT = WHOLE // 100


def latency_table(
    model: nn.Module,
    structure: NetworkStructure,
    choices: Choices,
    macs: Table,
    example: Batch,
    execution: Execution,
) -> Table:
    """The table of `latency`, by that of `macs`."""
    rates = {}
    for stage, most in choices.most_of_stage.items():
        paths = tuple(b.path for b in choices.blocks if b.stage == stage)[:most]
        made = carry_out(explicit(Edit(LAYER, blocks=paths), structure), model, share=True)
        _, ratio = latency_beside(made, model, example, execution)
        saved = sum(macs.blocks[path] for path in paths)
        rates[stage] = max(0.0, 1 - ratio.value) * WHOLE / max(1, saved)
    stages = {block.path: block.stage for block in structure.blocks}
    blocks_of = {group.path: group.block for group in structure.groups}

    def rate(block: str | None) -> float:
        return rates.get(stages.get(block or "", ""), WHOLE / max(1, macs.whole))

    def of_group(path: str, amount: int) -> int:
        return round(amount * rate(blocks_of.get(path)))

    return Table(
        WHOLE,
        {path: round(each * rate(path)) for path, each in macs.blocks.items()},
        {path: of_group(path, each) for path, each in macs.units.items()},
        {pair: of_group(pair[0], each) for pair, each in macs.pairs.items()},
    )
