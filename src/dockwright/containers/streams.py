"""A container's streams: attach, the size of its terminal, its log."""

from collections.abc import AsyncIterator

from dockwright.base.errors import Conflict
from dockwright.base.paths import Paths
from dockwright.containers import logs, starting
from dockwright.containers.container import Container
from dockwright.containers.framing import frame
from dockwright.containers.session import Session, detach_sequence
from dockwright.containers.store import Store
from dockwright.supervisor.logs.watch import Watcher
from dockwright.supervisor.task import Position
from dockwright.types.streams import AttachOptions, LogOptions


class Streams:
    """attach, resize and logs."""

    def __init__(self, store: Store, paths: Paths) -> None:
        self._store, self._paths, self._watcher = store, paths, Watcher()

    async def attach(self, ref: str, options: AttachOptions) -> Session:
        """POST /containers/{id}/attach; to a container that has not started yet, it waits for the start."""
        container = self._store.find(ref)
        if container.state.paused:
            raise Conflict(f"container {ref} is paused, unpause the container before attach")
        if container.state.restarting:
            raise Conflict(f"container {ref} is restarting, wait until the container is running")
        refusal = f"Invalid detach keys ({options.detach_keys}) provided"
        detach = detach_sequence(options.detach_keys, refusal)
        tty, stdin = container.config["Tty"], options.stdin and container.config["OpenStdin"]
        streams = tuple(name for name in ("stdin", "stdout", "stderr") if getattr(options, name) and (name != "stdin" or stdin))
        if options.logs:
            logs.files_of(container, self._paths)
        bare = tty or options.bare
        if not options.stream:
            return Session(None, tty, False, detach, replay=self._replay(container, options, Position()), bare=bare)
        self._store.event(container, "attach")
        position = Position()
        connection = await starting.attached(container, streams, position)
        replay = self._replay(container, options, position) if options.logs else None
        return Session(
            connection, tty, stdin, detach, replay=replay, on_detach=lambda: self._store.event(container, "detach"), bare=bare
        )

    async def _replay(self, container: Container, options: AttachOptions, position: Position) -> AsyncIterator[bytes]:
        """The log up to the moment from which the live stream shows all, and the line that was unfinished then."""
        if not options.logs:
            return
        framed = not container.config["Tty"] and not options.bare
        wanted = LogOptions(stdout=options.stdout, stderr=options.stderr)
        files = logs.files_of(container, self._paths)
        async for piece in logs.read(files, wanted, framed, position.end):
            yield piece
        for stream, rest in position.rest.items():
            if rest and getattr(options, stream):
                yield frame(stream, rest) if framed else rest

    async def resize(self, ref: str, height: int, width: int) -> None:
        """POST /containers/{id}/resize."""
        container = self._store.find(ref)
        container.refuse_not_running()
        if container.config["Tty"] and container.task:
            await container.task.resize(width, height)
        self._store.event(container, "resize", height=str(height), width=str(width))

    async def logs(self, ref: str, options: LogOptions) -> AsyncIterator[bytes]:
        """GET /containers/{id}/logs. The first piece is empty: from then on an answer can begin."""
        container = self._store.find(ref)
        files, framed = logs.files_of(container, self._paths), not container.config["Tty"]
        if options.follow and container.state.running:
            ended = container.next_exit()
            try:
                yield b""
                async for piece in logs.follow(files, options, framed, self._watcher, ended):
                    yield piece
            finally:
                ended.cancel()
            return
        yield b""
        async for piece in logs.read(files, options, framed):
            yield piece
