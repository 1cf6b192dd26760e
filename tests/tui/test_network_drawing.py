"""How networks are drawn: accepted frames, and what holds at every width.

PE_UPDATE_GOLDEN=1 accepts what is drawn now.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from network_shapes import SHAPES, node, resnet, vgg, vit, way
from rich.cells import cell_len

from engine.contracts.edits import FILTER, LAYER, UNIT, Edit
from engine.contracts.networks import Scores
from explorer.tui.drawing.network import diagram_lines, sections
from explorer.tui.drawing.network_diff import diff_lines
from explorer.tui.drawing.network_heat import heat_lines
from explorer.views.network.diagram import GroupShown, diagram
from explorer.views.network.differences import networks_differ
from explorer.views.network.left import left_along
from explorer.views.network.rankings import Ranked, rankings

FRAMES = Path(__file__).with_name("frames")
WAYS = {
    "resnet": [
        Edit(FILTER, units=(("layer2.1.conv1", (1, 2, 3)), ("layer3.2.conv1", tuple(range(20))))),
        Edit(LAYER, blocks=("layer1.2",)),
        Edit(FILTER, units=(("layer2.1.conv1", (0, 9)), ("layer3.2.conv1", (5,)))),
    ],
    "vit": [
        Edit(LAYER, blocks=("encoder.layers.1.attn",)),
        Edit(LAYER, blocks=("encoder.layers.2",)),
        Edit(UNIT, units=(("encoder.layers.0.attn.qkv", (1, 4)),
                          ("encoder.layers.3.mlp.fc1", tuple(range(12))))),
    ],
    "vgg": [
        Edit(FILTER, units=(("features.3", (0, 1)), ("features.10", tuple(range(9))))),
        Edit(FILTER, units=(("features.10", (3, 4)),)),
    ],
}  # fmt: skip
FIGURES = {"macs": 61_250_000.0, "params": 423_512.0, "macs_reduction": 31.4}


def scores_of(structure, seed) -> Scores:
    chance = random.Random(seed)
    blocks = {block.path: chance.random() for block in structure.all_blocks()}
    units = {g.path: tuple(chance.random() for _ in range(g.num_units)) for g in structure.groups}
    return Scores(blocks, units)


def ranked(root, edits) -> list[Ranked]:
    """A way on which every node was ranked by random scores."""
    along = left_along(root, edits)
    return [
        Ranked(f"R{'.F' * n}", scores_of(left.structure, n), "kl", edit)
        for n, (left, edit) in enumerate(zip(along, [*edits, None], strict=True))
    ]


def drawn(name, what, width):
    root, edits = SHAPES[name], WAYS[name]
    if what == "diagram":
        return diagram_lines(diagram(root, edits, node("R.F.L.F", **FIGURES)), width)
    if what == "ranking":
        return heat_lines(rankings(root, ranked(root, edits), 2), width)
    other = [Edit(FILTER, units=((root.groups[1].path, (0, 1)),)), *edits[:1]]
    nodes = node("R.F.L.F", **FIGURES), node("R.F2.F", macs=9e7, params=5e5)
    return diff_lines(networks_differ("run", root, (edits, other), nodes), width)


@pytest.mark.parametrize("what", ["diagram", "ranking", "diff"])
@pytest.mark.parametrize("name", SHAPES)
def test_frames_stay_as_they_were_accepted(name, what):
    text = "".join(
        "".join(piece for piece, _ in line).rstrip() + "\n" for line in drawn(name, what, 90)
    )
    accepted = FRAMES / f"network-{name}-{what}.txt"
    if os.environ.get("PE_UPDATE_GOLDEN"):
        FRAMES.mkdir(exist_ok=True)
        accepted.write_text(text)
    assert text == accepted.read_text()


@pytest.mark.parametrize("width", [40, 53, 60, 80, 120, 200])
@pytest.mark.parametrize("name", SHAPES)
def test_lines_never_stick_out_and_figures_are_seen_at_any_width(name, width):
    for what in ("diagram", "ranking", "diff"):
        for line in drawn(name, what, width):
            assert sum(cell_len(text) for text, _ in line) <= width
    text = "\n".join("".join(t for t, _ in line) for line in drawn(name, "diagram", width))
    for stage in diagram(SHAPES[name], WAYS[name]).stages:
        for block in (b for b in stage.blocks if b.state == "left"):
            for shown in block.groups:
                if shown.left:
                    assert f"{shown.left}/{shown.root}" in text


@pytest.mark.parametrize("blocks", [(2, 2, 2), (9, 9, 9), (66, 67, 67)])
def test_a_block_has_a_line_however_many_there_are(blocks):
    root = resnet(blocks)
    edits = way(root, random.Random(5), 6)
    texts = ["".join(t for t, _ in line) for line in diagram_lines(diagram(root, edits), 80)]
    named = [line.split()[0] if line[1] == " " else line.split()[1] for line in texts
             if ".".join(line.split()[:2]).count("layer") and "." in line and "  " in line
             and not line.startswith("layer")]  # fmt: skip
    assert named == [block.path for block in root.blocks]


def test_a_bar_shows_what_went_however_little_and_is_as_long_as_the_roots():
    for root in (1, 2, 7, 64, 3072):
        for parent in {root, root - 1, root // 2 + 1}:
            for left in {parent, max(parent - 1, 0), parent // 2}:
                shown = GroupShown("g", "filter", root, parent, left, False)
                for bar in (6, 20, 48):
                    cells = sections(shown, 3072, bar)
                    whole = sections(GroupShown("g", "filter", root, root, root, False), 3072, bar)
                    assert sum(cells) == sum(whole)
                    if whole[0] >= 3:
                        counts = (left, parent - left, root - parent)
                        assert all(bool(n) == bool(c) for n, c in zip(counts, cells, strict=True))


def test_nothing_ranked_and_nothing_different_are_said_in_words():
    root = vgg()
    empty = heat_lines(rankings(root, [Ranked("R", None, None, None)], 2), 60)
    assert "no ranking is stored" in empty[0][0][0]
    same = networks_differ("run", vit(), ((), ()), (node("R"), node("R")))
    text = "\n".join("".join(t for t, _ in line) for line in diff_lines(same, 80))
    assert "the same blocks and units" in text and "–" in text


def test_names_out_of_a_store_are_harmless():
    root = vgg()
    hostile = "R.\x1b[31m[/b]" + "é" * 300
    for width in (40, 200):
        lines = diagram_lines(diagram(root, WAYS["vgg"], node(hostile)), width)
        assert all("\x1b" not in text for line in lines for text, _ in line)


def test_of_many_steps_the_map_shows_those_that_were_asked_for():
    root = resnet((9, 9, 9))
    edits = way(root, random.Random(2), 40)
    found = rankings(root, ranked(root, edits), 1)
    count = len(found.steps)
    first = ["".join(t for t, _ in line) for line in heat_lines(found, 80)]
    last = ["".join(t for t, _ in line) for line in heat_lines(found, 80, count)]
    assert any(line.startswith("steps 1 to ") for line in first)
    assert any(line.endswith(f" of {count} are shown") and f"to {count} of" in line
               for line in last)  # fmt: skip
