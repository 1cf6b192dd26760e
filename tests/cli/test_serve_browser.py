"""`serve` in a real browser: drawn, steered by keys, and nothing asked of anybody else."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from rich_store import grow

pytest.importorskip("aiohttp")
pytest.importorskip("textual_serve")
from chromium import EXECUTABLE, browser
from serving import TOKEN, decisions, served

from explorer.session import in_background
from explorer.session.open_run import spool_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(EXECUTABLE is None, reason="needs Chromium"),
]
# Letters are pixels of a canvas: how many of them are not empty.
INK = """(() => {
  const canvas = document.querySelector(".xterm-text-layer");
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return pixels.filter((value, place) => place % 4 === 3 && value > 0).length;
})()"""


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_STATE", str(tmp_path / "state.json"))
    path = tmp_path / "tiny.pex.db"
    grow(path)
    return path


def visiting(store, visit, *options, **size):
    """Runs `visit(page, address)` in a browser against the server."""

    async def run(address):
        async with browser(**size) as page:
            await visit(page, address)
            assert {urlsplit(each).netloc for each in page.requested} == {urlsplit(address).netloc}
            assert page.complaints == []
            if folder := os.environ.get("PE_PICTURES"):
                name = os.environ["PYTEST_CURRENT_TEST"].split("::")[1].split(" ")[0]
                Path(folder, f"{name}.png").write_bytes(await page.picture())

    with served(store, *options) as address:
        asyncio.run(run(address))


def test_the_app_is_drawn_and_only_looks(store):
    before = decisions(store)

    async def visit(page, address):
        await page.open(f"{address}/?token={TOKEN}")
        assert await page.script("location.search") == "", "the token leaves the address bar"
        assert await page.script("document.title") == "tiny-1 · tiny.pex.db"
        await page.sent("read-only")
        await page.until(f"{INK} > 5000")
        await page.sent("Help")  # its footer: it knows that keys go to it
        await page.press("u")  # without a click before it
        await page.sent("reading only")

    visiting(store, visit)
    assert decisions(store) == before


def test_one_person_decides_by_keys(store):
    before = decisions(store)

    async def visit(page, address):
        await page.open(f"{address}/?token={TOKEN}")
        await page.sent("Help")
        await page.press("u")
        await page.sent("took back")
        await page.press("U")
        await page.until_here(lambda: len(decisions(store)) > len(before) + 1)
        await page.press("q")  # what it began is stopped with it
        await page.sent("end it now")
        await page.press("s")
        await page.until("document.body.classList.contains('-closed')")
        assert "Open it again" in await page.script("document.body.innerText")

    visiting(store, visit, "--steer")
    assert in_background.process_on(store, spool_of(store)) is None, "nothing goes on by itself"
    assert decisions(store)[-1].kept == before[-1].kept


def test_a_wrong_token_opens_nothing_and_a_narrow_window_shows_the_app(store):
    async def visit(page, address):
        await page.open(f"{address}/?token=wrong-token-of-this-test")
        assert "it holds the token" in await page.script("document.body.innerText")
        assert set(page.statuses) == {403}, "no script, no style, no socket"
        await page.open(f"{address}/?token={TOKEN}")
        await page.sent("Help")
        await page.until(f"{INK} > 2000")
        assert int(await page.script("document.querySelector('#terminal').dataset.fontSize")) < 16
        columns = int(page.requested[-1].split("width=")[1].split("&")[0])
        assert columns >= 60, "as many as the tree and its card need"
        wide = "document.documentElement.scrollWidth > innerWidth"
        assert not await page.script(wide), "it is not wider than the window"
        refused = [each for each in page.complaints if "403" in each]  # the browser's own words
        assert refused == page.complaints
        page.complaints.clear()

    visiting(store, visit, width=400, height=800)
