"""docs/json.md says what is printed: it is made from the types, and real output has them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from json_shapes import problems
from test_json_output import COMMANDS as PRINTING

from explorer.cli.json_page import COMMANDS, page
from explorer.cli.json_types import (
    MomentLine,
    MomentShown,
    NetworkTold,
    NodesCompared,
    RunsCompared,
    StoreFreed,
    StorePacked,
    StoresMerged,
    StoreVerified,
    TreeLog,
    TreeSummary,
)
from explorer.cli.main import app
from explorer.views.node_view import NodeDetails

PAGE = Path(__file__).parents[2] / "docs" / "json.md"
SHAPES = {
    "log": TreeLog, "log-limited": TreeLog, "show-root": NodeDetails, "show": NodeDetails,
    "show-failed": NodeDetails, "compare-nodes": NodesCompared, "compare-stores": RunsCompared,
    "replay": MomentLine, "replay-at": MomentShown, "verify": StoreVerified,
    "gc-dry-run": StoreFreed, "gc": StoreFreed, "pack": StorePacked, "merge": StoresMerged,
    "decide": TreeSummary, "structure": NetworkTold,
}  # fmt: skip


def test_the_page_is_what_the_types_say():
    made = page() + "\n"
    assert PAGE.read_text() == made, "python -m explorer.cli.json_page > docs/json.md"


def test_every_command_that_prints_json_is_on_the_page():
    commands = typer.main.get_command(app).commands
    printing = {
        name
        for name, command in commands.items()
        if any("--json" in option.opts for option in command.params)
    }
    assert {name.split()[0] for name in COMMANDS} == printing


def test_every_output_that_is_pinned_has_a_shape():
    assert SHAPES.keys() == PRINTING.keys()


@pytest.mark.parametrize("name", PRINTING)
def test_what_is_printed_has_exactly_the_keys_and_types_of_its_shape(name: str, tmp_path: Path):
    printed = PRINTING[name](tmp_path)
    values = printed.splitlines() if name == "replay" else [printed]
    for value in values:
        assert problems(SHAPES[name], json.loads(value)) == []


@dataclass(frozen=True)
class Example:
    """A shape of the test's own."""

    name: str
    count: int
    share: float | None
    pairs: tuple[tuple[str, int], ...] = ()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"name": "a", "count": 1, "share": None}, "lacks pairs"),
        ({"name": "a", "count": 1.5, "share": 0.5, "pairs": []}, "count: 1.5 is no int"),
        ({"name": "a", "count": True, "share": 0.5, "pairs": []}, "count: True is no int"),
        ({"name": 3, "count": 1, "share": 0.5, "pairs": []}, "name: 3 is no str"),
        ({"name": "a", "count": 1, "share": "x", "pairs": []}, "share: 'x'"),
        ({"name": "a", "count": 1, "share": 1, "pairs": [["a"]]}, "has not 2 values"),
        ({"name": "a", "count": 1, "share": 1, "pairs": [], "more": 1}, "nobody told of"),
        ({"count": 1, "name": "a", "share": 1, "pairs": []}, "order of its keys"),
    ],
)
def test_the_check_itself_sees_what_differs(value, words):
    assert any(words in problem for problem in problems(Example, value))
