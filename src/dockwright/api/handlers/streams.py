"""containers: attach, logs, stats - what runs on after the head."""

from dockwright.api.answers import JSON, MULTIPLEXED_STREAM, RAW_STREAM, Answer, document
from dockwright.api.encoding import line
from dockwright.api.errors import translate
from dockwright.api.exchange import Exchange
from dockwright.api.websocket import handshake
from dockwright.base.errors import EngineError, InvalidParameter
from dockwright.types.streams import AttachOptions, LogOptions


async def attach(exchange: Exchange) -> None:
    """POST /containers/{id}/attach; a refusal is plain text typed as a raw stream, as with Docker."""
    query = exchange.query
    options = AttachOptions(
        stdin=query.flag("stdin"),
        stdout=query.flag("stdout"),
        stderr=query.flag("stderr"),
        stream=query.flag("stream"),
        logs=query.flag("logs"),
        detach_keys=query.text("detachKeys"),
    )
    try:
        session = await exchange.managers.containers.attach(exchange.name, options)
    except EngineError as error:
        exchange.refuse_raw(*translate(error, exchange.what))
        return
    stream = exchange.hijack(session.multiplexed)
    await exchange.head_taken()
    await session.run(stream)


async def attach_websocket(exchange: Exchange) -> None:
    """GET /containers/{id}/attach/ws: the streams as binary messages, without frames of their own.

    Which streams is asked for from 1.42 on; before that it is all of them.
    """
    query, choose = exchange.query, exchange.version >= (1, 42)
    handshake(exchange.fields)
    options = AttachOptions(
        stdin=not choose or query.flag("stdin"),
        stdout=not choose or query.flag("stdout"),
        stderr=not choose or query.flag("stderr"),
        stream=query.flag("stream"),
        logs=query.flag("logs"),
        detach_keys=query.text("detachKeys"),
        bare=True,
    )
    session = await exchange.managers.containers.attach(exchange.name, options)
    stream = exchange.websocket()
    await exchange.head_taken()
    await session.run(stream)


async def logs(exchange: Exchange) -> None:
    """GET /containers/{id}/logs."""
    query = exchange.query
    options = LogOptions(
        stdout=query.flag("stdout"),
        stderr=query.flag("stderr"),
        follow=query.flag("follow"),
        timestamps=query.flag("timestamps"),
        details=query.flag("details"),
        tail=query.text("tail"),
        since=query.timestamp("since") or 0,
        until=query.timestamp("until") or 0,
    )
    if not (options.stdout or options.stderr):
        raise InvalidParameter("Bad parameters: you must choose at least one stream")
    container = await exchange.managers.containers.inspect(exchange.name, False)
    pieces = aiter(exchange.managers.containers.logs(exchange.name, options))
    framed = not container["Config"]["Tty"] and exchange.version >= (1, 42)
    await exchange.stream(pieces, MULTIPLEXED_STREAM if framed else RAW_STREAM)


async def stats(exchange: Exchange) -> Answer | None:
    """GET /containers/{id}/stats: one sample a second, or one in all."""
    query = exchange.query
    stream = query.flag("stream", default=True)
    one_shot = query.flag("one-shot") and exchange.version >= (1, 41)
    if stream and one_shot:
        raise InvalidParameter("cannot have stream=true and one-shot=true")
    samples = aiter(exchange.managers.containers.stats(exchange.name, stream, one_shot))
    if not stream:
        return document(await anext(samples))
    first = await anext(samples)
    exchange.begin(content_type=JSON)
    await exchange.send(line(first))
    async for sample in samples:
        await exchange.send(line(sample))
    exchange.end()
    return None
