"""The command `pe-explore`. To open a tree, the parser of all commands is not imported: it takes a
fifth of the time to the first content."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from explorer.cli import output
from explorer.cli.guarding import guarded


def main() -> None:
    """The entry point."""
    store = only_a_store(sys.argv[1:])
    if store is None:
        from explorer.cli.main import main as any_command

        any_command()
        return
    output.prepare()
    raise SystemExit(_open(store))


def only_a_store(arguments: Sequence[str]) -> str | None:
    """The store that is all that was said: `pe-explore STORE`. Files with a name that commands
    could have are left to the parser."""
    if len(arguments) != 1 or not arguments[0].endswith(".db") or arguments[0].startswith("-"):
        return None
    from explorer.session.named_files import is_store

    return arguments[0] if is_store(Path(arguments[0]).expanduser()) else None


@guarded
def _open(store: str) -> int:
    from explorer.cli.starting import in_a_hurry

    with in_a_hurry():
        from explorer.cli.commands.explore import explore
        from explorer.session.open_run import Request

        return explore(Request(store))


if __name__ == "__main__":
    main()
