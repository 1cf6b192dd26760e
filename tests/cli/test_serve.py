"""`serve` as a browser meets it: a token, no strangers, reading only unless one may steer."""

from __future__ import annotations

import asyncio
import socket

import pytest
from rich_store import grow
from serving import SECONDS, TOKEN, decisions, served
from typer.testing import CliRunner

from explorer.cli.commands.serve import command_of
from explorer.cli.main import app

aiohttp = pytest.importorskip("aiohttp")
pytest.importorskip("textual_serve")


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_STATE", str(tmp_path / "state.json"))
    path = tmp_path / "tiny.pex.db"
    grow(path)
    return path


def visiting(store, visit, *options):
    """Runs `visit(session, address)` against the server."""

    async def run(address):
        jar = aiohttp.CookieJar(unsafe=True)  # of an address that is a number
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            await asyncio.wait_for(visit(session, address), SECONDS)

    with served(store, *options) as address:
        asyncio.run(run(address))


async def enter(session, address):
    async with session.get(f"{address}/?token={TOKEN}") as page:
        assert page.status == 200 and "token" not in str(page.url), "it leaves the address bar"
        return await page.text(), page.headers


async def shown(view, wanted, seen=""):
    """Reads what the terminal is sent until it holds the words."""
    while wanted not in seen.replace("\x1b", ""):
        message = await view.receive(SECONDS)
        assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message
        if message.type is aiohttp.WSMsgType.BINARY:
            seen += message.data.decode("utf-8", "replace")
    return seen


@pytest.mark.slow  # it starts the app
def test_only_who_has_the_token_is_let_in_and_nobody_from_another_page(store):
    async def visit(session, address):
        for path in ("/", "/ws", "/static/js/textual.js", "/page.js", "/?token=wrong",
                     "/download/x", "/static"):  # fmt: skip
            async with session.get(address + path) as refused:
                assert refused.status == 403 and "token" in await refused.text()
        text, headers = await enter(session, address)
        assert "http://" not in text.replace(address, "") and "https://" not in text
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        for forged in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
            async with session.get(f"{address}/ws", headers=forged) as refused:
                assert refused.status == 403

    visiting(store, visit)


@pytest.mark.slow
@pytest.mark.parametrize("steer", [False, True])
def test_a_decision_is_made_with_steer_and_refused_without(store, steer):
    before = len(decisions(store))

    async def visit(session, address):
        await enter(session, address)
        async with session.ws_connect(f"{address}/ws?width=120&height=36") as view:
            await shown(view, "R.L" if steer else "read-only")
            await view.send_json(["stdin", "u"])
            await shown(view, "took back" if steer else "reading only")

    visiting(store, visit, *(["--steer"] if steer else []))
    assert (len(decisions(store)) > before) is steer


def test_what_cannot_be_served_is_said_at_once(store, tmp_path):
    def refused(*arguments):
        done = CliRunner().invoke(app, ["serve", *map(str, arguments)])
        assert done.exit_code in (1, 2)
        return done.output

    assert "too short to keep anybody out" in refused(store, "--token", "short")
    assert "there is no file" in refused(tmp_path / "none.db")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"cannot listen at 127.0.0.1:{port}" in refused(store, "--port", port)


def test_the_command_of_a_view_is_quoted_for_the_shell(tmp_path):
    command = command_of(tmp_path / "a b; rm -rf $HOME.db", steer=False)
    assert "'" in command and command.endswith("--read-only")
    assert "--read-only" not in command_of(tmp_path / "x.db", steer=True)
