"""What CONTRIBUTING says of the code is so: names, files, the walks, the lines for a debugger."""

from __future__ import annotations

import ast
import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
from driver import start
from test_docs import ROOT, blocks

from engine.contracts import setting_sections
from explorer.session.policy import POLICIES
from store.tables import hash_chain

PAGE = ROOT / "CONTRIBUTING.md"
FOLDERS = ("engine", "explorer", "store", "sample_checkpoints", "tests", "docs", "benchmarks")
SOURCES = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
OTHERS = [ROOT / name for name in ("Makefile", "pyproject.toml", ".ci/run", "README.md")]
STEP = re.compile(r"^\d\. `([\w/]+\.py)`: `([\w.]+)`", re.MULTILINE)
# What a reader replaces by a name of their own.
EXAMPLES = {"store/sqlite/formats/format_N.py", "NAME.new.svg", "view.tabN"}


def steps(title: str) -> list[tuple[str, str]]:
    """The files and functions of a walk, in order."""
    _, _, rest = PAGE.read_text().partition(f"## {title}\n")
    return STEP.findall(rest.partition("\n## ")[0])


SIMILARITY = steps("From a candidate's similarity to the Decide card")
KEY = steps("From a key to a stored row")


def defined(path: Path) -> set[str]:
    """The functions and methods of a file, these as `Class.method`."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        functions = (n for n in inside if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
        found |= {prefix + function.name for function in functions}
    return found


@pytest.mark.parametrize("walk", [SIMILARITY, KEY])
def test_a_walk_has_at_most_eight_steps_and_each_is_there(walk):
    assert 5 <= len(walk) <= 8
    for path, name in walk:
        assert name in defined(ROOT / path), (path, name)


def test_pressing_a_goes_the_way_of_the_page(tmp_path, monkeypatch):
    seen: list[list[tuple[str, str]]] = []

    def watched(append: Callable[..., None]) -> Callable[..., None]:
        def run(*arguments: object) -> None:
            seen.append(called_from(sys._getframe(1)))
            append(*arguments)

        return run

    async def play(seat):
        with monkeypatch.context() as patched:
            patched.setattr(hash_chain, "append", watched(hash_chain.append))
            await seat.press("a")
            await seat.at("R.F")
        await seat.idle()

    start(tmp_path, play)
    assert any([step for step in stack if step in KEY] == KEY for stack in seen)


def called_from(frame: FrameType | None) -> list[tuple[str, str]]:
    """The functions of ours that are under way, the outermost first."""
    found = []
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT):
            found.append((str(path.relative_to(ROOT)), frame.f_code.co_qualname))
        frame = frame.f_back
    return found[::-1]


def test_the_lines_for_a_debugger_run_a_session_in_this_process(tmp_path, monkeypatch, capsys):
    from store import TreeStore

    monkeypatch.chdir(tmp_path)
    (block,) = blocks(PAGE, "python")
    exec(compile(block, str(PAGE), "exec"), {"asyncio": asyncio})
    with TreeStore.open(tmp_path / "sample.pex.db") as store:
        run = store.latest_run()
        assert run is not None
        assert {n.name: n.state for n in store.nodes(run.id)} == dict.fromkeys(
            ("R", "R.L", "R.F"), "ready"
        )
    assert "PhaseFinished(node='R.L'" in capsys.readouterr().out


def quoted() -> list[str]:
    """What stands in backticks, in text and tables."""
    text = re.sub(r"```.*?```", "", PAGE.read_text(), flags=re.DOTALL)
    return sorted(set(re.findall(r"`([^`\n]+)`", text)) - EXAMPLES)


def test_every_file_that_the_page_names_is_there():
    known = [
        f"/{path.relative_to(ROOT)}"
        for path in (*SOURCES, *ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))
    ]
    named = [name for name in quoted() if re.fullmatch(r"[\w/]+\.(py|md)", name)]
    assert len(named) > 30
    assert [n for n in named if not any(path.endswith(f"/{n}") for path in known)] == []


def test_every_name_that_the_page_names_is_in_the_code():
    words = {w for path in (*SOURCES, *OTHERS) for w in re.findall(r"\w+", path.read_text())}
    named = [n for n in quoted() if re.fullmatch(r"[\w.]+", n) and not n.endswith((".py", ".md"))]
    assert len(named) > 50
    assert [name for name in named if not set(name.split(".")) <= words] == []


def test_the_map_has_every_folder():
    (drawn, *_) = blocks(PAGE, "text")
    for package in ("engine", "store", "explorer"):
        folders = [path.parent for path in (ROOT / package).rglob("__init__.py")]
        for folder in folders:
            assert f"{folder.name}/" in drawn, folder


def test_policies_and_their_names_in_the_settings_agree():
    assert tuple(POLICIES) == setting_sections.POLICIES
