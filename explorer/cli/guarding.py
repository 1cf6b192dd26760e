"""Errors of commands, told in a line, and their exit codes. Imports next to nothing."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
FAILED, USAGE, INTERRUPTED = 1, 2, 130


def guarded(command: Callable[P, T]) -> Callable[P, T]:
    """The command with errors that a user can mend told in one line, and their exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt:
            complain("interrupted; what was finished is kept, the same command goes on from there")
            raise SystemExit(INTERRUPTED) from None
        except BrokenPipeError:
            raise SystemExit(FAILED) from None  # the reader (head, less) has gone
        except Exception as error:
            from explorer.session.errors import exit_code_of, is_mendable

            if isinstance(error, OSError) and not _has_current_folder():
                complain("the current folder was deleted; go to another one, or give full paths")
                raise SystemExit(USAGE) from None
            if not is_mendable(error):
                raise
            complain(str(error))
            raise SystemExit(exit_code_of(error)) from None

    return run


def _has_current_folder() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def complain(message: str) -> None:
    """Says on standard error what is wrong."""
    from explorer.cli.console import say

    say(f"pe-explore: {message}", err=True)
    sys.stderr.flush()
