"""A dozen small networks of the zoo, and the table of all in docs/networks.md."""

from __future__ import annotations

import pytest
from zoo_checks import explored, short_reason
from zoo_networks import TRANSFORMERS, Entry, all_entries, torchvision_entries
from zoo_results import Found, Saving, read, write
from zoo_table import PAGE, cells, page_with, table

from engine.pruning.structure.checks import NO_EFFECT

BY_NAME = {entry.reference: entry for entry in torchvision_entries()}
# Blocks that can go, and groups by kind: what is lost here is lost to whoever opens such a network.
SMALL = {
    "mobilenet_v3_small": (6, {"filter": 20, "neuron": 1}),
    "resnet18": (5, {"filter": 8}),
    "squeezenet1_1": (0, {"filter": 25}),
    "shufflenet_v2_x0_5": (0, {"filter": 30}),
    "mnasnet0_5": (10, {"filter": 19}),
    "mobilenet_v2": (10, {"filter": 17}),
    "regnet_y_400mf": (12, {"filter": 33}),
}
# What they are made of, the others have too.
LONGER = ("regnet_y_400mf", "mobilenet_v2", "mnasnet0_5")
TINY = {
    "timm:test_vit": ("timm", "head"),
    "timm:test_convnext": ("timm", "neuron"),
    "transformers:vit": ("transformers", "head"),
    "transformers:deit": ("transformers", "head"),
    "transformers:levit": ("transformers", "head"),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n in LONGER else n for n in SMALL],
)
def test_what_torchvision_has(name):
    found = explored(BY_NAME[f"torchvision.models:{name}"])
    assert not found.problem and not found.refused
    blocks, groups = SMALL[name]
    assert found.removable == blocks
    assert dict(found.groups) == groups


@pytest.mark.parametrize("reference", TINY)
def test_what_other_libraries_have(reference):
    library, kind = TINY[reference]
    pytest.importorskip(library)
    config = TRANSFORMERS.get(reference.partition(":")[2], {})
    number = "num_labels" if config else "num_classes"
    found = explored(Entry(reference, {**config, number: 5}))
    assert not found.problem and not found.refused
    assert found.removable and found.groups[kind]
    assert found.layer is not None and found.unit is not None and found.unit.macs > 0


def test_the_table_is_that_of_the_last_run():
    """`python tests/zoo/zoo_table.py` writes it anew."""
    text = PAGE.read_text()
    assert text == page_with(text, table(read()))


def test_none_of_the_last_run_failed():
    found = read()
    assert {each.reference: each.problem for each in found.values() if each.problem} == {}
    assert set(found) <= {entry.reference for entry in all_entries()}


def test_what_a_run_has_found_is_read_as_it_was_written(tmp_path):
    one = Found(
        "timm:a", 64, 3, 2, 4, {"head": 3}, 12, {NO_EFFECT: 2}, 1.5, Saving("b.0", 0.1, 0.2)
    )
    refused = Found("timm:b", refused="nothing can be removed")
    path = tmp_path / "zoo.json"
    write({"timm:a": one, "timm:b": refused}, path)
    assert read(path) == {"timm:a": one, "timm:b": refused}
    assert read(tmp_path / "none.json") == {}
    assert cells(one)[2:4] == ["2 of 3 (4 parts)", "3 head"]
    assert "nothing can be removed" in cells(refused)


def test_reasons_that_differ_by_a_number_are_one():
    first, second = (f"without some of it the network is off by {n}" for n in ("1e-3", "2e-5"))
    assert short_reason(first) == short_reason(second) != short_reason(NO_EFFECT)
