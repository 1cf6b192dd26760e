"""Diagram, difference and rankings: what must hold of any network and any way through it."""

from __future__ import annotations

import math
import random

import pytest
from network_shapes import SHAPES, group, node, resnet, vit, way

from engine.contracts.edits import FILTER, LAYER, Edit, Removal
from engine.contracts.networks import Scores
from engine.contracts.structure import Block, NetworkStructure
from explorer.views.network.diagram import diagram
from explorer.views.network.differences import networks_differ
from explorer.views.network.left import left_along
from explorer.views.network.rankings import Cell, Ranked, rankings, trend_of
from explorer.views.network_structure import followed

WAYS = [(name, seed) for name in SHAPES for seed in range(12)]


def taken(name, seed):
    chance = random.Random(f"{name} {seed}")
    return SHAPES[name], chance, way(SHAPES[name], chance, chance.randint(0, 7))


@pytest.mark.parametrize(("name", "seed"), WAYS)
def test_what_is_left_is_what_the_structure_after_the_edits_has(name, seed):
    root, _, edits = taken(name, seed)
    for steps, left in enumerate(left_along(root, edits)):
        structure = followed(root, edits[:steps])
        groups = {group.path: group.num_units for group in structure.groups}
        assert groups == {new: len(left.units[old]) for new, old in left.names.items()}
        assert set(left.names.values()) == set(left.units)
        assert left.blocks == {block.path for block in structure.blocks}


def test_units_keep_the_numbers_of_the_root_through_renumbering():
    first = Edit(FILTER, units=(("layer1.0.conv1", (0, 2)),))
    second = Edit(FILTER, units=(("layer1.0.conv1", (0, 1)),))
    left = left_along(resnet(), [first, second])[-1]
    assert left.units["layer1.0.conv1"] == tuple(n for n in range(16) if n not in (0, 1, 2, 3))


def test_a_stream_is_followed_when_the_block_that_names_it_goes():
    gone = Edit(LAYER, blocks=("encoder.layers.0",), removals=(Removal("encoder.layers.0"),))
    channels = Edit(FILTER, units=(("encoder.layers.1.mlp.fc2", (0, 5)),))
    left = left_along(vit(), [gone, channels])[-1]
    assert left.names["encoder.layers.1.mlp.fc2"] == "encoder.layers.0.mlp.fc2"
    assert len(left.units["encoder.layers.0.mlp.fc2"]) == 22


@pytest.mark.parametrize(("name", "seed"), WAYS)
def test_a_diagram_has_every_block_and_unit_of_the_root_once(name, seed):
    root, _, edits = taken(name, seed)
    shown = diagram(root, edits)
    blocks = [block for stage in shown.stages for block in stage.blocks]
    assert [b.path for b in blocks] == [b.path for b in root.blocks]
    groups = [group for stage in shown.stages for group in stage.all_groups]
    paths = [group.path for group in groups]
    assert len(paths) == len(set(paths))
    assert {g.path for g in root.free_groups} <= set(paths)
    now = left_along(root, edits)[-1]
    assert sum(g.left for g in groups if not g.crosses_blocks) == sum(
        g.num_units for g in followed(root, edits).free_groups
    )
    assert all(0 <= g.left <= g.parent <= g.root for g in groups)
    assert {b.path for b in blocks if b.state == "left"} == now.blocks


def test_parts_without_blocks_stand_where_the_forward_pass_has_them():
    block = Block("features.1", "features", 8)
    inner = group("features.1.conv", "filter", 8, block="features.1")
    ends = [group(f"features.{n}", "filter", 4) for n in (0, 2)]
    root = NetworkStructure((block,), (ends[0], inner, ends[1], group("fc", "neuron", 6)))
    shown = diagram(root, [])
    told = [(s.name, len(s.blocks), [g.path for g in s.groups]) for s in shown.stages]
    assert told == [("features", 0, ["features.0"]), ("features", 1, []),
                    ("features", 0, ["features.2"]), ("fc", 0, ["fc"])]  # fmt: skip


def differ(root, a, b):
    return networks_differ("run", root, (a, b), (node("R.L", macs=10), node("R.F", macs=8)))


@pytest.mark.parametrize(("name", "seed"), WAYS)
def test_a_difference_is_empty_to_itself_and_turns_round(name, seed):
    root, chance, edits = taken(name, seed)
    others = way(root, chance, chance.randint(1, 6))
    assert differ(root, edits, edits).is_empty
    there, back = differ(root, edits, others), differ(root, others, edits)
    assert (there.blocks_only_a, there.blocks_only_b) == (back.blocks_only_b, back.blocks_only_a)
    assert (there.parts_only_a, there.parts_only_b) == (back.parts_only_b, back.parts_only_a)
    turned = [(g.path, g.b, g.a, g.only_b, g.only_a) for g in back.groups]
    assert [(g.path, g.a, g.b, g.only_a, g.only_b) for g in there.groups] == turned
    for g in there.groups:
        assert (g.a or 0) - len(g.only_a) == (g.b or 0) - len(g.only_b)
    assert there.macs_difference == -2


def test_a_node_and_its_child_differ_by_the_childs_edit():
    edits = [Edit(FILTER, units=(("layer2.1.conv1", (3, 7)),)), Edit(LAYER, blocks=("layer1.1",))]
    units = differ(resnet(), [], edits[:1])
    assert [(g.path, g.only_a, g.only_b) for g in units.groups] == [("layer2.1.conv1", (3, 7), ())]
    block = differ(resnet(), edits[:1], edits)
    assert block.blocks_only_a == ("layer1.1",) and not block.groups and not block.blocks_only_b


# ------------------------------------------------------------ rankings


def test_places_are_shares_of_their_own_step_and_ties_share_one():
    root = resnet()
    blocks = {block.path: float(n) for n, block in enumerate(root.blocks)}
    scaled = {path: 1000 * value for path, value in blocks.items()}
    units = {group.path: (1.0,) * group.num_units for group in root.groups}
    edit = Edit(FILTER, units=(("layer1.1.conv1", (0,)),))
    found = rankings(
        root, [Ranked("R", Scores(blocks, units), "kl", edit),
               Ranked("R.F", Scores(scaled, units), "l1", None)], 2,
    )  # fmt: skip
    rows = {row.path: row for row in found.rows}
    assert [cell.share for cell in rows["layer1.0"].cells] == [0, 0]
    assert [cell.share for cell in rows["layer3.2"].cells] == [1, 1]
    assert {row.cells[0].share for row in found.rows if row.kind == "filter"} == {0.5}
    assert rows["layer1.1.conv1"].cells[0].goes and not rows["layer1.1"].cells[0].goes
    assert rows["layer2.0"].cells[0].protected and not rows["layer2.1"].cells[0].protected
    assert rows["layer1.0"].trend == "", "it may not go"
    assert rows["layer1.1"].trend == "always low"


def test_what_is_gone_or_has_no_number_has_no_place():
    root = resnet()
    blocks = {block.path: float(n) for n, block in enumerate(root.blocks)}
    after = {path: value for path, value in blocks.items() if path != "layer1.1"}
    edit = Edit(LAYER, blocks=("layer1.1",))
    way_ = [
        Ranked("R", Scores({**blocks, "layer3.1": math.nan}, {}), "kl", edit),
        Ranked("R.L", None, None, Edit(LAYER, blocks=("layer2.1",))),
        Ranked("R.L.L", Scores(after, {}), None, None),
    ]
    found = rankings(root, way_, 1)
    assert [s.node for s in found.steps] == ["R", "R.L.L"], "R.L was not ranked"
    rows = {row.path: row for row in found.rows}
    assert [c.state for c in rows["layer1.1"].cells] == ["ranked", "gone"]
    assert rows["layer1.1"].cells[0].goes
    assert [c.state for c in rows["layer2.1"].cells] == ["ranked", "gone"]
    assert rows["layer3.1"].cells[0].state == "unranked"


def cells(*shares):
    return tuple(Cell("ranked", share, False, False) for share in shares)


def test_trends_say_what_always_was_and_what_became_so():
    assert trend_of(cells(0.1, 0.2, 0.0)) == "always low"
    assert trend_of(cells(0.9, 0.3, 0.1)) == "became low"
    assert trend_of(cells(0.2, 0.3, 0.8)) == "became high"
    assert trend_of((*cells(0.1), Cell("ranked", 0.1, True, False))) == "", "it is protected"
    assert trend_of(cells(0.1)) == trend_of(cells(0.4, 0.6)) == ""
