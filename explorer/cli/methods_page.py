"""docs/methods.md, made from the methods that front ends know.

`python -m explorer.cli.methods_page > docs/methods.md` writes it anew.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.contracts.methods import KINDS, Method
from engine.contracts.options import flag

_TOP = """# Methods

What a tree can be grown by: every method of the field that is built in, by the option that chooses
it. All of them live in one tree, and a run may be forked with another (`branch --fork`).

This page is made from the methods themselves (`python -m explorer.cli.methods_page`).
"""
_QUESTIONS = {
    "criterion": "What ranks blocks and units?",
    "similarity": "How alike are a candidate and its parent?",
    "repair": "What is mended before a candidate is trained?",
    "recover": "What is trained of a candidate?",
    "allocation": "How many units does each group give?",
    "search": "In which order is the tree grown?",
}
_HEAD = ("| name | what it does | for | source |", "| --- | --- | --- | --- |")


def page() -> str:
    """The whole page."""
    lines = [_TOP]
    for option, methods in KINDS.items():
        lines += [f"## `{flag(option)}`", "", _QUESTIONS[option], "", *_HEAD]
        lines += [*_rows(methods), ""]
    return "\n".join(lines).rstrip("\n")


def _rows(methods: Mapping[str, Method]) -> list[str]:
    return [
        f"| `{each.usage}` | {each.summary} | {each.applies or 'any network'} | {each.source} |"
        for each in methods.values()
    ]


if __name__ == "__main__":
    print(page())
