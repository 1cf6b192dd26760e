"""What the import contracts of pyproject.toml (`lint-imports`) cannot say, over every module."""

from __future__ import annotations

import graphlib
import sys

import grimp
import pytest

OURS = ("engine", "store", "explorer", "sample_checkpoints")


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """Each of our modules with what it imports, inside functions and for types too."""
    graph = grimp.build_graph(*OURS, include_external_packages=True, cache_dir=None)
    return {
        name: graph.find_modules_directly_imported_by(name)
        for name in graph.modules
        if name.partition(".")[0] in OURS
    }


def test_no_module_imports_itself_by_whatever_way_round(imports):
    order = graphlib.TopologicalSorter(
        {name: imported & imports.keys() for name, imported in imports.items()}
    )
    assert len(list(order.static_order())) == len(imports) > 100  # a CycleError names the circle


def test_contracts_import_the_standard_library_only(imports):
    found = {
        (name, imported)
        for name, all_imported in imports.items()
        for imported in all_imported
        if name.startswith("engine.contracts")
        and not imported.startswith("engine.contracts.")
        and imported.partition(".")[0] not in sys.stdlib_module_names
    }
    assert not found
