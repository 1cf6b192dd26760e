"""What the command line does before a command: the default command, did-you-mean."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from explorer.cli.guarding import USAGE, complain

# What typer's parser raises; newer versions have a copy of click of their own, with its own class.
_ParserError: type[Exception] = typer.BadParameter.__bases__[0]
_ROOT_OPTIONS = ("-h", "--help", "-V", "--version", "--install-completion", "--show-completion")


class DefaultCommandGroup(TyperGroup):
    """`pe-explore X.pt` is `pe-explore open X.pt`; a file named like a command is `./auto`."""

    default_command = "open"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        first = args[0].split("=")[0] if args else ""
        if first not in self.commands and first not in _ROOT_OPTIONS:
            self._refuse_misspelling(first, args)
            args = [self.default_command, *args]
        with _harmless_words():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        with _harmless_words():
            return super().invoke(ctx)

    def _refuse_misspelling(self, first: str, args: list[str]) -> None:
        if not first or first == "sample" or first.startswith("-") or os.path.exists(first):
            return
        from engine.contracts.near import did_you_mean

        hint = did_you_mean(first, self.commands).rstrip()
        if hint and (len(args) > 1 or "." not in first):
            complain(f"there is no command {first!r}; {hint}")
            raise SystemExit(USAGE)

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        formatter.write_usage("pe-explore", "[MODEL|STORE] | COMMAND [ARGS]...")


@contextmanager
def _harmless_words() -> Iterator[None]:
    """Errors of the parser quote what was typed, which may come from anywhere."""
    try:
        yield
    except _ParserError as error:
        from explorer.views.safe_text import safe

        error.message = safe(error.message)  # type: ignore[attr-defined]
        raise
