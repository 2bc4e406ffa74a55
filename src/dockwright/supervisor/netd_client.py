"""The daemon's side of netd: found again after a restart, started at the first published port, restarted when it dies."""

import asyncio
import errno
import logging
import marshal
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from dockwright.base.errors import Internal
from dockwright.supervisor import netd

log = logging.getLogger("dockwright.netd")

DEADLINE = 10.0

Binding = tuple[str, str, int]


class PortTaken(Exception):
    """The host refused to bind one address of a reservation; nothing was reserved.

    Attributes:
        binding: (protocol, address, port).
        errno: what bind(2) answered.
    """

    def __init__(self, binding: Binding, number: int) -> None:
        super().__init__(f"{binding}: {os.strerror(number)}")
        self.binding = binding
        self.errno = number


class NetdClient:
    """Reserves, opens and releases host ports by way of netd.

    Args:
        path: the control socket's place, below the exec root.
        lost: called (in the event loop) when netd has died; reservations must be made again.
    """

    def __init__(self, path: str, lost: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self._lost = lost
        self._lock = asyncio.Lock()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._watch: asyncio.Task[None] | None = None
        self._answers: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._child = 0
        self.held: dict[str, list[Binding]] = {}
        self.pid = 0

    async def adopt(self) -> bool:
        """Connect to a netd that is already there; `held` says what it holds. False: there is none."""
        async with self._lock:
            return await self._connect()

    async def reserve(self, owner: str, bindings: Iterable[Binding]) -> None:
        """Bind every one of `bindings` (protocol, address, port) for `owner`, starting netd if need be.

        Raises:
            PortTaken: none of them is bound.
            Internal: netd cannot be started or does not answer.
        """
        answer = await self._call({"op": "reserve", "owner": owner, "bindings": list(bindings)}, start=True)
        if "errno" in answer:
            raise PortTaken(tuple(answer["binding"]), answer["errno"])

    async def open(self, owner: str, targets: Iterable[tuple[str, str, int, str, int]]) -> None:
        """Carry from (protocol, address, port) to (container address, container port).

        Raises:
            PortTaken: somebody else listens there now.
            Internal: netd does not answer.
        """
        answer = await self._call({"op": "open", "owner": owner, "targets": list(targets)}, start=True)
        if "errno" in answer:
            raise PortTaken(tuple(answer["binding"]), answer["errno"])

    async def release(self, owner: str) -> None:
        """Give up every port of `owner`; without netd there is nothing to give up."""
        await self._call({"op": "release", "owner": owner}, start=False)

    async def stop(self) -> None:
        """End netd and with it every reservation."""
        await self._call({"op": "stop"}, start=False)
        await self.close()

    async def close(self) -> None:
        """Leave netd alone; it goes on."""
        if self._watch is not None:
            self._watch.cancel()
        if self._writer is not None:
            self._writer.close()
            await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)
        self._writer = None

    async def _call(self, message: dict[str, Any], start: bool) -> dict[str, Any]:
        async with self._lock:
            if self._writer is None and not await self._connect():
                if not start:
                    return {}
                await self._start()
            return await self._exchange(message)

    async def _exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        assert self._writer is not None
        self._writer.write(netd.frame(message))
        try:
            answer = await asyncio.wait_for(self._answers.get(), DEADLINE)
        except TimeoutError:
            raise Internal(f"netd does not answer ({message['op']})") from None
        if answer is None:
            raise Internal(f"netd has died ({message['op']})")
        return answer

    async def _connect(self) -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(self._path)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
                return False
            raise
        self._answers = asyncio.Queue()
        self._reader, self._writer = reader, writer
        self._watch = asyncio.get_running_loop().create_task(self._listen(reader, self._answers))
        hello = await self._exchange({"op": "hello"})
        if hello["version"] != netd.VERSION:
            raise Internal(f"netd speaks version {hello['version']}, this daemon {netd.VERSION}")
        self.pid = hello["pid"]
        self.held = {owner: [tuple(item) for item in held] for owner, held in hello["held"].items()}
        return True

    async def _listen(self, reader: asyncio.StreamReader, answers: "asyncio.Queue[dict[str, Any] | None]") -> None:
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(4), "big")
                answers.put_nowait(marshal.loads(await reader.readexactly(length)))
        except (asyncio.IncompleteReadError, OSError):
            self._writer = None
            answers.put_nowait(None)
            self._reap()
            log.warning("netd (pid %d) has died", self.pid)
            self._lost()

    def _reap(self) -> None:
        if self._child:
            try:
                os.waitpid(self._child, os.WNOHANG)
            except ChildProcessError:
                pass
            self._child = 0

    async def _start(self) -> None:
        """Spawn netd and connect to it. Raises Internal."""
        if os.path.exists(self._path):
            os.unlink(self._path)
        os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
        said, out = os.pipe()
        try:
            self._child = _spawn(self._path, out)
            os.close(out)
            loop = asyncio.get_running_loop()
            word = await asyncio.wait_for(loop.run_in_executor(None, os.read, said, 16), DEADLINE)
        finally:
            os.close(said)
        if not word or not await self._connect():
            raise Internal("netd did not start")
        log.info("netd started (pid %d)", self.pid)


def _spawn(path: str, out: int) -> int:
    """Start netd detached from us: own session, only standard descriptors, an empty environment."""
    command = [sys.executable, "-I", "-S", "-B", netd.__file__, path]
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, out, 1),
    ]
    return os.posix_spawn(sys.executable, command, {"LANG": "C"}, file_actions=actions, setsid=True, setsigmask=[])
