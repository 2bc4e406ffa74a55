"""`docker import URL`: from a web server of the test's own."""

import asyncio
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from dockwright.base.errors import EngineError, Internal, NotFound


class Handler(BaseHTTPRequestHandler):
    tar = b""

    def do_GET(self) -> None:
        answers = {"/rootfs.tar": self._whole, "/moved": self._moved, "/cut": self._cut}
        answers.get(self.path, partial(self.send_error, 404))()

    def _whole(self) -> None:
        self._head(200, len(self.tar))
        self.wfile.write(self.tar)

    def _cut(self) -> None:
        self._head(200, len(self.tar))
        self.wfile.write(self.tar[:1000])

    def _moved(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/rootfs.tar")
        self.end_headers()

    def _head(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def server(images: Any) -> Iterator[str]:
    Handler.tar = images.busybox_layer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()


async def fetched(manager: Any, source: str) -> list[dict[str, Any]]:
    async def nothing() -> Any:
        return
        yield b""

    try:
        return [line async for line in manager.import_(nothing(), "url", "1", "", [], "", source)]
    finally:
        await manager.close()


@pytest.mark.parametrize("form", ["http://{}/rootfs.tar", "{}/rootfs.tar", "http://{}/moved"])
def test_an_archive_from_a_server(overlay: Any, server: str, form: str) -> None:
    source = form.format(server)
    told = overlay.run(lambda manager: fetched(manager, source))
    url = source if "://" in source else f"http://{source}"
    assert told[0] == {"status": f"Downloading from {url}"}
    assert told[1]["status"] == "Importing" and told[-2]["progressDetail"]["current"] == len(Handler.tar)
    ident = told[-1]["status"]
    assert [row[0] for row in overlay.state()["image"]] == [ident]
    history = overlay.run(lambda manager: manager.history(ident))
    assert history[0]["Comment"] == f"Imported from {url}"
    overlay.consistent()


@pytest.mark.parametrize(
    ("source", "kind", "text"),
    [
        ("http://{}/none", NotFound, "failed to GET http://.*/none with status 404 Not Found: "),
        ("http://127.0.0.1:1/x", Internal, 'Get "http://127.0.0.1:1/x": dial tcp 127.0.0.1:1: connect: connection refused'),
        ("ftp://{}/x", Internal, 'unsupported protocol scheme "ftp"'),
        ("", Internal, 'Get "http:": http: no Host in request URL'),
        ("http://{}/cut", EngineError, "connection broken"),
    ],
)  # fmt: skip
def test_what_cannot_be_fetched(overlay: Any, server: str, source: str, kind: type[EngineError], text: str) -> None:
    before = overlay.state()
    with pytest.raises(kind, match=text):
        overlay.run(lambda manager: fetched(manager, source.format(server)))
    assert overlay.state() == before


def test_giving_up_leaves_nothing(overlay: Any, server: str) -> None:
    async def work(manager: Any) -> None:
        task = asyncio.create_task(fetched(manager, f"http://{server}/rootfs.tar"))
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait([task])

    overlay.run(work)
    assert overlay.state()["ingest"] == []
