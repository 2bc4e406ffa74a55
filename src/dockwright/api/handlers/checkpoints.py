"""Checkpoints: create, list, remove. The daemon has them with its experimental features only."""

from dockwright.api.answers import Answer, document, nothing
from dockwright.api.exchange import Exchange
from dockwright.base.errors import NotSupported
from dockwright.types.container import CheckpointCreateRequest

DISABLED = (
    "This experimental feature is disabled by default. Start the Docker daemon in experimental mode in order to enable it."
)


async def create(exchange: Exchange) -> Answer:
    """POST /containers/{id}/checkpoints."""
    _experimental(exchange)
    request = await exchange.body.json(CheckpointCreateRequest)
    await exchange.managers.containers.checkpoint(exchange.name, request)
    return nothing(201)


async def list_(exchange: Exchange) -> Answer:
    """GET /containers/{id}/checkpoints."""
    _experimental(exchange)
    return document(exchange.managers.containers.checkpoints(exchange.name, exchange.query.text("dir")))


async def remove(exchange: Exchange) -> Answer:
    """DELETE /containers/{id}/checkpoints/{checkpoint}."""
    _experimental(exchange)
    directory = exchange.query.text("dir")
    await exchange.managers.containers.remove_checkpoint(exchange.name, exchange.second, directory)
    return nothing()


def _experimental(exchange: Exchange) -> None:
    if not exchange.managers.system.experimental:
        raise NotSupported(DISABLED)
