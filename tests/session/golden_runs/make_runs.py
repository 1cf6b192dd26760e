"""Makes runs-N.tar.xz with the program of today, N being the format of its stores.

OMP_NUM_THREADS=1 PYTHONPATH=.:tests/session python tests/session/golden_runs/make_runs.py
Run once, when format N is new. Older archives were made by `make_runs_5.py`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable

from golden_runs.archive import PLACE, archive_of, pack
from small import request_of, write_data, write_network

from explorer.executors.in_process import InProcessExecutor
from explorer.session.events import Decided, Emit, PhaseFinished, SessionEvent, ignore
from explorer.session.open_run import open_session
from explorer.session.session import Session
from store.sqlite import schema


def grow(
    name: str,
    iterations: int,
    emit: Emit = ignore,
    prepare: Callable[[Session], None] = lambda session: None,
) -> None:
    """Grows a run in a process of its own, which may be killed on the way."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    files = (PLACE / "tiny.pt", PLACE / "bars.npz")
    request = request_of(files, PLACE / f"{name}.pex.db", iterations=iterations)

    async def work() -> None:
        session = await open_session(request, InProcessExecutor, emit)
        prepare(session)
        await session.grow()
        session.store.close()

    asyncio.run(work())
    os._exit(0)


def killed_on(is_it: Callable[[SessionEvent], bool]) -> Emit:
    """The power fails once a session tells of this."""

    def listen(event: SessionEvent) -> None:
        if is_it(event):
            os._exit(9)

    return listen


def killed_before_storing(session: Session) -> None:
    """The power fails when the first candidate is made and not stored yet."""
    session.store.finish = lambda *args, **kwargs: os._exit(9)  # type: ignore[method-assign]


def is_recovery_below_the_first_kept_node(event: SessionEvent) -> bool:
    return isinstance(event, PhaseFinished) and event.node.count(".") == 2


def main() -> None:
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir()
    write_network(PLACE)
    write_data(PLACE)
    grow("finished", 1)
    grow("measuring", 2, killed_on(is_recovery_below_the_first_kept_node))
    grow("decided", 2, killed_on(lambda event: isinstance(event, Decided)))
    grow("unstored", 2, prepare=killed_before_storing)
    pack(PLACE, archive_of(schema.newest_format()))


if __name__ == "__main__":
    main()
