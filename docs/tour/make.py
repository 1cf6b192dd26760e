"""Makes the pictures of the tour: the real app steers the bundled sample, and is photographed.

Usage: python docs/tour/make.py [FOLDER] (or `make tour`). Takes about a minute on two cores.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).parent
SIZE = (120, 36)
SECONDS = 480.0  # that a scene may take to come, on a machine that has other work too


class Photographer:
    """Drives the app by its keys and writes what it shows."""

    def __init__(self, app, pilot) -> None:
        self.app = app
        self.pilot = pilot
        self.pictures: dict[str, str] = {}  # by the name of their file

    async def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise SystemExit("the tour waited in vain; is the sample still what it was?")
            await self.pilot.pause(0.05)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause(0.3)

    async def photograph(self, name: str) -> None:
        self.app.clear_notifications()
        self.app.main.paint()
        await self.pilot.pause(0.3)
        name = f"{len(self.pictures) + 1}-{name}.svg"
        self.pictures[name] = self.app.export_screenshot(title="pe-explore")
        print(name)


def measured(app, parent: str) -> bool:
    """Whether both candidates of a parent are there."""
    children = [app.state.live.objects[name] for name in app.state.live.children(parent)]
    return len(children) == 2 and all(child.state == "ready" for child in children)


async def tour(folder: Path) -> dict[str, str]:
    from explorer.session.open_run import Request
    from explorer.tui.app import ExplorerApp
    from explorer.tui.config import Config

    request = Request("sample", store=folder / "sample.pex.db")
    app = ExplorerApp(request, Config(theme="dark"))
    async with app.run_test(size=SIZE) as pilot:
        camera = Photographer(app, pilot)
        await camera.until(lambda: any(j.phase == "recovery" for j in app.state.live.jobs.values()))
        await camera.until(lambda: any(len(c.loss) > 6 for c in app.state.live.curves.values()))
        await camera.photograph("candidates-recover")
        await camera.until(lambda: measured(app, "R"))
        await camera.photograph("decide")
        await camera.press("a")
        kept = app.state.selected
        await camera.until(lambda: measured(app, kept))
        await camera.press("b")
        await camera.until(lambda: len(app.state.live.objects) >= 9)
        await camera.until(lambda: not app.state.steering.busy)
        await camera.press("home", "4")
        await camera.photograph("both-branches")
        await camera.press("2", "t")
        await camera.photograph("pareto-and-table")
        await camera.press("t", "left_curly_bracket", *["right_square_bracket"] * 4)
        await camera.photograph("replay")
        await camera.press("right_curly_bracket", "e")
        await camera.photograph("another-candidate")
        await camera.press("escape")
    await app.release()
    return camera.pictures


def main(album: Path = FOLDER) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PE_EXPLORE_STATE"] = str(Path(folder) / "state.json")
        pictures = asyncio.run(tour(Path(folder)))
    for old in album.glob("*.svg"):  # only now: a tour that fails leaves the pictures as they are
        old.unlink()
    for name, picture in pictures.items():
        (album / name).write_text(picture)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
