"""What the command line does before a command: the default command, did-you-mean, exit codes."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import typer
from typer.core import TyperGroup

P = ParamSpec("P")
T = TypeVar("T")
FAILED, USAGE, INTERRUPTED = 1, 2, 130
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
            _complain(f"there is no command {first!r}; {hint}")
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


def guarded(command: Callable[P, T]) -> Callable[P, T]:
    """The command with errors that a user can mend told in one line, and their exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt:
            _complain("interrupted; what was finished is kept, the same command goes on from there")
            raise SystemExit(INTERRUPTED) from None
        except BrokenPipeError:
            raise SystemExit(FAILED) from None  # the reader (head, less) has gone
        except Exception as error:
            from explorer.session.errors import exit_code_of, is_mendable

            if isinstance(error, OSError) and not _has_current_folder():
                _complain("the current folder was deleted; go to another one, or give full paths")
                raise SystemExit(USAGE) from None
            if not is_mendable(error):
                raise
            _complain(str(error))
            raise SystemExit(exit_code_of(error)) from None

    return run


def _has_current_folder() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _complain(message: str) -> None:
    from explorer.cli.console import say

    say(f"pe-explore: {message}", err=True)
    sys.stderr.flush()
