"""volumes: list, create, inspect, remove, prune."""

from typing import Any

import msgspec

from dockwright.api.answers import Answer, document, nothing
from dockwright.api.exchange import Exchange
from dockwright.api.handlers.unimplemented import SWARM_TEXT
from dockwright.base.errors import Unavailable


class CreateOptions(msgspec.Struct):
    """The body of POST /volumes/create."""

    Name: str | None = ""
    Driver: str | None = ""
    DriverOpts: dict[str, str] | None = None
    Labels: dict[str, str] | None = None
    ClusterVolumeSpec: dict[str, Any] | None = None


async def list_(exchange: Exchange) -> Answer:
    """GET /volumes."""
    return document(await exchange.managers.volumes.list(exchange.query.filters()))


async def create(exchange: Exchange) -> Answer:
    """POST /volumes/create; a volume of a cluster needs one."""
    request = await exchange.body.json(CreateOptions)
    if request.ClusterVolumeSpec is not None and exchange.version >= (1, 42):
        raise Unavailable(SWARM_TEXT)
    made = await exchange.managers.volumes.create(
        request.Name or "", request.Driver or "", request.DriverOpts, request.Labels
    )
    return document(made, 201)


async def inspect(exchange: Exchange) -> Answer:
    """GET /volumes/{name}."""
    return document(await exchange.managers.volumes.inspect(exchange.name))


async def remove(exchange: Exchange) -> Answer:
    """DELETE /volumes/{name}."""
    await exchange.managers.volumes.remove(exchange.name, exchange.query.flag("force"))
    return nothing()


async def prune(exchange: Exchange) -> Answer:
    """POST /volumes/prune: only anonymous volumes since 1.42."""
    everything = exchange.version < (1, 42)
    return document(await exchange.managers.volumes.prune(exchange.query.filters(), everything))


async def export(exchange: Exchange) -> None:
    """GET /dockwright/v1/volumes/{name}/export: a tar of all that is in it."""
    async with exchange.managers.containers.export_volume(exchange.name) as pieces:
        await exchange.stream(pieces, "application/x-tar")


async def import_(exchange: Exchange) -> Answer:
    """POST /dockwright/v1/volumes/{name}/import: a tar, perhaps compressed, into a volume, which is made if it is missing."""
    await exchange.managers.containers.import_volume(exchange.name, aiter(exchange.body))
    return document(await exchange.managers.volumes.inspect(exchange.name), 201)


async def clone(exchange: Exchange) -> Answer:
    """POST /dockwright/v1/volumes/{name}/clone?to=NAME: another volume with a copy of all files."""
    target = exchange.query.text("to")
    await exchange.managers.containers.clone_volume(exchange.name, target)
    return document(await exchange.managers.volumes.inspect(target), 201)
