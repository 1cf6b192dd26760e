"""What the commands about work in the background print with `--json`."""

from __future__ import annotations

from dataclasses import dataclass

from explorer.views.shape_fields import told


@dataclass(frozen=True)
class BackgroundJob:
    """A job under way or waiting."""

    node: str = told("of which node")
    kind: str = told("`propose`, `recover` or `tune`")
    state: str = told("`running` or `queued`")
    phase: str = told("what is done of it now; empty while it waits")
    share: float | None = told("the part that is done, from 0 to 1; null while that is unknown")
    eta_seconds: float | None = told("how long it still takes; null while that is unknown")


@dataclass(frozen=True)
class BackgroundWork:
    """A store that is worked on in the background, or was until lately."""

    store: str = told("the store's path")
    run: str = told("the run's name")
    pid: int = told("the number of the process")
    since: str = told("when it began, UTC")
    works: bool = told("whether it is there")
    decided: int = told("decisions that the policy has made in it")
    left: str = told("what is left to the policy, in words")
    jobs: tuple[BackgroundJob, ...] = told("what it does, and what waits")
    ended: str | None = told("why it ended; null while it works")
    ended_at: str | None = told("when it ended, UTC; null where that is not known")
    failed: bool = told("whether it ended by a failure, or was killed")


@dataclass(frozen=True)
class BackgroundListed:
    """What works on this machine in the background; what has ended is told once."""

    work: tuple[BackgroundWork, ...] = told("the oldest first")


@dataclass(frozen=True)
class BackgroundStarted:
    """What `auto --background` started."""

    store: str = told("the store's path")
    run: str = told("the run's name")
    pid: int | None = told("the number of the process; null where nothing is left to do")
    left: str = told("what is left to the policy, in words")
    stopped: str | None = told("why nothing is left to do; null where something is")
