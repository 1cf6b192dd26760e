"""Pictures of the Pareto plot beside the tree and alone, at several sizes."""

from __future__ import annotations

from driver import grown
from test_app_snapshots import album, both_and_more

from explorer.tui.screens.plot_screen import PlotScreen


async def sized(seat, width, height):
    await seat.pilot.resize_terminal(width, height)
    await seat.until(lambda: len(seat.lines) == height, "the new size")


def test_the_plot_beside_the_tree_and_alone(tmp_path):
    async def play(seat, take):
        await seat.select("R.F")
        await seat.press("2", "r")
        for width, height in ((80, 24), (120, 36), (200, 55)):
            await sized(seat, width, height)
            await take(f"pareto-all-{width}x{height}")
        await seat.press("r", "r", "Z")
        await seat.dialog(PlotScreen)
        await seat.press("end", "right", "right")
        for width, height in ((80, 24), (200, 55)):
            await sized(seat, width, height)
            await take(f"pareto-alone-{width}x{height}")

    album(tmp_path, play, model=both_and_more(tmp_path))


def test_the_plot_in_the_light_theme(tmp_path):
    (tmp_path / "config.toml").write_text('[ui]\ntheme = "light"\n')

    async def play(seat, take):
        await seat.press("2", "Z")
        await seat.dialog(PlotScreen)
        await take("pareto-light")

    album(tmp_path, play, model=both_and_more(tmp_path))


def test_other_axes_and_nothing_published(tmp_path):
    async def play(seat, take):
        await seat.press("2", "X", "X")
        await take("pareto-latency-120x36")

    album(tmp_path, play, model=grown(tmp_path, overrides={"data": "cifar100"}))
