"""Makes runs-N.tar.xz of formats up to 5. Was run once a format, with the program that wrote it.

export OMP_NUM_THREADS=1 PYTHONPATH=OLD:OLD/tests/session:tests/session
python tests/session/golden_runs/make_runs_5.py N
with OLD a checkout of that program, and one thread as in the tests: bits depend on it.
`make_runs.py` does the same with the program of today.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable

from golden_runs.archive import PLACE, archive_of, pack
from small import OPTIONS, write_data, write_network

from explorer.executor import InProcessExecutor
from explorer.opening import Request, open_session
from explorer.session import Session


def grow(name: str, iterations: int, prepare: Callable[[Session], None]) -> None:
    """Grows a run in a process of its own, which may be killed on the way."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    overrides = {**OPTIONS, "data": str(PLACE / "bars.npz"), "iterations": iterations}
    request = Request(str(PLACE / "tiny.pt"), store=PLACE / f"{name}.pex.db", overrides=overrides)

    async def work() -> None:
        session = await open_session(request, InProcessExecutor, lambda event: None)
        prepare(session)
        await session.grow()
        session.store.close()

    asyncio.run(work())
    os._exit(0)


def killed_on(kind: str, is_it: Callable[[dict], bool]) -> Callable[[Session], None]:
    """The power fails once a session tells of this."""

    def prepare(session: Session) -> None:
        def listen(event: dict) -> None:
            if event["event"] == kind and is_it(event):
                os._exit(9)

        session.listener = listen

    return prepare


def killed_before_storing(session: Session) -> None:
    """The power fails when the first candidate is made and not stored yet."""
    session._store_result = lambda *args: os._exit(9)


def main(number: int) -> None:
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir()
    write_network(PLACE)
    write_data(PLACE)
    grow("finished", 1, lambda session: None)
    grow("measuring", 2, killed_on("recovered", lambda event: event["node"].count(".") == 2))
    grow("decided", 2, killed_on("decided", lambda event: event["parent"] == "R"))
    grow("unstored", 2, killed_before_storing)
    pack(PLACE, archive_of(number))


if __name__ == "__main__":
    main(int(sys.argv[1]))
