"""Pictures of a node's network: diagram, rankings and difference, at two sizes."""

from __future__ import annotations

from test_app_snapshots import album, both_and_more
from test_pareto_snapshots import sized

from explorer.tui.screens.network_screen import NetworkScreen


def test_a_network_at_two_sizes(tmp_path):
    async def play(seat, take):
        await seat.select("R.L")
        await seat.press("m")
        await seat.select("R.F.F")
        await seat.press("v")
        await seat.dialog(NetworkScreen)
        for width, height in ((120, 36), (200, 55)):
            await sized(seat, width, height)
            await take(f"network-{width}x{height}")
        await seat.press("c")
        await take("network-diff-200x55")
        await sized(seat, 120, 36)
        await seat.press("r")
        await take("network-ranking-120x36")

    album(tmp_path, play, model=both_and_more(tmp_path))


def test_a_network_in_the_light_theme(tmp_path):
    (tmp_path / "config.toml").write_text('[ui]\ntheme = "light"\n')

    async def play(seat, take):
        await seat.select("R.F.F")
        await seat.press("v")
        await seat.dialog(NetworkScreen)
        await take("network-light")

    album(tmp_path, play, model=both_and_more(tmp_path))
