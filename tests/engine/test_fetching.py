"""Weights fetched from a server of our own: whole and right, or not at all."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from engine.contracts.events import Progress
from engine.runtime.progress import SILENT, Cancelled, Monitor
from engine.worker.fetching import UnreachableError, fetch

CONTENT = bytes(range(256)) * 4000
NAME = f"net-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


@pytest.fixture
def server():
    """Gives the content for /whole/…, half of it for /half/…, another one for /other/…."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            kind = self.path.split("/")[1]
            if kind not in ("whole", "half", "other"):
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            content = CONTENT[::-1] if kind == "other" else CONTENT
            self.wfile.write(content[: len(content) // 2] if kind == "half" else content)

        def log_message(self, *words):
            pass

    serving = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_address[1]}"
    serving.shutdown()
    thread.join()
    serving.server_close()


def test_a_file_comes_whole_with_word_of_how_far_it_is(server, tmp_path):
    told = []
    place = tmp_path / "hub" / "checkpoints" / NAME
    fetch(f"{server}/whole/{NAME}", place, Monitor(told.append))
    assert place.read_bytes() == CONTENT and [p.name for p in place.parent.iterdir()] == [NAME]
    last = told[-1]
    assert isinstance(last, Progress) and last.phase == f"fetching {NAME.partition('.')[0]}"
    assert last.done == last.total == len(CONTENT)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("half", "ended after 512,000 of 1,024,000 bytes"),
        ("other", "not the file of that name"),
        ("missing", "cannot be fetched"),
    ],
)
def test_what_does_not_come_whole_and_right_leaves_nothing(server, tmp_path, path, words):
    (tmp_path / NAME).write_bytes(b"as it was")
    with pytest.raises(UnreachableError, match=words):
        fetch(f"{server}/{path}/{NAME}", tmp_path / NAME, SILENT)
    assert [p.name for p in tmp_path.iterdir()] == [NAME]
    assert (tmp_path / NAME).read_bytes() == b"as it was"


def test_without_a_server_the_reason_is_told(tmp_path):
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1/net\.pth cannot be fetched \("):
        fetch("http://127.0.0.1:1/net.pth", tmp_path / "net.pth", SILENT)
    assert not list(tmp_path.iterdir())


def test_who_stops_it_leaves_nothing(server, tmp_path):
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        fetch(f"{server}/whole/{NAME}", tmp_path / NAME, Monitor(stop=stop))
    assert not list(tmp_path.iterdir())
