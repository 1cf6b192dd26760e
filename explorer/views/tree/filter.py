"""Filter expressions over nodes: `acc>93 macs<50 structure=layer state=ready kept name~R.L`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, get_args

from engine.contracts.metrics import measure
from engine.contracts.near import did_you_mean
from engine.contracts.structure import Kind

if TYPE_CHECKING:
    from explorer.views.tree.node import TreeNode

Predicate = Callable[["TreeNode"], bool]

_TERM = re.compile(
    r"(?P<negated>!?)(?P<field>[^\s<>=!~\"]+)"
    r"(?:\s*(?P<sign><=|>=|!=|!~|==|=|<|>|~)\s*(?P<value>\"[^\"]*\"|[^\s\"]+))?(?=\s|$)"
)
_ORDER = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}


def _reader(key: str) -> Callable[[TreeNode], float | None]:
    return lambda node: node.measure(key)


_NUMBERS: dict[str, Callable[[TreeNode], float | None]] = {
    measure(key).word: _reader(key) for key in ("val_accuracy", "similarity")
}
_NUMBERS |= {
    "macs": _reader("macs_reduction"),  # what was removed, as all panes say it
    measure("macs_reduction").word: _reader("macs_reduction"),
    "depth": lambda node: node.name.count("."),
}
_WORDS: dict[str, tuple[Callable[[TreeNode], str], tuple[str, ...]]] = {
    "structure": (
        lambda node: node.structure,
        ("layer", *get_args(Kind), "unit", "root"),
    ),
    "state": (lambda node: node.state, ("queued", "running", "ready", "failed", "cancelled")),
}
_FLAGS: dict[str, Predicate] = {
    "kept": lambda node: node.kept is True,
    "rejected": lambda node: node.kept is False,
    "undecided": lambda node: node.kept is None,
    "tagged": lambda node: node.tagged,
}
_TRUTHS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
FIELDS = (*_NUMBERS, *_WORDS, *_FLAGS, "name")


def parse_filter(text: str) -> Predicate | None:
    """The test that a node passes when it meets every term of `text`; None for no terms.

    Terms are `field<value` (also `<= > >= = !=`), `name~part` (also `!~`) and flags, each of
    which `!` in front negates. `acc` and `macs` (what was removed of the root's,
    `reduction` too) are percent, `cka` is in [0, 1]. A node that lacks the value fails the term.
    Raises ValueError.
    """
    tests: list[Predicate] = []
    position = 0
    while rest := text[position:].strip():
        position = len(text.rstrip()) - len(rest)
        match = _TERM.match(text, position)
        if match is None:
            raise ValueError(f"cannot read {rest!r}; write terms like acc>93, kept or name~R.L")
        negated, field, sign, value = match.group("negated", "field", "sign", "value")
        test = _term(field.lower(), sign, (value or "").strip('"'))
        tests.append(_negated(test) if negated else test)
        position = match.end()
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else lambda node: all(test(node) for test in tests)


def _negated(test: Predicate) -> Predicate:
    return lambda node: not test(node)


def _term(field: str, sign: str | None, value: str) -> Predicate:
    if sign is None:
        return _bare(field)
    if field in _NUMBERS:
        return _number(field, sign, value)
    if field in _WORDS:
        return _word(field, sign, value)
    if field in _FLAGS:
        return _flag(field, sign, value)
    if field == "name":
        return _name(sign, value)
    raise ValueError(f"unknown field {field!r}{_nearest(field, FIELDS)}; {_known(FIELDS)}")


def _bare(field: str) -> Predicate:
    if field in _FLAGS:
        return _FLAGS[field]
    for words, (read, known) in _WORDS.items():
        if field in known:
            return lambda node: read(node) == field
        if field == words:
            raise ValueError(f"{field} needs a value: {field}={known[0]}; {_known(known)}")
    if field in _NUMBERS or field == "name":
        example = "name~R.L" if field == "name" else f"{field}>0.9"
        raise ValueError(f"{field} needs a comparison, such as {example}")
    hint = _nearest(field, FIELDS)
    raise ValueError(f"unknown field {field!r}{hint}; {_known(FIELDS)}; name~{field} finds names")


def _number(field: str, sign: str, value: str) -> Predicate:
    if sign not in _ORDER:
        raise ValueError(f"{field} is a number: compare it with < <= > >= = !=, not {sign}")
    try:
        limit = float(value.removesuffix("%"))
    except ValueError:
        raise ValueError(f"{field} is compared with a number, not {value!r}") from None
    read, compare = _NUMBERS[field], _ORDER[sign]

    def test(node: TreeNode) -> bool:
        number = read(node)
        return number is not None and compare(number, limit)

    return test


def _word(field: str, sign: str, value: str) -> Predicate:
    read, known = _WORDS[field]
    wanted = _equality(field, sign)
    if value not in known:
        raise ValueError(f"{field} is never {value!r}{_nearest(value, known)}; {_known(known)}")
    return lambda node: (read(node) == value) is wanted


def _flag(field: str, sign: str, value: str) -> Predicate:
    wanted = _equality(field, sign)
    if value.lower() not in _TRUTHS:
        raise ValueError(f"{field} is yes or no, not {value!r}")
    wanted = wanted is _TRUTHS[value.lower()]
    return lambda node: _FLAGS[field](node) is wanted


def _name(sign: str, value: str) -> Predicate:
    if sign in ("~", "!~"):
        part = value.casefold()
        return lambda node: (part in node.name.casefold()) is (sign == "~")
    wanted = _equality("name", sign)
    return lambda node: (node.name == value) is wanted


def _equality(field: str, sign: str) -> bool:
    """True for `=`, False for `!=`; anything else has no meaning for words."""
    if sign in ("=", "=="):
        return True
    if sign == "!=":
        return False
    raise ValueError(f"{field} is compared with = or !=, not {sign}")


def _nearest(word: str, known: Collection[str]) -> str:
    hint = did_you_mean(word, known).rstrip()
    return f", {hint}" if hint else ""


def _known(words: Collection[str]) -> str:
    return f"known: {', '.join(words)}"
