"""`docker commit`: what a container has changed becomes a layer on its image's, and with it an image.

The layer is made of the driver's list of changes and the files themselves, so it is the same for each storage driver; the same
changes make the same bytes.
"""

import asyncio
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

from dockwright.base.errors import NotFound
from dockwright.base.times import now
from dockwright.events import EventBus
from dockwright.grammar.reference import Reference
from dockwright.images import store
from dockwright.images.archive import Found
from dockwright.images.arrival import Arrival, Remote
from dockwright.images.content import Blob, Content, Ingest
from dockwright.images.differ import DELETED, Change
from dockwright.images.importing import ENGINE
from dockwright.images.layers import Layers
from dockwright.images.load import Loader, explained
from dockwright.images.platforms import host
from dockwright.images.store import Image
from dockwright.images.unpack import WHITEOUT
from dockwright.kernel.mount import O_PATH, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, openat2
from dockwright.metadata import Database
from dockwright.tar import writer
from dockwright.tar.tree import TreeTar, batches

_KEPT = ("architecture", "variant", "os", "os.version", "os.features")


@dataclass(frozen=True)
class Wanted:
    """What is to be committed.

    Attributes:
        container: its id. base: the image it was made of. config: of the new image. container_config: the container's own.
        names: of the new image.
    """

    container: str
    base: Image | None
    config: dict[str, Any]
    container_config: dict[str, Any]
    author: str = ""
    comment: str = ""
    names: list[Reference] = field(default_factory=list)


class Committer:
    """Makes images of containers."""

    def __init__(self, database: Database, content: Content, layers: Layers, loader: Loader, events: EventBus) -> None:
        self._database, self._content, self._layers, self._loader, self._events = database, content, layers, loader, events

    async def commit(self, wanted: Wanted) -> str:
        """Make the image; returns its id.

        Raises:
            EngineError: nothing is left then.
        """
        below = store.layers(self._database.read(), wanted.base.id) if wanted.base else []
        ingest = self._content.ingest()
        try:
            layer = await asyncio.to_thread(self._layer, wanted.container, ingest)
            config = _document(wanted, [*(row.diff for row in below), *([layer.digest] if layer else [])], layer is None)
            blob = ingest.write([json.dumps(config, separators=(",", ":")).encode()])
            there = [Remote(row.blob or row.diff, 0, _gone) for row in below]
            found = Found(blob, [*there, *([layer] if layer else [])], wanted.names, parent=wanted.base.id if wanted.base else "")
            made = await self._loader.make(found)
        except OSError as error:
            raise explained(error) from error
        finally:
            await asyncio.to_thread(ingest.close)
        if wanted.names:
            await self._loader.mark_tagged(made.id)
        for name in wanted.names:
            self._events.publish("image", "tag", made.id, {**made.labels, "name": name.familiar})
        return made.id

    def _layer(self, container: str, ingest: Ingest) -> Blob | None:
        """The changes as a tar; None if there are none."""
        with self._layers.changed(container) as (directory, changes):
            return ingest.write(batches(_tar(directory, changes))) if changes else None


async def _gone(arrival: Arrival) -> NoReturn:
    """A layer of the image has been removed while the container was committed."""
    raise NotFound(f"content digest {arrival.digest}: not found")


def _document(wanted: Wanted, diffs: list[str], empty: bool) -> dict[str, Any]:
    """The new image's config (OCI image spec, config.md), with the fields Docker adds."""
    base = wanted.base.config if wanted.base else {"architecture": host().architecture, "os": host().os}
    created, command = now(), " ".join(wanted.container_config.get("Cmd") or [])
    entry: dict[str, Any] = {"created": created, "created_by": command}
    entry |= {key: value for key, value in (("author", wanted.author), ("comment", wanted.comment)) if value}
    entry |= {"empty_layer": True} if empty else {}
    return {
        **{key: base[key] for key in _KEPT if base.get(key)}, "author": wanted.author, "comment": wanted.comment,
        "config": wanted.config, "container": wanted.container, "container_config": wanted.container_config,
        "created": created, "docker_version": ENGINE, "history": [*(base.get("history") or []), entry],
        "rootfs": {"type": "layers", "diff_ids": diffs},
    }  # fmt: skip


def _tar(directory: str, changes: list[Change]) -> Iterator[bytes]:
    """The layer tar (OCI image spec, layer.md): what was added and changed, and a whiteout for what is gone."""
    tar = TreeTar()
    root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for path, kind in changes:
            folder, _, name = path[1:].rpartition("/")
            if kind == DELETED:
                yield _whiteout(f"{folder}/{WHITEOUT}{name}".lstrip("/"))
                continue
            with _opened(root, folder) as parent:
                yield from tar.one(parent, name, path[1:], os.stat(name, dir_fd=parent, follow_symlinks=False))
    finally:
        os.close(root)
    yield writer.END


@contextmanager
def _opened(root: int, folder: str) -> Iterator[int]:
    """A descriptor of a directory below `root`, which no link leads out of."""
    fd = openat2(root, folder or ".", O_PATH | os.O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
    try:
        yield fd
    finally:
        os.close(fd)


_EMPTY = os.stat_result((stat.S_IFREG, 0, 0, 1, *[0] * 12))


def _whiteout(name: str) -> bytes:
    return writer.header(name, _EMPTY)
