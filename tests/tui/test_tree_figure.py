"""The tree as a picture for a paper: on one page, what was rejected folded, all of it on demand."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from trees import chain, node, small_tree

from explorer.views.figures.tree_svg import tree_svg

SVG = "{http://www.w3.org/2000/svg}"


def drawn(nodes, **options):
    return ElementTree.fromstring(tree_svg(nodes, nodes[0].name, **options))


def names(picture) -> set[str]:
    """The nodes that have a mark, by what a pointer over them tells."""
    return {each.text.partition(",")[0] for each in picture.iter(f"{SVG}title")}


def texts(picture) -> list[str]:
    return [each.text for each in picture.iter(f"{SVG}text")]


@pytest.mark.parametrize("count", [3, 9, 29, 300])
def test_it_prints_on_one_page(count):
    nodes = chain(count)
    picture = drawn(nodes)
    width, height = float(picture.get("width")), float(picture.get("height"))
    assert min(width, height) <= 721 and max(width, height) <= 1041
    assert {each.name for each in nodes if each.kept} <= names(picture)
    inside = [float(v) for v in picture.get("viewBox").split()]
    for mark in picture.iter(f"{SVG}circle"):
        assert 0 <= float(mark.get("cx")) <= inside[2] and 0 <= float(mark.get("cy")) <= inside[3]


def test_what_is_below_rejected_nodes_is_folded_and_counted():
    nodes = [
        node("R", kept=True), node("R.L", kept=False, cka=0.9), node("R.F", kept=True, cka=0.95),
        node("R.L.L", kept=False, cka=0.8), node("R.L.F", kept=False, cka=0.7),
    ]  # fmt: skip
    folded, whole = drawn(nodes), drawn(nodes, whole=True)
    assert "R.L.L" not in names(folded) and "L +2" in texts(folded)
    assert {"R.L.L", "R.L.F"} <= names(whole) and "L +2" not in texts(whole)


def test_every_figure_of_a_deep_tree_can_be_read():
    told = texts(drawn(chain(300)))
    assert {"CKA", "val", "MACs"} <= set(told), "columns have headings"
    assert sum(text.startswith("… ") for text in told) == 3, "four strips name where they go on"


def test_a_wide_tree_has_marks_only_and_no_text_over_text():
    nodes, front = [node("R", kept=True)], ["R"]
    for _ in range(9):
        front = [f"{parent}.{side}" for parent in front for side in "LF"]
        nodes += [node(name, kept=True, cka=0.9) for name in front]
    assert "0.9000" not in texts(drawn(nodes)) and len(names(drawn(nodes))) == len(nodes) + 1


def test_texts_of_others_stay_text():
    hostile = [*small_tree()[:1], node("R.L</title><script>", kept=True, cka=0.9)]
    assert ElementTree.fromstring(tree_svg(hostile, "R", "<&>")) is not None
