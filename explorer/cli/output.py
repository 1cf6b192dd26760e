"""Standard output and errors that can take whatever is said: in any encoding, on any device.

A terminal or file that is not UTF-8 gets ASCII in place of what it cannot show. Where output
cannot be written that is told; progress that nobody can read any more ends no work.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys
from typing import TextIO

from engine.contracts.errors import UserError

_LIKE = "pe-like"  # the handler of what an encoding lacks
_ASCII = "pe-ascii"
# One for one where columns stand in line; ≥ and ≤ stand in sentences, and would be untrue cut.
_ALIKE = str.maketrans({
    "●": "*", "○": "o", "◌": ".", "◇": "?", "◐": "~", "✗": "x", "✓": "v", "★": "<", "⚑": "!",
    "▬": "=", "▮": "#", "█": "@", "▓": "%", "▒": "+", "░": ":", "╌": "-", "┄": "-", "⊘": "0",
    "▲": "^", "△": "^", "▵": "^", "├": "|", "└": "`", "│": "|", "─": "-",
    "−": "-", "–": "-", "→": ">", "≥": ">=", "≤": "<=", "×": "x", "·": ".", "…": "~",
    "“": '"', "”": '"', "’": "'",
})  # fmt: skip


class OutputError(UserError):
    """Standard output that cannot be written to."""

    code = "output"


class _Output(io.TextIOWrapper):
    """A stream that names what is wrong with it; one for `remarks` keeps that to itself."""

    remarks = False

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._failed(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        _to_nowhere(self.fileno())  # what waits to be written must not fail again at the end
        if not self.remarks:
            if error.errno == errno.EPIPE:
                raise error
            raise OutputError(
                f"cannot write to standard output: {error.strerror}. What was done is kept"
            ) from error


def prepare() -> None:
    """Makes the streams of this process so. Before anything is said."""
    for number in range(3):
        _fill(number)
    codecs.register(_find_codec)
    codecs.register_error(_LIKE, _alike)
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = _made_safe(getattr(sys, name), number)
        stream.remarks = number == 2
        for each in (name, f"__{name}__"):  # the app writes to the second one
            setattr(sys, each, stream)


def _fill(number: int) -> None:
    """A closed stream is opened on nothing: the next file would be taken for it."""
    try:
        os.fstat(number)
    except OSError:
        opened = os.open(os.devnull, os.O_RDWR)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)


def _to_nowhere(number: int) -> None:
    with contextlib.suppress(OSError):
        opened = os.open(os.devnull, os.O_WRONLY)
        os.dup2(opened, number)
        os.close(opened)


def _made_safe(stream: TextIO | None, number: int) -> _Output:
    if isinstance(stream, io.TextIOWrapper):
        encoding, by_line = stream.encoding, stream.line_buffering
        stream.flush()
        buffer = stream.detach()
    else:  # None where it was closed
        encoding, by_line = "utf-8", False
        buffer = os.fdopen(number, "wb", closefd=False)
    if codecs.lookup(encoding).name == "ascii":
        encoding = _ASCII  # under its own name click would write UTF-8 instead
    return _Output(buffer, encoding=encoding, errors=_LIKE, line_buffering=by_line)


def _alike(error: UnicodeError) -> tuple[str, int]:
    """What is written for characters that an encoding lacks: others like them, else escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end].translate(_ALIKE)
    return lacking.encode("ascii", "backslashreplace").decode("ascii"), error.end


def _find_codec(name: str) -> codecs.CodecInfo | None:
    if name.replace("_", "-") != _ASCII:
        return None
    plain = codecs.lookup("ascii")
    return codecs.CodecInfo(
        plain.encode,
        plain.decode,
        plain.streamreader,
        plain.streamwriter,
        plain.incrementalencoder,
        plain.incrementaldecoder,
        name=_ASCII,
    )
