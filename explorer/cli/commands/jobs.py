"""`jobs`: what works on this machine in the background, and its end."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from engine.contracts.errors import UsageError
from engine.contracts.marker import Marker
from explorer.cli.console import say
from explorer.cli.json_background import BackgroundJob, BackgroundListed, BackgroundWork
from explorer.cli.json_types import print_json
from explorer.cli.sessions import ending_in_order
from explorer.session import in_background
from explorer.session.background_reports import JobReport, Report, forget_report, reports
from explorer.session.budget import clock
from explorer.session.named_files import store_path
from explorer.session.open_run import spool_of
from explorer.views.counting import counted
from explorer.views.duration import duration

STOP_SECONDS = 30.0
KILLED = "its process was ended from outside; opening the store goes on"


def jobs(action: str, store: Path | None, *, everything: bool, as_json: bool) -> int:
    """Lists, stops or waits for work in the background; the exit code."""
    if action == "list":
        if store is not None or everything:
            raise UsageError("`jobs` lists all; `jobs stop STORE` and `jobs wait STORE` name one")
        told = reports()
    else:
        marked = _named(store, everything=everything, action=action)
        told = asyncio.run(_stop(marked) if action == "stop" else _wait(marked))
    _print(told, as_json)
    for report in told:
        if not report.works:  # it has been told
            forget_report(report.store)
    return 1 if action != "list" and any(each.works or _failed(each) for each in told) else 0


# ------------------------------------------------------------ which, and their end


def _named(store: Path | None, *, everything: bool, action: str) -> list[Path]:
    """The stores that are meant. Raises UsageError."""
    if store is not None:
        path = store_path(store)
        if action == "stop" and in_background.process_on(path, spool_of(path)) is None:
            raise UsageError(f"nothing works on {path} in the background; `pe-explore jobs` lists")
        return [path]
    working = [Path(report.store) for report in reports() if report.works]
    if len(working) > 1 and not everything and action == "stop":
        names = ", ".join(map(str, working))
        raise UsageError(f"several are worked on: {names}. Name one, or say --all")
    if not working and action == "stop":
        raise UsageError("nothing works in the background")
    return working


async def _stop(stores: Sequence[Path]) -> list[Report]:
    await asyncio.gather(*map(_stop_one, stores))
    return _reports_on(stores)


async def _stop_one(store: Path) -> None:
    spool = spool_of(store)
    marker = in_background.process_on(store, spool)
    if marker is None:
        return
    await in_background.ask(store, spool, in_background.STOP, STOP_SECONDS)
    if not await in_background.ended(marker, STOP_SECONDS):
        say(f"{store} has not ended within {STOP_SECONDS:.0f} s", err=True)


async def _wait(stores: Sequence[Path]) -> list[Report]:
    """Until all of these have ended, whoever ends them; Ctrl-C ends the waiting alone."""
    markers = [in_background.process_on(store, spool_of(store)) for store in stores]
    with ending_in_order():
        await asyncio.gather(*map(_end_of, filter(None, markers)))
    return _reports_on(stores)


async def _end_of(marker: Marker) -> None:
    await in_background.ended(marker, None)


def _reports_on(stores: Sequence[Path]) -> list[Report]:
    wanted = {os.path.realpath(store) for store in stores}
    return [report for report in reports() if os.path.realpath(report.store) in wanted]


# ------------------------------------------------------------ what is told


def _failed(report: Report) -> bool:
    return report.failed or report.was_killed


def _print(told: Sequence[Report], as_json: bool) -> None:
    if as_json:
        print_json(BackgroundListed(tuple(map(_shape, told))))
        return
    if not told:
        say("nothing works in the background")
    for report in told:
        for line in lines_of(report, time.time()):
            say(line)


def lines_of(report: Report, now: float) -> list[str]:
    """A report as a person reads it."""
    name = os.path.relpath(report.store)
    name = report.store if name.startswith("..") else name
    if not report.works:
        at = "" if report.ended_at is None else f" {clock(report.ended_at, now)}"
        return [f"{name}  ended{at}: {report.ended or KILLED}{_decided(report)}"]
    since = clock(report.since, now)
    head = f"{name}  works since {since} (process {report.pid}){_decided(report)}"
    if report.left:
        head += f"; left to the policy: {report.left}"
    return [head, *(f"  {_job_line(job)}" for job in report.jobs)]


def _decided(report: Report) -> str:
    return f"; {counted(report.decided, 'decision')} made" if report.decided else ""


def _job_line(job: JobReport) -> str:
    if job.state == "queued":
        return f"{job.node} {job.kind}: waits"
    share = "" if job.share is None else f" {100 * job.share:.0f} %"
    eta = "" if job.eta_seconds is None else f", {duration(job.eta_seconds)} left"
    return f"{job.node} {job.kind}: {job.phase or job.state}{share}{eta}"


def _shape(report: Report) -> BackgroundWork:
    return BackgroundWork(
        store=report.store,
        run=report.run,
        pid=report.pid,
        since=_utc(report.since) or "",
        works=report.works,
        decided=report.decided,
        left=report.left if report.works else "",
        jobs=tuple(
            BackgroundJob(j.node, j.kind, j.state, j.phase, j.share, j.eta_seconds)
            for j in (report.jobs if report.works else ())
        ),
        ended=None if report.works else report.ended or KILLED,
        ended_at=_utc(report.ended_at),
        failed=_failed(report),
    )


def _utc(moment: float | None) -> str | None:
    if moment is None or not 0 <= moment < 1e11:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
