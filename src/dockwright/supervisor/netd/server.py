"""netd's control socket: requests of daemons, and what is held for them."""

from __future__ import annotations

import _socket
import errno
import marshal
import os
import time

from dockwright.supervisor.netd.dialing import Manner
from dockwright.supervisor.netd.dns.service import Names
from dockwright.supervisor.netd.loop import IN, NEVER, Loop
from dockwright.supervisor.netd.ports import Binding, Port
from dockwright.supervisor.netd.protocol import VERSION, frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Message = dict[str, Any]

LINGER = 2.0  # seconds without a daemon and with nothing held before netd ends


class Control:
    """A daemon's connection: whole frames in, one answer each."""

    def __init__(self, server: Server, sock: _socket.socket) -> None:
        self.server, self.socket = server, sock
        self.data = b""

    def ready(self, events: int) -> None:
        """Read; answer every whole frame; at EOF the daemon is gone and everything stays."""
        try:
            data = self.socket.recv(1 << 20)
        except OSError as error:
            if error.errno in NEVER:
                return
            data = b""
        if not data:
            self.server.disconnect(self)
            return
        self.data += data
        while len(self.data) >= 4 and len(self.data) >= (end := 4 + int.from_bytes(self.data[:4], "big")):
            body, self.data = self.data[4:end], self.data[end:]
            answer = self.server.handle(marshal.loads(body), self)
            if answer is not None:
                self.say(answer)

    def say(self, answer: Message) -> None:
        """Send one answer; a daemon that is gone meanwhile gets none."""
        if self not in self.server.daemons:
            return
        self.socket.setblocking(True)
        try:
            self.socket.sendall(frame(answer))
        except OSError:
            self.server.disconnect(self)
            return
        self.socket.setblocking(False)


class Server:
    """The reservations by owner, and the daemons that are connected."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.loop = Loop()
        self.owners: dict[str, dict[Binding, Port]] = {}
        self.names = Names(self.loop)
        self.manner = Manner()
        self.daemons: set[Control] = set()
        self.running = True
        self.socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        self.socket.bind(path)
        os.chmod(path, 0o600)
        self.socket.listen(8)
        self.loop.watch(self.socket.fileno(), self, IN)

    def ready(self, events: int) -> None:
        """A daemon connects."""
        fd, _ = self.socket._accept()  # type: ignore[attr-defined]
        sock = _socket.socket(fileno=fd)
        sock.setblocking(False)
        control = Control(self, sock)
        self.daemons.add(control)
        self.loop.watch(fd, control, IN)

    def disconnect(self, control: Control) -> None:
        """A daemon is gone."""
        self.loop.forget(control.socket.fileno())
        control.socket.close()
        self.daemons.discard(control)

    def handle(self, message: Message, control: Control) -> Message | None:
        """Do what `message` asks and answer it; None: the answer comes later."""
        operation = message.get("op", "")
        owner = message.get("owner", "")
        if operation == "hello":
            self.manner.transparent = message.get("transparent", self.manner.transparent)
            held = {name: list(ports) for name, ports in self.owners.items()}
            return {"version": VERSION, "pid": os.getpid(), "held": held, "resolvers": self.names.held()}
        if operation == "reserve":
            instead = [tuple(binding) for binding in message["instead"]]
            return self.replace(owner, [tuple(binding) for binding in message["bindings"]], instead)
        if operation == "open":
            return self.open(owner, message["targets"])
        if operation == "release":
            self.release(owner, [tuple(binding) for binding in message["bindings"]])
            return {}
        if operation == "stop":
            self.running = False
            return {}
        if operation == "several":
            return {"answers": [self.handle(request, control) for request in message["requests"]]}
        if operation == "explain":
            return self.names.explain(owner, message["name"], message["kind"], control.say)
        answer = self.names.handle(operation, message)
        return {"errno": errno.ENOSYS, "binding": None} if answer is None else answer

    def replace(self, owner: str, bindings: list[Binding], instead: list[Binding]) -> Message:
        """Bind `bindings` for `owner` in place of some of its own, which are bound and opened again if that fails."""
        held = self.owners.get(owner, {})
        given = {binding: held.pop(binding) for binding in instead if binding in held}
        for port in given.values():
            port.close()
        answer = self.reserve(owner, bindings)
        if answer:
            self.reserve(owner, list(given))
            self.open(owner, [(*binding, *port.target) for binding, port in given.items() if port.target[1]])
        return answer

    def reserve(self, owner: str, bindings: list[Binding]) -> Message:
        """Bind all of `bindings` for `owner`, or none of them."""
        held = self.owners.get(owner, {})
        made: dict[Binding, Port] = {}
        for binding in bindings:
            if binding in held or binding in made:
                continue
            try:
                made[binding] = Port(self.loop, binding, self.manner)
            except OSError as error:
                for port in made.values():
                    port.close()
                return {"errno": error.errno, "binding": binding}
        if held or made:
            self.owners[owner] = {**held, **made}
        return {}

    def open(self, owner: str, targets: list[tuple[str, str, int, str, int]]) -> Message:
        """Let `owner`'s ports carry to their targets."""
        held = self.owners.get(owner, {})
        for protocol, address, number, host, port in targets:
            binding = (protocol, address, number)
            if binding not in held:
                return {"errno": errno.ENOENT, "binding": binding}
            try:
                held[binding].open((host, port))
            except OSError as error:
                return {"errno": error.errno, "binding": binding}
        return {}

    def release(self, owner: str, bindings: list[Binding]) -> None:
        """Give up `bindings` of `owner`, or all its ports and its resolver."""
        if bindings:
            held = self.owners.get(owner, {})
            for port in [held.pop(binding) for binding in bindings if binding in held]:
                port.close()
            if not held:
                self.owners.pop(owner, None)
            return
        self.names.release(owner)
        for port in self.owners.pop(owner, {}).values():
            port.close()

    def run(self) -> None:
        """Serve until told to stop, or until there is nothing left to do."""
        idle_since = time.monotonic()
        while self.running:
            busy = bool(self.daemons or self.owners or self.names)
            self.loop.once(30.0 if busy else LINGER)
            now = time.monotonic()
            if busy:
                idle_since = now
            elif now - idle_since >= LINGER:
                break
            for ports in self.owners.values():
                for port in ports.values():
                    port.expire(now)
        os.unlink(self.path)


def main(path: str) -> None:
    """Serve on `path`; the line on standard output says that the socket is there."""
    server = Server(path)
    os.write(1, b"ready\n")
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    os.chdir("/")
    server.run()
