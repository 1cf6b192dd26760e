"""A browser without a screen for tests: Chromium, driven over the DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

EXECUTABLE = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome",
                                                  "google-chrome-stable"))), None)  # fmt: skip
SECONDS = 60.0
# It runs as root in containers, where its sandbox cannot; and calls home unless told not to.
OPTIONS = ("--headless", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
           "--no-first-run", "--disable-background-networking", "--disable-component-update",
           "--remote-debugging-port=0", "--remote-allow-origins=*")  # fmt: skip


class Page:
    """One page: what it was sent, asked for and complained of, and the hands of a person."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._changed = asyncio.Event()
        self.requested: list[str] = []  # addresses, of sockets too
        self.statuses: list[int] = []  # of the answers, in their order
        self.complaints: list[str] = []  # errors of scripts and of the page's policy
        self.terminal = ""  # all that the terminal was sent

    async def listen(self) -> None:
        """Takes what the browser tells, until it has ended."""
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told)
            else:
                self._take(told["method"], told["params"])
            self._changed.set()

    def _take(self, method: str, told: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requested.append(told["request"]["url"])
        elif method == "Network.responseReceived":
            self.statuses.append(told["response"]["status"])
        elif method == "Network.webSocketCreated":
            self.requested.append(told["url"])
        elif method == "Network.webSocketFrameReceived":
            frame = told["response"]
            if frame["opcode"] == 2:
                self.terminal += base64.b64decode(frame["payloadData"]).decode("utf-8", "replace")
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(told["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and told["type"] == "error":
            self.complaints.append(str(told["args"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.complaints.append(told["entry"]["text"])

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One method of the protocol; its result."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        told = await asyncio.wait_for(answer, SECONDS)
        assert "error" not in told, told
        return told["result"]

    async def script(self, text: str) -> Any:
        """What an expression is worth in the page."""
        told = await self.call("Runtime.evaluate", expression=text, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def sent(self, wanted: str | Callable[[str], bool]) -> None:
        """Waits until the terminal was sent the words (or what meets the test)."""
        holds = wanted if callable(wanted) else lambda seen: wanted in seen
        try:
            async with asyncio.timeout(SECONDS):
                while not holds(self.terminal):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"never sent {wanted!r}; {self.terminal[-3000:]!r}") from None

    async def until(self, expression: str) -> None:
        """Waits until an expression is true in the page."""
        async with asyncio.timeout(SECONDS):
            while not await self.script(expression):
                await asyncio.sleep(0.05)

    async def until_here(self, holds: Callable[[], object]) -> None:
        """Waits until something is so outside the page."""
        async with asyncio.timeout(SECONDS):
            while not holds():
                await asyncio.sleep(0.05)

    async def press(self, key: str) -> None:
        """A key that is a character, pressed and let go."""
        await self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def open(self, address: str) -> None:
        """Goes there, and waits until it is loaded."""
        await self.call("Page.navigate", url=address)  # answers once the page is another
        await self.until("document.readyState === 'complete'")

    async def picture(self) -> bytes:
        """What is seen, as PNG."""
        return base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])


@asynccontextmanager
async def browser(width: int = 1200, height: int = 800):
    """A browser of its own with one empty page, of that many pixels."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [EXECUTABLE, *OPTIONS, f"--user-data-dir={profile}",
                   "about:blank"]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port = await _port(process, Path(profile) / "DevToolsActivePort")
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json") as pages:
                    (page,) = [each for each in await pages.json() if each["type"] == "page"]
                address = page["webSocketDebuggerUrl"]
                async with (
                    session.ws_connect(address, max_msg_size=0) as socket,
                    _listening(Page(socket)) as opened,
                ):
                    # A window is never as narrow as a page may be, and this is the one in front.
                    await opened.call(
                        "Emulation.setDeviceMetricsOverride", width=width, height=height,
                        deviceScaleFactor=1, mobile=False,
                    )  # fmt: skip
                    await opened.call("Emulation.setFocusEmulationEnabled", enabled=True)
                    yield opened
        finally:
            process.terminate()
            process.wait()


@asynccontextmanager
async def _listening(page: Page):
    listener = asyncio.create_task(page.listen())
    try:
        for domain in ("Page", "Network", "Runtime", "Log"):
            await page.call(f"{domain}.enable")
        yield page
    finally:
        listener.cancel()


async def _port(process: subprocess.Popen[bytes], told: Path) -> int:
    async with asyncio.timeout(SECONDS):
        while not (told.exists() and (lines := told.read_text().splitlines())):
            assert process.poll() is None, f"the browser ended with {process.returncode}"
            await asyncio.sleep(0.05)
        return int(lines[0])
