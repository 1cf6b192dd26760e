"""Files of weights fetched from where their library says they lie."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from pathlib import Path

from engine.contracts.errors import EngineError
from engine.contracts.message_text import plain
from engine.runtime.progress import Monitor

SECONDS = 30.0  # without a byte
MOST_BYTES = 8 * 2**30
_CHUNK = 2**18
# Libraries put the first digits of a file's SHA-256 into its name.
_NAMED_DIGITS = re.compile(r"-([0-9a-f]{8,64})\.")


class UnreachableError(EngineError):
    """A file that cannot be had from where it lies."""

    code = "unreachable"


def fetch(url: str, destination: Path, monitor: Monitor) -> None:
    """Writes the file at a url to `destination`, all of it or none.

    Raises UnreachableError where it cannot be had, or is another than its name says; Cancelled.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    part = destination.with_name(f".{destination.name}.{os.getpid()}.part")
    try:
        sha256 = _downloaded(url, part, monitor)
        digits = _NAMED_DIGITS.search(destination.name)
        if digits is not None and not sha256.startswith(digits[1]):
            raise UnreachableError(
                f"what {url} gives is not the file of that name (its SHA-256 begins with "
                f"{sha256[:8]}); something between here and there changes files"
            )
        os.replace(part, destination)
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise UnreachableError(f"{url} cannot be fetched ({plain(str(reason))})") from error
    finally:
        part.unlink(missing_ok=True)


def _downloaded(url: str, part: Path, monitor: Monitor) -> str:
    """The SHA-256 of what was written."""
    digest, done = hashlib.sha256(), 0
    request = urllib.request.Request(url, headers={"User-Agent": "pe-explore"})
    with urllib.request.urlopen(request, timeout=SECONDS) as answer, open(part, "wb") as file:
        total = int(answer.headers.get("Content-Length") or 0)
        if total > MOST_BYTES:
            raise UnreachableError(f"{url} has {total / 2**30:.0f} GiB; no weights are that large")
        while chunk := answer.read(_CHUNK):
            done += len(chunk)
            if done > MOST_BYTES:
                raise UnreachableError(f"{url} does not end; no weights are that large")
            file.write(chunk)
            digest.update(chunk)
            monitor.step(f"fetching {part.name[1:].partition('.')[0]}", done, max(done, total))
        if done < total:
            raise UnreachableError(f"{url} ended after {done:,} of {total:,} bytes; try again")
    return digest.hexdigest()
