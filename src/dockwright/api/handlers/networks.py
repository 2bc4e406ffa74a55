"""networks: list and inspect."""

from typing import Any

from dockwright.api.answers import Answer, document
from dockwright.api.exchange import Exchange
from dockwright.api.shapes import network as shapes
from dockwright.api.shapes import shaped


async def list_(exchange: Exchange) -> Answer:
    """GET /networks."""
    networks = await _awaited(exchange.managers.networks.list(exchange.query.filters()))
    return document([shaped(network, exchange.version, shapes.INSPECT) for network in networks])


async def inspect(exchange: Exchange) -> Answer:
    """GET /networks/{id}, with the containers that are on it."""
    containers = await exchange.managers.containers.list(False, 0, False, {})
    network = await _awaited(exchange.managers.networks.inspect(exchange.name, containers))
    return document(shaped(network, exchange.version, shapes.INSPECT))


async def _awaited(value: Any) -> Any:
    return await value if hasattr(value, "__await__") else value
