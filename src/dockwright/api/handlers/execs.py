"""exec: create, start, resize, inspect."""

from dockwright.api.answers import Answer, document, nothing
from dockwright.api.exchange import Exchange
from dockwright.api.handlers.containers import size
from dockwright.types.streams import ExecCreateRequest, ExecStartRequest


async def create(exchange: Exchange) -> Answer:
    """POST /containers/{id}/exec."""
    request = await exchange.body.json(ExecCreateRequest)
    return document(await exchange.managers.containers.exec_create(exchange.name, request), 201)


async def start(exchange: Exchange) -> Answer | None:
    """POST /exec/{id}/start: detached it answers when the process runs, else the connection becomes its streams."""
    request = await exchange.body.json(ExecStartRequest)
    session = await exchange.managers.containers.exec_start(exchange.name, request)
    if session is None:
        return nothing(200)
    await session.run(exchange.hijack(session.multiplexed))
    return None


async def inspect(exchange: Exchange) -> Answer:
    """GET /exec/{id}/json."""
    return document(exchange.managers.containers.exec_inspect(exchange.name))


async def resize(exchange: Exchange) -> Answer:
    """POST /exec/{id}/resize."""
    height, width = size(exchange)
    await exchange.managers.containers.exec_resize(exchange.name, height, width)
    return nothing(200)
