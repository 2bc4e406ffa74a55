"""The daemon's side of netd: found again after a restart, started when first needed, restarted when it dies."""

import asyncio
import errno
import logging
import marshal
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dockwright.base.errors import Internal, InvalidParameter, NotFound
from dockwright.supervisor.launch import SOURCE_ROOT, keep_descriptors
from dockwright.supervisor.netd import protocol

log = logging.getLogger("dockwright.netd")

DEADLINE = 10.0  # seconds
EXPLAIN_DEADLINE = 15.0  # three servers have four seconds each

Binding = tuple[str, str, int]
Record = tuple[list[str], list[str], list[tuple[int, str]]]  # names, addresses, (port, protocol) for SRV
Request = dict[str, Any]


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
        lost: called (in the event loop) when netd has died; what it held must be made again.
        deadline: seconds for an answer. place: takes a new netd to its cgroup; OSError is a warning.
        transparent: connections are carried from the client's own address; None leaves that as it is.
    """

    def __init__(
        self, path: str, lost: Callable[[], None] = lambda: None, deadline: float = DEADLINE,
        place: Callable[[int], None] = lambda _pid: None, transparent: bool | None = None,
    ) -> None:  # fmt: skip
        self._path, self._deadline = path, deadline
        self._greeting = {"op": "hello"} | ({} if transparent is None else {"transparent": transparent})
        self._lost, self._place = lost, place
        self._lock = asyncio.Lock()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._watch: asyncio.Task[None] | None = None
        self._answers: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._child = 0
        self.held: dict[str, list[Binding]] = {}
        self.resolvers: dict[str, str] = {}
        self.pid = 0

    async def adopt(self) -> bool:
        """Connect to a netd that is already there; `held` says what it holds. False: there is none."""
        async with self._lock:
            return await self._connect()

    async def reserve(self, owner: str, bindings: Iterable[Binding], instead: Iterable[Binding] = ()) -> None:
        """Bind every one of `bindings` (protocol, address, port) for `owner`, starting netd if need be.

        Args:
            instead: what the owner has and gives up for them: an address of its own clashes with all addresses.

        Raises:
            PortTaken: none of them is bound.
            Internal: netd cannot be started or does not answer.
        """
        request = {"op": "reserve", "owner": owner, "bindings": list(bindings), "instead": list(instead)}
        answer = await self._call(request, start=True)
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

    async def release(self, owner: str, bindings: Iterable[Binding] = ()) -> None:
        """Give up every port of `owner`, or only `bindings`; without netd there is nothing to give up."""
        await self._call({"op": "release", "owner": owner, "bindings": list(bindings)}, start=False)

    async def perform(self, requests: Sequence[Request], start: bool = True) -> None:
        """Do what `requests` (see below the class) ask, in order, in one message.

        Args:
            start: netd is started if it is not there.

        Raises:
            Internal: one of them failed, the others were done; netd cannot be started or does not answer.
        """
        if not requests:
            return
        answers = (await self._call({"op": "several", "requests": list(requests)}, start=start)).get("answers", ())
        for request, answer in zip(requests, answers, strict=False):
            if "errno" in answer:
                raise Internal(f"{request['op']}: {os.strerror(answer['errno'])}")

    async def explain(self, owner: str, name: str, kind: int) -> dict[str, Any]:
        """What `owner` would be answered, on a connection of its own since it can take seconds: {"answer", "why"}.

        Raises:
            InvalidParameter: no such name can be asked. NotFound: `owner` has no resolver.
        """
        other = NetdClient(self._path, deadline=EXPLAIN_DEADLINE)
        request = {"op": "explain", "owner": owner, "name": name, "kind": kind}
        try:
            answer = await other._call(request, start=False)
        finally:
            await other.close()
        if answer.get("errno") == errno.EINVAL:
            raise InvalidParameter(f"{name} is not a domain name")
        if not answer or "errno" in answer:
            raise NotFound("no resolver")
        return answer

    async def stop(self) -> None:
        """End netd and with it every reservation."""
        await self._call({"op": "stop"}, start=False)
        await self.close()

    async def close(self) -> None:
        """Leave netd alone; it goes on."""
        if self._watch is not None:
            self._watch.cancel()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    async def _call(self, message: dict[str, Any], start: bool) -> dict[str, Any]:
        async with self._lock:
            if self._writer is None and not await self._connect():
                if not start:
                    return {}
                await self._start()
            return await self._exchange(message)

    async def _exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        assert self._writer is not None
        self._writer.write(protocol.frame(message))
        try:
            answer = await asyncio.wait_for(self._answers.get(), self._deadline)
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
        hello = await self._hello()
        if hello is None:
            return False
        if hello["version"] != protocol.VERSION:  # of another release: what it holds is made again by a new one
            log.warning("netd speaks version %d, this daemon %d: replaced", hello["version"], protocol.VERSION)
            await self._exchange({"op": "stop"})
            await self.close()
            return False
        self.pid, self.resolvers = hello["pid"], hello["resolvers"]
        self.held = {owner: [tuple(item) for item in held] for owner, held in hello["held"].items()}
        return True

    async def _hello(self) -> dict[str, Any] | None:
        """netd's first answer; None: it is just dying, its socket was the last of it."""
        assert self._writer is not None
        self._writer.write(protocol.frame(self._greeting))
        return await asyncio.wait_for(self._answers.get(), self._deadline)

    async def _listen(self, reader: asyncio.StreamReader, answers: "asyncio.Queue[dict[str, Any] | None]") -> None:
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(4), "big")
                answers.put_nowait(marshal.loads(await reader.readexactly(length)))
        except (asyncio.IncompleteReadError, OSError):
            left, self._writer = self._writer is None, None
            answers.put_nowait(None)
            self._reap()
            if not left and self.pid:
                log.warning("netd (pid %d) has died", self.pid)
                self.pid = 0
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
            await loop.run_in_executor(None, self._settle, self._child)
            word = await asyncio.wait_for(loop.run_in_executor(None, os.read, said, 16), DEADLINE)
        finally:
            os.close(said)
        if not word or not await self._connect():
            raise Internal("netd did not start")
        log.info("netd started (pid %d)", self.pid)

    def _settle(self, pid: int) -> None:
        try:
            self._place(pid)
        except OSError as error:
            log.warning("netd stays in the daemon's cgroup: %s", error)


def name(network: str, called: str, endpoint: str, record: Record) -> Request:
    """Tell the names of an endpoint on the network `network`, whose name is `called`."""
    return {"op": "name", "network": network, "called": called, "endpoint": endpoint, "record": record}


def unname(network: str, endpoint: str) -> Request:
    """Nobody finds that endpoint any more."""
    return {"op": "unname", "network": network, "endpoint": endpoint}


def directory(networks: dict[str, tuple[str, dict[str, Record]]]) -> Request:
    """Replace all names: by network's id its name, and the records by endpoint."""
    return {"op": "directory", "networks": networks}


def resolve(owner: str, namespace: str, view: dict[str, Any]) -> Request:
    """Answer at 127.0.0.11 inside `namespace`, or see names by another `view` from now on.

    Args:
        view: the arguments of netd.dns.names.View, addresses as texts.
    """
    return {"op": "resolve", "owner": owner, "namespace": namespace, "view": view}


def release(owner: str) -> Request:
    """Give up every port of `owner`, and its resolver."""
    return {"op": "release", "owner": owner, "bindings": []}


def _spawn(path: str, out: int) -> int:
    """Start netd detached from us: own session, only standard descriptors, an empty environment."""
    code = f"import sys; sys.path.insert(0, {SOURCE_ROOT!r}); from dockwright.supervisor.netd.server import main; main({path!r})"
    keep_descriptors()
    command = [sys.executable, "-I", "-S", "-B", "-c", code]
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, out, 1),
    ]
    return os.posix_spawn(sys.executable, command, {"LANG": "C"}, file_actions=actions, setsid=True, setsigmask=[])
