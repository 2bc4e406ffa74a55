"""A container's files: archive, export, changes, commit."""

import base64
import json
from typing import Any

from dockwright.api.answers import Answer, Fields, document, nothing
from dockwright.api.encoding import decode
from dockwright.api.exchange import Exchange
from dockwright.types.container import CreateRequest

TAR = "application/x-tar"


def _fields(found: dict[str, Any]) -> Fields:
    text = json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogateescape")
    return {"X-Docker-Container-Path-Stat": base64.b64encode(text).decode()}


async def path_stat(exchange: Exchange) -> Answer:
    """HEAD /containers/{id}/archive."""
    found = await exchange.managers.containers.path_stat(exchange.name, exchange.query.text("path"))
    return Answer(200, fields=_fields(found))


async def get_archive(exchange: Exchange) -> None:
    """GET /containers/{id}/archive: a tar."""
    path = exchange.query.text("path")
    async with exchange.managers.containers.get_archive(exchange.name, path) as (found, pieces):
        await exchange.stream(pieces, TAR, _fields(found))


async def put_archive(exchange: Exchange) -> Answer:
    """PUT /containers/{id}/archive: a tar, perhaps compressed."""
    query = exchange.query
    await exchange.managers.containers.put_archive(
        exchange.name,
        query.text("path"),
        aiter(exchange.body),
        query.flag("noOverwriteDirNonDir"),
        query.flag("copyUIDGID"),
    )
    return nothing(200)


async def export(exchange: Exchange) -> None:
    """GET /containers/{id}/export: a tar of its root."""
    async with exchange.managers.containers.export(exchange.name) as pieces:
        await exchange.stream(pieces, "application/octet-stream")


async def commit(exchange: Exchange) -> Answer:
    """POST /commit: an image of a container; a body gives it another configuration."""
    query, body = exchange.query, b"" if exchange.body.empty else await exchange.body.text()
    config = decode(body, CreateRequest) if body.strip() not in (b"", b"null") else None
    ident = await exchange.managers.containers.commit(
        query.text("container"), config, repo=query.text("repo"), tag=query.text("tag"), author=query.text("author"),
        comment=query.text("comment"), changes=query.all("changes"), pause=query.flag("pause", default=True),
    )  # fmt: skip
    return document({"Id": ident}, 201)


async def changes(exchange: Exchange) -> Answer:
    """GET /containers/{id}/changes."""
    return document(await exchange.managers.containers.changes(exchange.name))
