"""containers: create, the verbs, inspect, list."""

import re

from dockwright.api.answers import Answer, document, nothing
from dockwright.api.encoding import decode, decode_any, line
from dockwright.api.exchange import Exchange
from dockwright.api.query import Query
from dockwright.api.shapes import container as shapes
from dockwright.api.shapes import shaped
from dockwright.api.versions import Version
from dockwright.base.errors import InvalidParameter
from dockwright.types.container import CreateRequest, HostConfig

_DIGITS = re.compile(r"[0-9]{1,5}")
START_BODY = (
    "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24"
)


async def create(exchange: Exchange) -> Answer:
    """POST /containers/create; a body without any field of the configuration is none."""
    made = await exchange.managers.containers.create(*await _create_request(exchange))
    return document(made, 201)


async def plan(exchange: Exchange) -> Answer:
    """POST /dockwright/v1/plan: what a create with this body, and a start, would do. Nothing is done."""
    return document(await exchange.managers.containers.plan(*await _create_request(exchange)))


async def _create_request(exchange: Exchange) -> tuple[str, CreateRequest, str, Version]:
    """Name, body, platform, API version."""
    body = await exchange.body.text()
    if not _fields(body) - {"hostconfig", "networkingconfig"}:
        raise InvalidParameter("config cannot be empty in order to create a container")
    query = exchange.query
    return query.text("name"), decode(body, CreateRequest), query.text("platform"), exchange.version


def _fields(body: bytes) -> set[str]:
    """The names in a JSON object, in lower case; none in null."""
    given = decode_any(body)
    if given is not None and not isinstance(given, dict):
        raise InvalidParameter(f"invalid JSON: json: cannot unmarshal {type(given).__name__} into Go value")
    return {key.lower() for key in given or ()}


async def start(exchange: Exchange) -> Answer:
    """POST /containers/{id}/start; a body is tolerated up to Docker's seven bytes (`null`, `{}`)."""
    if "transfer-encoding" in exchange.fields or int(exchange.fields.get("content-length", "0")) > 7:
        raise InvalidParameter(START_BODY)
    checkpoint = exchange.query.text("checkpoint")
    if checkpoint and not exchange.managers.system.experimental:
        raise InvalidParameter("checkpoint is only supported in experimental mode")
    await exchange.managers.containers.start(exchange.name, checkpoint, exchange.query.text("checkpoint-dir"))
    return nothing()


async def stop(exchange: Exchange) -> Answer:
    """POST /containers/{id}/stop."""
    await exchange.managers.containers.stop(exchange.name, exchange.query.small_number("t"), _signal(exchange), exchange.caller)
    return nothing()


async def restart(exchange: Exchange) -> Answer:
    """POST /containers/{id}/restart."""
    seconds = exchange.query.small_number("t")
    await exchange.managers.containers.restart(exchange.name, seconds, _signal(exchange), exchange.caller)
    return nothing()


def _signal(exchange: Exchange) -> str:
    """The `signal` of stop and restart, which exists from 1.42 on."""
    return exchange.query.text("signal") if exchange.version >= (1, 42) else ""


async def kill(exchange: Exchange) -> Answer:
    """POST /containers/{id}/kill."""
    await exchange.managers.containers.kill(exchange.name, exchange.query.text("signal"), exchange.caller)
    return nothing()


async def pause(exchange: Exchange) -> Answer:
    """POST /containers/{id}/pause."""
    await exchange.managers.containers.pause(exchange.name)
    return nothing()


async def unpause(exchange: Exchange) -> Answer:
    """POST /containers/{id}/unpause."""
    await exchange.managers.containers.unpause(exchange.name)
    return nothing()


async def rename(exchange: Exchange) -> Answer:
    """POST /containers/{id}/rename."""
    await exchange.managers.containers.rename(exchange.name, exchange.query.text("name"))
    return nothing()


async def update(exchange: Exchange) -> Answer:
    """POST /containers/{id}/update; no body changes nothing."""
    body = b"" if exchange.body.empty else await exchange.body.text()
    wanted = HostConfig() if body.strip() in (b"", b"null") else decode(body, HostConfig)
    return document(await exchange.managers.containers.update(exchange.name, wanted))


async def wait(exchange: Exchange) -> None:
    """POST /containers/{id}/wait: the head goes out as soon as we listen, so that a client may start the container."""
    condition = exchange.query.text("condition") if exchange.version >= (1, 30) else ""
    waiter = exchange.managers.containers.wait(exchange.name, condition)
    exchange.begin()
    await exchange.send(line(await waiter.result()))
    exchange.end()


async def remove(exchange: Exchange) -> Answer:
    """DELETE /containers/{id}."""
    query = exchange.query
    force, volumes, link = query.flag("force"), query.flag("v"), query.flag("link")
    await exchange.managers.containers.remove(exchange.name, force, volumes, link, exchange.caller)
    return nothing()


async def prune(exchange: Exchange) -> Answer:
    """POST /containers/prune."""
    return document(await exchange.managers.containers.prune(exchange.query.filters()))


async def inspect(exchange: Exchange) -> Answer:
    """GET /containers/{id}/json."""
    container = await exchange.managers.containers.inspect(exchange.name, exchange.query.flag("size"))
    return document(shaped(container, exchange.version, shapes.INSPECT))


async def list_(exchange: Exchange) -> Answer:
    """GET /containers/json; `before` and `since` are the filters of old clients."""
    query, filters = exchange.query, exchange.query.filters()
    for name in ("before", "since"):
        if query.text(name):
            filters.setdefault(name, []).append(query.text(name))
    limit = query.small_number("limit") or 0
    rows = await exchange.managers.containers.list(query.flag("all"), limit, query.flag("size"), filters)
    answer = document([shaped(row, exchange.version, shapes.LIST) for row in rows])
    if (setting := exchange.managers.networks.published_ports) != "docker":
        answer.fields["Dockwright-Published-Ports"] = setting  # for our own `ps`: Docker's documents have no place for it
    return answer


async def top(exchange: Exchange) -> Answer:
    """GET /containers/{id}/top."""
    return document(await exchange.managers.containers.top(exchange.name, exchange.query.text("ps_args")))


async def resize(exchange: Exchange) -> Answer:
    """POST /containers/{id}/resize."""
    height, width = size(exchange)
    await exchange.managers.containers.resize(exchange.name, height, width)
    return nothing(200)


def size(exchange: Exchange) -> tuple[int, int]:
    """`h` and `w` of a resize.

    Raises:
        InvalidParameter: no small unsigned number.
    """
    return _cells(exchange.query, "h"), _cells(exchange.query, "w")


def _cells(query: Query, name: str) -> int:
    value = query.text(name)
    if not _DIGITS.fullmatch(value) or int(value) > 65535:
        raise InvalidParameter(f'strconv.Atoi: parsing "{value}": invalid syntax')
    return int(value)


async def trace(exchange: Exchange) -> Answer:
    """GET /dockwright/v1/containers/{id}/trace: the steps of the last start, each with what it took."""
    return document(await exchange.managers.containers.trace(exchange.name))


async def why(exchange: Exchange) -> Answer:
    """GET /dockwright/v1/containers/{id}/why: why it has ended, or what there is to say of one that runs."""
    return document(await exchange.managers.containers.why(exchange.name, exchange.query.small_number("tail")))
