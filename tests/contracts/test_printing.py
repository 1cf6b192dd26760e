"""Text from outside reaches a terminal through few places, each of which makes it harmless."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Who prints: the helpers themselves, JSON (ASCII only), and pages and a version of our own words.
PRINTERS = {
    "explorer/cli/console.py": {"echo", "print"},
    "explorer/cli/json_types.py": {"echo"},
    "explorer/cli/progress.py": {"print"},
    "explorer/cli/main.py": {"echo"},
    "explorer/cli/settings_page.py": {"print"},
    "explorer/cli/json_page.py": {"print"},
    "explorer/cli/methods_page.py": {"print"},
    "explorer/tui/keys.py": {"print"},
    # Tables whose cells `console.cell` made.
    "explorer/cli/commands/compare.py": {"print"},
    "explorer/cli/commands/criteria.py": {"print"},
    "explorer/cli/commands/log_show.py": {"print"},
    "explorer/cli/commands/fit.py": {"print"},
    "explorer/cli/commands/plan.py": {"print"},
    "explorer/cli/commands/published.py": {"print"},
    "explorer/cli/commands/runs.py": {"print"},
    "explorer/cli/commands/structure.py": {"print"},
    "explorer/cli/commands/study.py": {"print"},
    "explorer/cli/commands/study_oracle.py": {"print"},
}
# Who makes Rich's texts in commands; in the app they are everywhere, and markup is off everywhere.
TEXT_MAKERS = {"explorer/cli/console.py", "explorer/cli/progress.py"}
STREAMS = ("stdout", "stderr")


def calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]


def name_of(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def is_printing(call: ast.Call) -> bool:
    name = name_of(call.func)
    if name in ("print", "echo", "secho", "pprint"):
        return True
    if not isinstance(call.func, ast.Attribute) or name not in ("write", "writelines", "rule"):
        return False
    return name_of(call.func.value) in (*STREAMS, "console")


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def test_only_the_helpers_print() -> None:
    found = {}
    for path in sources("explorer", "store"):
        names = {name_of(call.func) for call in calls(path) if is_printing(call)}
        if names:
            found[str(path.relative_to(ROOT))] = names
    assert found == PRINTERS


def test_texts_of_commands_are_made_by_the_helpers() -> None:
    for path in sources("explorer/cli"):
        if str(path.relative_to(ROOT)) in TEXT_MAKERS:
            continue
        for call in calls(path):
            if name_of(call.func) == "Text":
                # A separator between cells.
                assert isinstance(call.args[0], ast.Constant), f"{path}:{call.lineno}"


def test_every_text_of_the_app_is_plain() -> None:
    """Nothing is read as markup: neither by Rich nor by a widget that takes a string."""
    for path in sources("explorer"):
        for call in calls(path):
            name, where = name_of(call.func), f"{path}:{call.lineno}"
            assert name not in ("from_markup", "render_markup"), where
            # plotext answers in ANSI; it is given numbers and our own words only.
            assert name != "from_ansi" or path.name == "terminal_plot.py", where
            keywords = {keyword.arg: keyword.value for keyword in call.keywords}
            if name in ("Static", "Label") or (name == "notify" and _is_apps(call)):
                markup = keywords.get("markup")
                assert isinstance(markup, ast.Constant) and markup.value is False, where


def _is_apps(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and name_of(call.func.value) == "app"
