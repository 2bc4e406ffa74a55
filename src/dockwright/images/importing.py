"""`docker import`: one tar of a root file system becomes an image of one layer."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial

from dockwright.base.errors import InvalidParameter
from dockwright.base.times import now
from dockwright.events import EventBus
from dockwright.grammar import reference
from dockwright.grammar.reference import Reference
from dockwright.images import changes as instructions
from dockwright.images import platforms
from dockwright.images.archive import Found
from dockwright.images.content import Content
from dockwright.images.fetching import address, fetched
from dockwright.images.load import Loader, explained
from dockwright.images.oci import Platform
from dockwright.images.progress import Emit, Line, lines
from dockwright.images.registry.transport import Transport

BODY = "-"  # as a source: the request's own body
ENGINE = "27.5.1"  # docker_version of a config


def target(repo: str, tag: str) -> list[Reference]:
    """The name of the new image; no repository, no name.

    Raises:
        InvalidParameter: in Docker's words.
    """
    if not repo:
        return []
    parsed = reference.parse(repo)
    if parsed.digest:
        raise InvalidParameter("cannot import digest reference")
    if tag and not reference.TAG.fullmatch(tag):
        raise InvalidParameter("invalid tag format")
    return [Reference(parsed.domain, parsed.path, tag or parsed.tag or reference.DEFAULT_TAG)]


def platform(text: str) -> Platform:
    """`os/architecture[/variant]` of the new image; "" is this host's.

    Raises:
        InvalidParameter: no such system, or one whose images this engine cannot hold.
    """
    found = platforms.parse(text) if text else platforms.host()
    if found.os != platforms.host().os:
        raise InvalidParameter(f'operating system is not supported: "{found.os}"')
    return found


class Importer:
    """Makes images of root file systems."""

    def __init__(self, content: Content, loader: Loader, events: EventBus, transport: Transport) -> None:
        self._content, self._loader, self._events, self._transport = content, loader, events, transport

    def import_(
        self, body: AsyncIterator[bytes], repo: str, tag: str, message: str, changes: list[str], wanted_platform: str,
        source: str = BODY,
    ) -> AsyncIterator[Line]:  # fmt: skip
        """Progress documents; the last one's status is the new image's id.

        Args:
            source: a URL instead of the body.

        Raises:
            EngineError: a name, platform, change, URL or tar that cannot be; at once, or while it is read.
        """
        names = target(repo, tag)
        url = "" if source == BODY else address(source)
        message = message or f"Imported from {url or BODY}"
        wanted = platform(wanted_platform)
        created = now()
        config: dict[str, object] = {
            "architecture": wanted.architecture, **({"variant": wanted.variant} if wanted.variant else {}),
            "comment": message,
            "config": instructions.apply({}, changes), "created": created, "docker_version": ENGINE,
            "history": [{"created": created, "comment": message}], "os": wanted.os,
        }  # fmt: skip
        return lines(partial(self._fetch, url, config, names) if url else partial(self._import, body, config, names))

    async def _fetch(self, url: str, config: dict[str, object], names: list[Reference], emit: Emit) -> None:
        async with fetched(self._transport, url, emit) as body:
            await self._import(body, config, names, emit)

    async def _import(
        self, body: AsyncIterator[bytes], config: dict[str, object], names: list[Reference], emit: Emit
    ) -> None:
        ingest = self._content.ingest()
        try:
            layer = await self._loader.received_tar(body, ingest)
            document = {**config, "rootfs": {"type": "layers", "diff_ids": [layer.digest]}}
            blob = ingest.write([json.dumps(document, separators=(",", ":")).encode()])
            made = await self._loader.make(Found(blob, [layer], names))
        except OSError as error:
            raise explained(error) from error
        finally:
            await asyncio.to_thread(ingest.close)
        if names:
            await self._loader.mark_tagged(made.id)
        for name in names:
            self._events.publish("image", "tag", made.id, {"name": name.familiar})
        self._events.publish("image", "import", made.id, {"name": made.id})
        emit({"status": made.id})
