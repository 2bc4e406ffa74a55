"""A container's streams: attach, the size of its terminal, its log."""

from collections.abc import AsyncIterator

from dockwright.base.errors import Conflict, NotSupported
from dockwright.containers import starting
from dockwright.containers.session import Session, detach_sequence
from dockwright.containers.store import Store
from dockwright.types.streams import AttachOptions, LogOptions


class Streams:
    """attach, resize and logs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def attach(self, ref: str, options: AttachOptions) -> Session:
        """POST /containers/{id}/attach; to a container that has not started yet, it waits for the start."""
        container = self._store.find(ref)
        if container.state.paused:
            raise Conflict(f"container {ref} is paused, unpause the container before attach")
        if options.logs:
            raise NotSupported("attach with logs=1 is not implemented yet")
        refusal = f"Invalid detach keys ({options.detach_keys}) provided"
        detach = detach_sequence(options.detach_keys, refusal)
        chosen = [name for name in ("stdin", "stdout", "stderr") if getattr(options, name)]
        stdin = options.stdin and container.config["OpenStdin"]
        if not options.stream:
            return Session(None, container.config["Tty"], False, detach)
        streams = tuple(name for name in chosen if name != "stdin" or stdin)
        self._store.event(container, "attach")
        connection = await starting.attached(container, streams)
        return Session(connection, container.config["Tty"], stdin, detach)

    async def resize(self, ref: str, height: int, width: int) -> None:
        """POST /containers/{id}/resize."""
        container = self._store.find(ref)
        if not container.state.running or not container.task:
            raise Conflict(f"container {container.id} is not running")
        if container.config["Tty"]:
            await container.task.resize(width, height)
        self._store.event(container, "resize", height=str(height), width=str(width))

    async def logs(self, ref: str, options: LogOptions) -> AsyncIterator[bytes]:
        """GET /containers/{id}/logs: not there yet."""
        self._store.find(ref)
        raise NotSupported("reading logs is not implemented yet")
        yield b""
