"""What Docker has and we do not: a clear refusal for each known path, never "page not found"."""

from dockwright.api.answers import Answer
from dockwright.api.exchange import Exchange
from dockwright.base.errors import NotSupported, Unavailable

SWARM_TEXT = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
    "and try again."
)


async def not_yet(exchange: Exchange) -> Answer:
    """501 for an operation of the Engine API that is not built yet."""
    raise NotSupported(f"{exchange.method} {exchange.path} is not implemented yet")


async def no_swarm(exchange: Exchange) -> Answer:
    """503 in Docker's words for everything that needs a swarm."""
    raise Unavailable(SWARM_TEXT)


async def no_swarm_support(exchange: Exchange) -> Answer:
    """501: making or joining a swarm; there is no cluster manager here."""
    raise NotSupported("swarm mode is not supported by this engine")


async def no_plugins(exchange: Exchange) -> Answer:
    """501 for managed plug-ins."""
    raise NotSupported("managed plugins are not supported by this engine")
