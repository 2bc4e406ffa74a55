"""exec: create, start, resize, inspect."""

import asyncio

from dockwright.api.answers import Answer, document, nothing
from dockwright.api.encoding import decode
from dockwright.api.exchange import Exchange
from dockwright.api.handlers.containers import size
from dockwright.api.stream import HijackedStream
from dockwright.base.errors import EngineError
from dockwright.types.streams import ExecCreateRequest, ExecStartRequest

STDOUT = 1


async def create(exchange: Exchange) -> Answer:
    """POST /containers/{id}/exec."""
    body = await exchange.body.text()
    request = decode(body, ExecCreateRequest) if body else ExecCreateRequest()
    return document(await exchange.managers.containers.exec_create(exchange.name, request), 201)


async def start(exchange: Exchange) -> Answer | None:
    """POST /exec/{id}/start: detached it answers when the process runs, else the connection becomes its streams.

    An exec that is not there, or whose container cannot take it, is refused; any later error is told on the stream.
    """
    request = await exchange.body.json(ExecStartRequest)
    containers = exchange.managers.containers
    containers.exec_check(exchange.name)
    if request.Detach:
        await containers.exec_start(exchange.name, request)
        return nothing(200)
    starting = asyncio.ensure_future(containers.exec_start(exchange.name, request))
    stream = exchange.hijack(not request.Tty)
    await exchange.head_taken()
    try:
        session = await starting
    except EngineError as error:
        _tell(stream, error.message, bool(request.Tty))
        return None
    assert session
    await session.run(stream)
    return None


def _tell(stream: HijackedStream, message: str, tty: bool) -> None:
    """What the runtime could not execute is told as the process's output, as Docker does it."""
    text = message.encode() + b"\r\n"
    stream.write(text if tty else bytes([STDOUT, 0, 0, 0]) + len(text).to_bytes(4, "big") + text)
    stream.close()


async def inspect(exchange: Exchange) -> Answer:
    """GET /exec/{id}/json."""
    return document(exchange.managers.containers.exec_inspect(exchange.name))


async def resize(exchange: Exchange) -> Answer:
    """POST /exec/{id}/resize."""
    height, width = size(exchange)
    await exchange.managers.containers.exec_resize(exchange.name, height, width)
    return nothing(200)
