"""What the pages say can be done."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")),
         ROOT / "sample_checkpoints/README.md"]  # fmt: skip


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for block in blocks(page, "sh"):
            joined = block.replace("\\\n", " ")
            lines = [line for line in joined.splitlines() if re.search(r"pe-explore( |$)", line)]
            found += [(page.name, line) for line in lines]
    return found


@pytest.mark.parametrize(("page", "line"), commands())
def test_commands_on_the_pages_exist_with_their_options(page, line):
    from explorer.cli.main import app

    words = shlex.split(line, comments=True)
    arguments = words[words.index("pe-explore") + 1 :]
    commands = typer.main.get_command(app).commands
    if not arguments or arguments[0] not in commands:
        arguments = ["open", *arguments]  # the default command
    command = commands[arguments[0]]
    # Parsing checks names, types and counts without running anything.
    command.make_context(arguments[0], list(arguments[1:]))


def test_the_python_on_the_readme_runs(tmp_path, monkeypatch):
    from engine.data.sources import sample_file

    (tmp_path / "best.pt").write_bytes(sample_file("sample.pt").read_bytes())
    monkeypatch.chdir(tmp_path)
    (block,) = blocks(ROOT / "README.md", "python")
    assert len([line for line in block.splitlines() if line.strip()]) <= 5
    names: dict = {}
    exec(block, names)
    assert tuple(names["logits"].shape) == (1, 10)


def test_the_recipes_name_every_format_that_a_node_can_be_exported_to():
    from engine.contracts.export_formats import FORMATS

    recipe = (ROOT / "docs/recipes.md").read_text().partition("## Take a network away")[2]
    assert all(f"best best{suffix}\n" in recipe and f"`{suffix}`" in recipe for suffix in FORMATS)


def test_pages_link_to_what_is_there():
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert target.startswith("http") or (page.parent / target).exists(), (page, target)
