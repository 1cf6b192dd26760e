"""The write path is one: whoever grows or decides, the session stores it."""

from __future__ import annotations

import ast
from pathlib import Path

EXPLORER = Path(__file__).parents[2] / "explorer"
WRITERS = {
    "finish": {"session/job_runner.py"},  # results of the engine
    "set_state": {"session/job_runner.py"},
    "add_candidates": {"session/job_runner.py"},
    "decide": {"session/session.py", "session/steering.py"},  # steering: undo and redo
    "add_evaluation": {"session/study/control.py", "session/confirming.py"},
    "create_run": {"session/new_run.py", "session/fork.py", "session/another_run.py"},
}


def calls_of_a_store(source: str) -> set[str]:
    """The methods that are called on something named `store`."""
    return {
        node.func.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (getattr(node.func.value, "attr", None) or getattr(node.func.value, "id", None))
        == "store"
    }


def test_each_kind_of_row_is_written_in_one_place() -> None:
    found: dict[str, set[str]] = {name: set() for name in WRITERS}
    for path in EXPLORER.rglob("*.py"):
        for name in calls_of_a_store(path.read_text()) & WRITERS.keys():
            found[name].add(str(path.relative_to(EXPLORER)))
    assert found == WRITERS
