"""Pictures of the real app over the scripted executor, compared with those that were accepted.

A picture that differs is written beside the accepted one as NAME.new.svg. Look at both in a
browser; PE_UPDATE_SNAPSHOTS=1 accepts what the app shows now.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

from driver import Seat, explore, grown
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style
from textual.widgets import Input

from engine.contracts.requests import CandidateRequest, RemoveBlocks
from explorer.tui.screens.compare_screen import CompareScreen
from explorer.tui.screens.help_screen import HelpScreen
from explorer.tui.screens.message_dialogs import QuitDialog

FOLDER = Path(__file__).with_name("snapshots")


def picture(app, title: str) -> str:
    """The screen as SVG, the same whenever it looks the same: how a line was put together from
    cached pieces does not show."""
    width, height = app.size
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=True,
                      color_system="truecolor", record=True, legacy_windows=False,
                      safe_box=False)  # fmt: skip
    background = app._background_screens
    update = app.screen._compositor.render_update(full=True, screen_stack=background)
    for pieces in update.strips:
        plain = [Segment(s.text, _looks(s.text, s.style)) for strip in pieces for s in strip]
        console.print(Segments([*Segment.simplify(plain), Segment.line()]), end="")
    return re.sub(r"terminal-\d+", "terminal", console.export_svg(title=title))


def _looks(text: str, style: Style | None) -> Style:
    """A style without what cannot be seen: its links, and the foreground of blanks."""
    style = (style or Style()).clear_meta_and_links()
    if text.strip() or style.reverse or style.underline:
        return style
    return Style(bgcolor=style.bgcolor)


async def quiet_picture(seat: Seat, title: str) -> str:
    """The picture once several in a row are the same, the footer's keys on it."""
    seen: list[str] = []

    def is_quiet() -> bool:
        seen.append(picture(seat.app, title))
        in_front = len(seat.app.screen_stack) == 1
        return len(seen) > 2 and len(set(seen[-3:])) == 1 and (not in_front or "Help" in seen[-1])

    await seat.pilot.pause()
    await seat.until(is_quiet, "a quiet screen")
    return seen[-1]


class Album:
    """The pictures of one test, compared all before it fails."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    async def take(self, seat: Seat, name: str) -> None:
        """Compares the screen, once it is painted and quiet, with the picture of this name."""
        app = seat.app
        app.clear_notifications()
        for field in app.screen.query(Input):
            field.cursor_blink = False
        seat.screen.paint()
        if seat.state.session is not None:
            seat.screen.paint_details()
        shown = await quiet_picture(seat, name)
        accepted, new = FOLDER / f"{name}.svg", FOLDER / f"{name}.new.svg"
        if os.environ.get("PE_UPDATE_SNAPSHOTS"):
            accepted.write_text(shown)
        if accepted.exists() and accepted.read_text() == shown:
            new.unlink(missing_ok=True)
            return
        new.write_text(shown)
        self.wrong.append(f"{new} differs from {accepted.name}")

    def check(self) -> None:
        assert not self.wrong, "\n".join(
            [*self.wrong, "look at both in a browser; accept with PE_UPDATE_SNAPSHOTS=1"]
        )


def album(folder, play, **options) -> None:
    """Takes the pictures that `play(seat, take)` asks for, and compares them."""
    pictures = Album()

    async def begin(seat):
        if options.get("model"):
            await seat.idle()
        await play(seat, lambda name: pictures.take(seat, name))

    explore(folder, begin, **{"zoom": None, **options})
    pictures.check()


def test_a_new_tree_from_opening_to_the_first_question(tmp_path):
    def script(worker):
        worker.hold("open", "recover")
        worker.queue("recover R.F")

    async def play(seat, take):
        await seat.sees("the engine is warming up")
        await take("opening")
        seat.worker.release("open")
        await seat.until(lambda: "recover R.L" in seat.worker.running, "the job")
        for share in (0.1, 0.2, 0.35, 0.45, 0.55):
            seat.worker.progress("recover R.L", share)
        await seat.sees("55%", "R.F waiting")
        await take("running")
        await seat.press("q")
        await seat.dialog(QuitDialog)
        await take("quit")
        await seat.press("escape")
        await seat.main()
        await seat.pilot.resize_terminal(80, 24)
        await seat.until(lambda: len(seat.lines) == 24, "the new size")
        await take("running-80x24")
        seat.worker.release()
        await seat.idle()
        await take("decide-80x24")
        await seat.pilot.resize_terminal(120, 36)
        await seat.until(lambda: len(seat.lines) == 36, "the new size")
        await take("decide-120x36")

    album(tmp_path, play, script=script)


def test_candidates_that_are_too_close_to_call(tmp_path):
    close = {"R.L": {"similarity": 0.9729, "val_accuracy": 92.8, "val_accuracy_before": 81.3}}

    async def play(seat, take):
        await seat.sees("too close")
        await take("too-close")

    album(tmp_path, play, model=grown(tmp_path, figures=close))


def test_three_candidates_of_one_parent(tmp_path):
    def third(steering):
        request = CandidateRequest(RemoveBlocks(("layer1.3",)))
        steering.candidate(steering.session.node("R"), request)

    async def play(seat, take):
        await take("three-candidates")

    album(tmp_path, play, model=grown(tmp_path, [third]))


def both_and_more(folder) -> Path:
    """Both children of the root are kept, and one of their children.

    Grown one after the other: what grows at the same time is stored in the order it comes.
    """
    return grown(
        folder,
        [
            lambda steering: steering.approve(steering.session.node("R")),
            lambda steering: steering.approve(steering.session.node("R.F")),
            lambda steering: steering.choose(steering.session.node("R"), ["R.L", "R.F"]),
            lambda steering: steering.tag(steering.session.node("R.L"), "wide"),
        ],
    )


def test_a_grown_tree_and_every_pane_about_it(tmp_path):
    async def play(seat, take):
        await seat.select("R.F")
        for key, name in (("1", "kept-both"), ("2", "pareto"), ("3", "node"), ("4", "blocks")):
            await seat.press(key)
            await take(name)
        await seat.press("t")
        await take("table")
        await seat.press("t", "c")
        await seat.dialog(CompareScreen)
        await take("compare")
        await seat.press("escape")
        await seat.main()
        await seat.press("?")
        await seat.dialog(HelpScreen)
        await take("help")
        await seat.press("escape")
        await seat.main()
        await seat.press("1", "[", "[", "[", "[", "[")
        await take("replay")

    album(tmp_path, play, model=both_and_more(tmp_path))


def test_the_light_theme(tmp_path):
    (tmp_path / "config.toml").write_text('[ui]\ntheme = "light"\n')

    async def play(seat, take):
        await seat.select("R.L")
        await take("light")

    album(tmp_path, play, model=both_and_more(tmp_path))


def test_without_colours(tmp_path):
    async def play(seat, take):
        await seat.select("R.L")
        await take("no-colour")

    album(tmp_path, play, model=both_and_more(tmp_path), environ={"NO_COLOR": "1"})
