"""Structures, and the letters that stand for them in the names of nodes: R.L, R.F2, R.BIAS.

The rule depends on nothing but the structure's name, so that two stores never disagree; the rows
are there for the schema, which checks names with them.
"""

from __future__ import annotations

import re

from store.errors import InvalidValueError
from store.records import Structure
from store.sqlite.connection import Connection

# As format 7 has them. A new structure may get a letter here only with a migration that gives it
# the same: in older stores its letters are its name.
LETTERS = {
    "root": "R", "layer": "L", "filter": "F", "head": "H", "neuron": "N", "expert": "E",
    "channel": "C", "unit": "U",
}  # fmt: skip
_NAME = re.compile("[a-z]{2,40}")


def letters_of(structure: Structure) -> str:
    """The letters of a structure; no two structures share them."""
    return LETTERS.get(structure, structure.upper())


def check(structure: object, where: str) -> Structure:
    """A structure that a candidate can have. Raises InvalidValueError."""
    if not isinstance(structure, str) or not _NAME.fullmatch(structure) or structure == "root":
        raise InvalidValueError(
            f"{where} has the structure {structure!r}; give a word of 2 to 40 letters a-z "
            "('layer', 'filter', …) other than 'root'"
        )
    return structure


def keep(connection: Connection, structure: Structure) -> str:
    """The letters of a structure, whose row is there afterwards. Only inside `writing`."""
    row = connection.row("SELECT letters FROM structure WHERE name = ?", (structure,))
    if row is not None:
        return str(row["letters"])
    letters = letters_of(structure)
    connection.insert("structure", name=structure, letters=letters)
    return letters
