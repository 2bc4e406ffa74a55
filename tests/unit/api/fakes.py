"""Managers for the API's tests: they keep the contract's signatures and remember what they were asked."""

import asyncio
import contextlib
import socket

from dockwright.api import ApiServer, Managers
from dockwright.base.errors import InvalidParameter, NotFound
from dockwright.events import EventBus


class Session:
    """An attached echo: sends a greeting, then what it gets, and `bye` when the client closes its side."""

    def __init__(self, tty=False):
        self.tty = tty
        self.multiplexed = not tty

    async def run(self, stream):
        stream.write(b"hello\n")
        while data := await stream.read():
            stream.write(data.upper())
            await stream.drain()
        stream.write(b"bye\n")
        stream.write_eof()
        stream.close()


class Waiter:
    def __init__(self, future):
        self._future = future

    async def result(self):
        return await self._future


class Containers:
    """One container, `web`."""

    def __init__(self):
        self.calls = []
        self.exit = None
        self.cancelled = asyncio.Event()
        self.stopped = asyncio.Event()
        self.log = [b"one\n", b"two\n"]

    def _find(self, ref):
        if ref != "web":
            raise NotFound(f"No such container: {ref}")

    async def create(self, name, request, platform, version):
        self.calls.append(("create", name, request.Image, platform, version))
        return {"Id": "a" * 64, "Warnings": []}

    async def start(self, ref):
        self._find(ref)
        self.calls.append(("start", ref))

    async def stop(self, ref, timeout, signal, caller):
        self._find(ref)
        self.calls.append(("stop", ref, timeout, signal))
        await asyncio.sleep(0.1)
        self.stopped.set()

    async def kill(self, ref, signal, caller):
        self._find(ref)
        self.calls.append(("kill", ref, signal))

    def wait(self, ref, condition):
        self._find(ref)
        self.exit = asyncio.get_running_loop().create_future()
        self.calls.append(("wait", ref, condition))
        return Waiter(self.exit)

    async def attach(self, ref, options):
        self._find(ref)
        self.calls.append(("attach", options))
        return Session()

    async def logs(self, ref, options):
        self._find(ref)
        try:
            for piece in self.log:
                yield piece
            if options.follow:
                await asyncio.Event().wait()
        finally:
            self.cancelled.set()

    async def inspect(self, ref, size):
        self._find(ref)
        endpoint = {"Aliases": None, "DNSNames": ["web"]}
        return {
            "Id": "a" * 64,
            "Name": "/web",
            "Config": {"Tty": False},
            "HostConfig": {"Annotations": {}, "CgroupnsMode": "host"},
            "NetworkSettings": {"Networks": {"own": endpoint}},
        }

    async def list(self, all, limit, size, filters):
        self.calls.append(("list", all, limit, size, filters))
        return []

    async def exec_create(self, ref, request):
        self._find(ref)
        return {"Id": "e" * 64}

    def exec_check(self, ident):
        pass

    async def exec_start(self, ident, request):
        if ident == "broken":
            raise InvalidParameter("OCI runtime exec failed: exec failed: no")
        return None if request.Detach else Session()

    def exec_inspect(self, ident):
        return {"ID": ident}

    async def stats(self, ref, stream, one_shot):
        self._find(ref)
        yield {"n": 1}
        if stream:
            yield {"n": 2}

    async def trace(self, ref):
        self._find(ref)
        return [["shim", "mount", "<rootfs> & more", 1, 2]]


class Images:
    driver_name = "overlay2"

    def __init__(self):
        self.loaded = b""
        self.closed = False

    def driver_status(self):
        return [["Backing Filesystem", "extfs"]]

    async def list(self, all, filters, shared_size, manifests=False):
        return [{"Id": "sha256:1", "RepoTags": [], "RepoDigests": [], "Size": 5}]

    async def load(self, body, quiet, platform=None):
        async for piece in body:
            self.loaded += piece
        yield {"stream": f"Loaded {len(self.loaded)} bytes, quiet={quiet}\n"}
        if b"bad" in self.loaded:
            raise NotFound("invalid archive: does not contain a manifest.json")

    async def pull(self, name, tag, platform, caller, all_platforms):
        meta = "".join(caller.extra.values())
        yield {"status": f"{name} {tag} {platform} {caller.credentials.username} {caller.upstream} {meta}"}

    async def save(self, names, platform=None):
        if "nope" in names:
            raise NotFound("No such image: nope:latest")
        yield b"x" * 10
        if "broken" in names:
            raise RuntimeError("disk on fire")

    async def history(self, name):
        return [{"Id": name}]


class Networks:
    published_ports = "docker"

    async def list(self, filters):
        return []


class System:
    experimental = False

    async def version(self):
        return {"Version": "27.5.1", "Platform": {"Name": "x"}, "Components": []}

    async def info(self):
        return {"ID": "engine", "SecurityOptions": ["name=seccomp,profile=builtin"]}


class Running:
    """A server on one socket pair per client, with its fakes."""

    def __init__(self, path):
        self.path = path
        self.containers, self.images = Containers(), Images()
        self.events = EventBus()
        self.server = ApiServer(Managers(self.containers, self.images, Networks(), None, self.events, System(), None, None))

    async def connect(self):
        return await asyncio.open_unix_connection(self.path)

    async def ask(self, data, half_close=False):
        """Everything the server answers to `data` until it closes; `Connection: close` is the caller's."""
        reader, writer = await self.connect()
        writer.write(data)
        if half_close:
            writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return answer


@contextlib.asynccontextmanager
async def running(directory):
    sock = socket.socket(socket.AF_UNIX)
    path = str(directory / "api.sock")
    sock.bind(path)
    fixture = Running(path)
    await fixture.server.serve([sock])
    try:
        yield fixture
    finally:
        await fixture.server.close(0.5)


def request(method, target, body=b"", **fields):
    """A request that closes its connection."""
    head = [f"{method} {target} HTTP/1.1", "Host: docker", "Connection: close"]
    head += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    if body and "Transfer_Encoding" not in fields:
        head.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


def parts(answer):
    """Status, head text, body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode(), body
