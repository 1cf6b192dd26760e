"""Pictures of every place that the app has, at the sizes that terminals have."""

from __future__ import annotations

import pytest
from driver import approved, grown
from planned import PlannedExecutor
from test_app_snapshots import album, both_and_more
from test_pareto_snapshots import sized
from trees import greedy_store

from explorer.tui.screens.help_screen import HelpScreen
from explorer.tui.screens.network_screen import NetworkScreen
from explorer.tui.screens.plan_screen import PlanScreen
from explorer.tui.screens.plot_screen import PlotScreen
from explorer.tui.screens.tour_screen import TourScreen

pytestmark = pytest.mark.slow
SIZES = ((80, 24), (120, 36), (200, 55), (300, 80))
# CKA says the layer, and accuracy, by more than the images' noise, the filters.
CONFLICT = {
    "R.L": {"similarity": 0.9865, "val_accuracy": 88.4, "val_accuracy_before": 81.3},
    "R.F": {"similarity": 0.9533, "val_accuracy": 92.6, "val_accuracy_before": 90.1},
}
CLOSE = {"R.L": {"similarity": 0.9729, "val_accuracy": 92.8, "val_accuracy_before": 81.3}}


async def in_every_size(seat, take, name: str) -> None:
    for width, height in SIZES:
        await sized(seat, width, height)
        await take(f"{name}-{width}x{height}")


def light(folder) -> None:
    (folder / "config.toml").write_text('[ui]\ntheme = "light"\n')


def test_the_first_minute(tmp_path):
    def script(worker):
        worker.hold("recover")

    async def play(seat, take):
        await seat.until(lambda: "recover R.L" in seat.worker.running, "the first job")
        await seat.until(lambda: "recover R.F" in seat.worker.running, "the other one")
        for share in (0.1, 0.25, 0.4):
            seat.worker.progress("recover R.L", share)
            seat.worker.progress("recover R.F", share)
        await in_every_size(seat, take, "minute")
        await seat.press("T")
        await seat.dialog(TourScreen)
        await in_every_size(seat, take, "tour")

    album(tmp_path, play, script=script)


@pytest.mark.parametrize(("name", "figures"), [("conflict", CONFLICT), ("close", CLOSE)])
def test_a_decision_that_is_none_of_the_easy_ones(tmp_path, name, figures):
    async def play(seat, take):
        await in_every_size(seat, take, name)

    album(tmp_path, play, model=grown(tmp_path, figures=figures))


def test_a_decision_in_the_light(tmp_path):
    light(tmp_path)

    async def play(seat, take):
        await in_every_size(seat, take, "light")

    album(tmp_path, play, model=grown(tmp_path, [approved], figures=CONFLICT))


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_planner(tmp_path, theme):
    if theme == "light":
        light(tmp_path)

    async def play(seat, take):
        await seat.dialog(PlanScreen)
        sheet = seat.app.screen.sheet
        await seat.until(lambda: not sheet.wants_measuring, "the speed")
        await in_every_size(seat, take, f"planner-{theme}")

    album(tmp_path, play, make_worker=PlannedExecutor, plans=True)


def test_the_pareto_plot_with_what_is_published(tmp_path):
    async def play(seat, take):
        await seat.press("2", "r", "Z")
        await seat.dialog(PlotScreen)
        await in_every_size(seat, take, "published")

    album(tmp_path, play, model=both_and_more(tmp_path))


def test_the_network_how_it_differs_and_what_was_ranked(tmp_path):
    async def play(seat, take):
        await seat.select("R.L")
        await seat.press("m")
        await seat.select("R.F.F")
        await seat.press("v")
        await seat.dialog(NetworkScreen)
        await in_every_size(seat, take, "diagram")
        await seat.press("r")
        await in_every_size(seat, take, "heat")
        await seat.press("c")
        await in_every_size(seat, take, "differ")

    album(tmp_path, play, model=both_and_more(tmp_path))


def test_the_glossary(tmp_path):
    async def play(seat, take):
        await seat.press("?")
        await seat.dialog(HelpScreen)
        await seat.press(*"kept")
        await in_every_size(seat, take, "glossary")

    album(tmp_path, play, model=grown(tmp_path))


def test_many_nodes_as_a_table(tmp_path):
    store = tmp_path / "resnet56.pex.db"
    greedy_store(store, 29)

    async def play(seat, take):
        await seat.press("t")
        await in_every_size(seat, take, "table")

    album(tmp_path, play, model=store)
