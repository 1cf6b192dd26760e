"""What works on this machine in the background, as each process reports it for `pe-explore jobs`.

One small file a store, in this user's state folder (`PE_EXPLORE_STATE` moves it along). A report of
a process that is gone and said no last word tells that it was killed. Nothing here is needed for
the work itself: where no report can be written, the work goes on.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from engine.contracts.codec import FormatError, decode, encode
from engine.contracts.errors import UnusableFileError, UserError
from engine.contracts.files import write_text_atomically
from engine.contracts.marker import start_of
from engine.contracts.outside import read_bounded
from engine.contracts.working_folder import remove_file
from explorer.session.own_files import own_file

_MOST_BYTES, _MOST = 2**20, 1_000
HANDED_OVER = "handed over"  # an end that nobody need be told of


@dataclass(frozen=True)
class JobReport:
    """A job under way or waiting: of which node, in which phase, how far, for how long still."""

    node: str
    kind: str
    state: str
    phase: str = ""
    share: float | None = None
    eta_seconds: float | None = None


@dataclass(frozen=True)
class Report:
    """What a process says of its work. Times are seconds since 1970; `left` is what is left to the
    policy, in words; `ended` why it ended, None while it works."""

    store: str
    pid: int
    started: int | None
    since: float
    run: str = ""
    jobs: tuple[JobReport, ...] = ()
    left: str = ""
    decided: int = 0
    ended: str | None = None
    ended_at: float | None = None
    failed: bool = False
    run_uuid: str = ""

    @property
    def works(self) -> bool:
        """Whether its process is there and has not said its last word."""
        return self.ended is None and self.started is not None and (
            start_of(self.pid) == self.started
        )  # fmt: skip

    @property
    def was_killed(self) -> bool:
        """Whether its process went without a last word."""
        return self.ended is None and not self.works


def reports_folder() -> Path | None:
    """Where reports lie; None for a user who has no folder for such files."""
    path = own_file("PE_EXPLORE_STATE", platformdirs.user_state_path, "state.json")
    return None if path is None else path.with_name(f"{path.stem}.background")


def write_report(report: Report) -> None:
    """Puts a report in place of the one of the same store before; where it cannot be, it is not."""
    path = _path_of(report.store)
    if path is None:
        return
    with contextlib.suppress(OSError, UserError, ValueError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_text_atomically(path, json.dumps(encode(report)))


def forget_report(store: str) -> None:
    """Removes what was said of a store."""
    path = _path_of(store)
    if path is not None:
        remove_file(path)


def reports() -> list[Report]:
    """What is known, the oldest first; files that are none of ours are passed over."""
    return sorted(_read(), key=lambda report: (report.since, report.store))


def report_of(store: Path) -> Report | None:
    """What is known of a store."""
    path = _path_of(os.path.abspath(store))
    return None if path is None else _report_in(path)


def run_in_background(store: Path) -> str:
    """The uuid of the run that is worked on in the background, empty where none is known to be."""
    report = report_of(store)
    return report.run_uuid if report is not None and report.works else ""


def _path_of(store: str) -> Path | None:
    folder = reports_folder()
    if folder is None:
        return None
    return folder / f"{hashlib.sha256(os.path.realpath(store).encode()).hexdigest()[:32]}.json"


def _read() -> Iterator[Report]:
    folder = reports_folder()
    if folder is None:
        return
    try:
        names = sorted(os.listdir(folder))[:_MOST]
    except OSError:
        return
    for name in names:
        if name.endswith(".json") and (report := _report_in(folder / name)) is not None:
            yield report


def _report_in(path: Path) -> Report | None:
    try:
        return decode(Report, json.loads(read_bounded(path, _MOST_BYTES)))
    except (UnusableFileError, FormatError, ValueError, RecursionError):
        return None
