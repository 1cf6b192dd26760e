"""docs/json.md, made from the types of what `--json` prints.

`python -m explorer.cli.json_page > docs/json.md` writes it anew.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping

from explorer.cli.json_background import BackgroundListed, BackgroundStarted
from explorer.cli.json_types import (
    CriteriaTold,
    FigureDrawn,
    Machine,
    MomentLine,
    MomentShown,
    NetworkTold,
    NetworkTrained,
    NodeExported,
    NodesCompared,
    PublishedFile,
    PublishedFiles,
    PublishedListed,
    RunsCompared,
    Served,
    StoreFreed,
    StorePacked,
    StoresMerged,
    StoreVerified,
    TreeLog,
    TreeSummary,
)
from explorer.views.fitted import BudgetsFitted
from explorer.views.network.diagram import Diagram
from explorer.views.network.differences import NetworksDiffer
from explorer.views.network.rankings import Rankings
from explorer.views.node_view import NodeDetails, NodeView
from explorer.views.plan_view import Plan
from explorer.views.runs import RunsListed
from explorer.views.shape_fields import ShapeField, fields_of
from explorer.views.study.oracle import OracleTold
from explorer.views.study.table import StudyTold

# What each command prints, by its name and the arguments on which it depends.
COMMANDS: dict[str, type] = {
    "auto": TreeSummary,
    "auto --background": BackgroundStarted,
    "branch": TreeSummary,
    "candidate": TreeSummary,
    "decide": TreeSummary,
    "alone": TreeSummary,
    "undo": TreeSummary,
    "redo": TreeSummary,
    "log": TreeLog,
    "runs": RunsListed,
    "show": NodeDetails,
    "compare STORE NODE...": NodesCompared,
    "compare STORE OTHER": RunsCompared,
    "compare STORE --runs A B": RunsCompared,
    "replay": MomentLine,
    "replay --at EVENT": MomentShown,
    "verify": StoreVerified,
    "gc": StoreFreed,
    "pack": StorePacked,
    "merge": StoresMerged,
    "export": NodeExported,
    "train": NetworkTrained,
    "structure": NetworkTold,
    "plan": Plan,
    "criteria": CriteriaTold,
    "plan STORE --macs PERCENT": BudgetsFitted,
    "doctor": Machine,
    "serve": Served,
    "figure": FigureDrawn,
    "diagram": Diagram,
    "diagram --ranking": Rankings,
    "diff": NetworksDiffer,
    "published": PublishedListed,
    "published add": PublishedFile,
    "published remove": PublishedFile,
    "published files": PublishedFiles,
    "jobs": BackgroundListed,
    "study": StudyTold,
    "study oracle": OracleTold,
}
_NAMES = {bool: "true or false", int: "whole number", float: "number", str: "text",
          types.NoneType: "null", object: "anything"}  # fmt: skip
_TOP = """# What `--json` prints

Every command with `--json` prints one JSON object to standard output (`replay` one a line), and
nothing else; progress goes to standard error. Accuracies are percent, similarities in [0, 1], times
UTC. Keys marked *optional* are left out where there is nothing to say; all others are always there,
null where they are not known. A number that is not finite is null, too: JSON has no form for it.

This page is made from the types that are printed (`python -m explorer.cli.json_page`).
"""


def page() -> str:
    """The whole page."""
    lines = [_TOP, "| command | prints |", "| --- | --- |"]
    lines += [f"| `{name}` | {_link(kind)} |" for name, kind in COMMANDS.items()]
    for kind in shapes():
        lines += ["", f"## {kind.__name__}", "", _about(kind), ""]
        lines += ["| key | type | what it says |", "| --- | --- | --- |"]
        lines += [_row(field) for field in _own_fields(kind)]
    return "\n".join(lines)


def shapes() -> list[type]:
    """Every shape, those that commands print first, each before what is in it."""
    found: dict[type, None] = dict.fromkeys(COMMANDS.values())
    waiting = list(found)
    while waiting:
        for field in json_fields(waiting.pop(0)):
            new = [kind for kind in _shapes_in(field.type) if kind not in found]
            found |= dict.fromkeys(new)
            waiting += new
    return list(found)


def json_fields(kind: type) -> list[ShapeField]:
    """The keys of a shape: what the class says itself, else its fields."""
    own = getattr(kind, "json_fields", None)
    if own is not None:
        return list(own())
    return fields_of(kind, typing.get_type_hints(kind))


def _shapes_in(hint: object) -> Iterable[type]:
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return [hint]
    return [kind for part in typing.get_args(hint) for kind in _shapes_in(part)]


def _own_fields(kind: type) -> list[ShapeField]:
    """The keys that the page tells of below a shape's name."""
    told = json_fields(NodeView) if kind is NodeDetails else []
    return [field for field in json_fields(kind) if field not in told]


def _about(kind: type) -> str:
    if kind is NodeView:
        return "One node of a tree: the NODE of every command."
    about = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
    return f"{about} It has all keys of {_link(NodeView)}, and:" if kind is NodeDetails else about


def _row(field: ShapeField) -> str:
    optional = "*optional* " if field.may_be_absent else ""
    return f"| `{field.key}` | {optional}{type_text(field.type)} | {field.about} |"


def type_text(hint: object) -> str:
    """A type as a reader of JSON calls it."""
    if isinstance(hint, type) and hint in _NAMES:
        return _NAMES[hint]
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _link(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(type_text, arguments))
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin is tuple and arguments[-1] is Ellipsis:
        return f"list of {type_text(arguments[0])}"
    if origin is tuple:
        return f"[{', '.join(map(type_text, arguments))}]"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        value = type_text(arguments[1])
        return "object" if value == "anything" else f"object of {value}"
    raise TypeError(f"{hint} is no type that a page can tell of")


def _link(kind: type) -> str:
    return f"[{kind.__name__}](#{kind.__name__.lower()})"


if __name__ == "__main__":
    print(page())
