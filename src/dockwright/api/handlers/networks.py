"""networks: list, create, inspect, remove, prune, connect, disconnect."""

from dockwright.api.answers import Answer, document, nothing
from dockwright.api.exchange import Exchange
from dockwright.api.shapes import network as shapes
from dockwright.api.shapes import shaped
from dockwright.types.network import ConnectRequest, DisconnectRequest, NetworkCreateRequest


async def list_(exchange: Exchange) -> Answer:
    """GET /networks."""
    networks = exchange.managers.networks.list(exchange.query.filters())
    return document([shaped(network, exchange.version, shapes.INSPECT) for network in networks])


async def create(exchange: Exchange) -> Answer:
    """POST /networks/create; whether a network has IPv4 could not be asked before 1.48."""
    request = await exchange.body.json(NetworkCreateRequest)
    if exchange.version < (1, 48):
        request.EnableIPv4 = None
    return document(await exchange.managers.networks.create(request), 201)


async def inspect(exchange: Exchange) -> Answer:
    """GET /networks/{id}, with the containers that are on it. `verbose` would add the services of a swarm: there are none."""
    containers = await exchange.managers.containers.list(False, 0, False, {})
    network = exchange.managers.networks.inspect(exchange.name, containers, exchange.query.text("scope"))
    return document(shaped(network, exchange.version, shapes.INSPECT))


async def remove(exchange: Exchange) -> Answer:
    """DELETE /networks/{id}."""
    await exchange.managers.networks.remove(exchange.name)
    return nothing()


async def prune(exchange: Exchange) -> Answer:
    """POST /networks/prune."""
    return document(await exchange.managers.networks.prune(exchange.query.filters()))


async def connect(exchange: Exchange) -> Answer:
    """POST /networks/{id}/connect."""
    request = await exchange.body.json(ConnectRequest)
    await exchange.managers.containers.connect(exchange.name, request.Container or "", request.EndpointConfig)
    return nothing(200)


async def disconnect(exchange: Exchange) -> Answer:
    """POST /networks/{id}/disconnect."""
    request = await exchange.body.json(DisconnectRequest)
    await exchange.managers.containers.disconnect(exchange.name, request.Container or "", bool(request.Force))
    return nothing(200)


async def explain_name(exchange: Exchange) -> Answer:
    """GET /dockwright/v1/dns?name=&type=&container=: how a name is answered, and why."""
    query, asker = exchange.query, ""
    if wanted := query.text("container"):
        asker = (await exchange.managers.containers.inspect(wanted, False))["Id"]
    return document(await exchange.managers.networks.explain_name(query.text("name"), query.text("type", "A"), asker))


async def map_(exchange: Exchange) -> Answer:
    """GET /dockwright/v1/networks/map: who can reach whom, and by which rule."""
    return document(await exchange.managers.networks.map())
