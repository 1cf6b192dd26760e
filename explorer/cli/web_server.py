"""The explorer's server: a store in a browser, behind a token. Needs the extra `serve`.

Each view is an explorer in a process of its own. Nothing is fetched from elsewhere: scripts and
styles come from the package, and the page's policy refuses anything else.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from hmac import compare_digest
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp_jinja2
from aiohttp import web
from textual_serve.server import Server

import explorer

TEMPLATES = Path(explorer.__file__).with_name("data") / "serve"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_COOKIE = "pe-explore-token"
_NO_TOKEN = "open the address that `pe-explore serve` printed: it holds the token"
_WRONG_HOST = "this server answers to the address that it printed only (--public-url)"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class TreeServer(Server):
    """Serves one command; who has not given the token gets nothing."""

    def __init__(
        self, command: str, host: str, port: int, *, title: str, token: str,
        public_url: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(command, host, port, title, public_url, templates_path=TEMPLATES)
        self.token = token
        self._hosts = {urlsplit(self.public_url).netloc}
        if host in LOOPBACK:
            self._hosts |= {f"{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]")}

    @property
    def address(self) -> str:
        """What a person opens."""
        return f"{self.public_url}/?token={self.token}"

    async def _make_app(self) -> web.Application:
        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guard(request, handler)

        app = await super()._make_app()
        app.add_routes([web.get("/page.js", _page_script)])
        app.middlewares.append(guard)
        app.on_response_prepare.append(_with_headers)
        return app

    def initialize_logging(self) -> None:
        """Warnings only: a line for every request would have the token in it."""
        logging.basicConfig(level=logging.WARNING, format="%(message)s")

    async def on_startup(self, app: web.Application) -> None:
        """Whoever starts the server says where it is."""

    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Lets those in who have the token, from this very page."""
        # A page of somebody else may have its name point here, or open a socket to here.
        if self.host in LOOPBACK and request.host not in self._hosts:
            raise web.HTTPForbidden(text=_WRONG_HOST)
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            raise web.HTTPForbidden(text=_WRONG_HOST)
        given = request.query.get("token")
        if given is not None and request.path == "/" and self._is_token(given):
            found = web.HTTPSeeOther("/")
            found.set_cookie(_COOKIE, self.token, httponly=True, samesite="Strict", path="/")
            raise found
        if not self._is_token(request.cookies.get(_COOKIE, "")):
            raise web.HTTPForbidden(text=_NO_TOKEN)
        return await handler(request)

    def _is_token(self, given: str) -> bool:
        return compare_digest(given.encode(), self.token.encode())

    async def handle_index(self, request: web.Request) -> web.Response:
        """The page with the terminal in it."""
        scheme = "wss" if self.public_url.startswith("https") else "ws"
        size = request.query.get("fontsize", "")
        values: dict[str, Any] = {
            "application": {"name": self.title},
            "app_websocket_url": f"{scheme}://{request.host}/ws",
            # Without one the page takes what fits.
            "font_size": size if size.isascii() and size.isdecimal() and len(size) < 3 else "",
        }
        return aiohttp_jinja2.render_template("app_index.html", request, values)


async def _page_script(request: web.Request) -> web.FileResponse:
    return web.FileResponse(TEMPLATES / "page.js")


async def _with_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Nothing from elsewhere, in nobody's frame, and no address with a token handed on. The
    terminal sets styles of its own elements, which no nonce can name."""
    response.headers.update({
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data:; font-src 'self'; connect-src 'self' ws: wss:; "
            "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    })  # fmt: skip
