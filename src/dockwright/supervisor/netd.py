"""netd: holds the host's side of published ports, and outlives the daemon.

For every published port it binds a real socket, so that no other program can take the port. Remote packets never reach
that socket, nftables rewrites them before; what does reach it (127.0.0.1, [::1], the host's IPv6 addresses, everything
while somebody has flushed the firewall) is carried to the container by the proxy in here.

One thread, one epoll loop. A reserved port refuses (TCP: bound, not listening; UDP: a filter drops everything) until it
is opened with a target. The control socket speaks frames: four bytes of length, then a marshal'ed dict.

    {"op": "hello"}                                        -> {"version", "pid", "held": {owner: [binding, ...]}}
    {"op": "reserve", "owner", "bindings": [(protocol, address, port), ...]} -> {} or {"errno", "binding"}
    {"op": "open", "owner", "targets": [(protocol, address, port, container address, container port), ...]} -> {}
    {"op": "release", "owner"} -> {} ; {"op": "stop"} -> {}, then the process ends

A reservation is wholly made or not at all. netd ends by itself when it holds nothing and no daemon is connected.
The file runs as a script, isolated and without site-packages: it imports only small modules of the standard library.
"""

from __future__ import annotations

import _socket
import errno
import marshal
import os
import select
import sys
import time

VERSION = 1
LINGER = 2.0  # seconds without a daemon and without ports before netd ends
UDP_IDLE = 90.0  # seconds a UDP client's flow is remembered
CHUNK = 65536
BACKLOG = 4096
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
IPV6_V6ONLY = 26
IP_PKTINFO, IPV6_RECVPKTINFO, IPV6_PKTINFO = 8, 49, 50
IN, OUT = select.EPOLLIN, select.EPOLLOUT
NEVER = frozenset((errno.EAGAIN, errno.EINTR, errno.EINPROGRESS))

Binding = tuple[str, str, int]


def frame(message: dict) -> bytes:  # type: ignore[type-arg]
    """`message` as it travels."""
    body = marshal.dumps(message)
    return len(body).to_bytes(4, "big") + body


class Loop:
    """epoll with one handler per descriptor: an object with `ready(events)`."""

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.handlers: dict[int, object] = {}

    def watch(self, fd: int, handler: object, events: int) -> None:
        """Call `handler.ready` for `events` on `fd`, from now on."""
        if fd in self.handlers:
            self.epoll.modify(fd, events)
        else:
            self.epoll.register(fd, events)
        self.handlers[fd] = handler

    def forget(self, fd: int) -> None:
        """Stop watching `fd`."""
        if self.handlers.pop(fd, None) is not None:
            self.epoll.unregister(fd)

    def once(self, timeout: float) -> None:
        """Wait for something to happen, at most `timeout` seconds, and handle it."""
        for fd, events in self.epoll.poll(timeout):
            handler = self.handlers.get(fd)
            if handler is not None:
                handler.ready(events)  # type: ignore[attr-defined]


def family_of(address: str) -> int:
    """AF_INET or AF_INET6."""
    return _socket.AF_INET6 if ":" in address else _socket.AF_INET


def bind(binding: Binding) -> _socket.socket:
    """A socket bound to a published address, which answers nobody yet. Raises OSError."""
    protocol, address, port = binding
    kind = _socket.SOCK_STREAM if protocol == "tcp" else _socket.SOCK_DGRAM
    family = family_of(address)
    sock = _socket.socket(family, kind | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC)
    try:
        if family == _socket.AF_INET6:
            sock.setsockopt(_socket.IPPROTO_IPV6, IPV6_V6ONLY, 1)
        if protocol == "tcp":
            sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        else:
            prepare_udp(sock, family)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock


def prepare_udp(sock: _socket.socket, family: int) -> None:
    """Drop every datagram until the port is opened, and ask to be told which of our addresses each one is for."""
    import ctypes  # only hosts that publish UDP pay for it

    drop = ctypes.create_string_buffer((0x06).to_bytes(2, "little") + bytes(6), 8)  # BPF_RET | BPF_K, 0
    program = bytes(ctypes.c_uint16(1)) + bytes(6) + bytes(ctypes.c_void_p(ctypes.addressof(drop)))
    sock.setsockopt(_socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
    if family == _socket.AF_INET6:
        sock.setsockopt(_socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(_socket.IPPROTO_IP, IP_PKTINFO, 1)


class Port:
    """One reserved port; with a target it also carries connections (or datagrams) to the container."""

    def __init__(self, loop: Loop, binding: Binding) -> None:
        self.loop = loop
        self.binding = binding
        self.socket = bind(binding)
        self.target = ("", 0)
        self.carried: set[object] = set()
        self.flows: dict[tuple[object, bytes], Flow] = {}

    def open(self, target: tuple[str, int]) -> None:
        """Begin to carry to `target`. Raises OSError when another listener has the port."""
        if not self.target[1]:
            if self.binding[0] == "tcp":
                self.socket.listen(BACKLOG)
            else:
                self.socket.setsockopt(_socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
            self.loop.watch(self.socket.fileno(), self, IN)
        self.target = target

    def close(self) -> None:
        """Give the port up and end what it carries."""
        self.loop.forget(self.socket.fileno())
        self.socket.close()
        for carried in list(self.carried) + list(self.flows.values()):
            carried.close()  # type: ignore[attr-defined]

    def ready(self, events: int) -> None:
        """Accept a connection, or carry a datagram."""
        try:
            if self.binding[0] == "tcp":
                fd, _ = self.socket._accept()  # type: ignore[attr-defined]
                Pair(self, _socket.socket(fileno=fd))
            else:
                self.datagram()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                time.sleep(0.01)

    def datagram(self) -> None:
        """Send one datagram on, by the flow of its client and of the address it was sent to."""
        data, control, _, client = self.socket.recvmsg(CHUNK, 128)
        info = control[0][2] if control else b""
        key = (client, info)
        flow = self.flows.get(key)
        if flow is None:
            flow = self.flows[key] = Flow(self, client, info)
        flow.used = time.monotonic()
        flow.socket.send(data)

    def expire(self, now: float) -> None:
        """Forget UDP flows nobody uses."""
        for flow in [flow for flow in self.flows.values() if now - flow.used > UDP_IDLE]:
            flow.close()


class Flow:
    """One UDP client of one of our addresses: answers go back to it from that address."""

    def __init__(self, port: Port, client: tuple[object, ...], info: bytes) -> None:
        self.port, self.client, self.info = port, client, info
        self.used = time.monotonic()
        kind = _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC
        self.socket = _socket.socket(family_of(port.target[0]), kind)
        try:
            self.socket.connect(port.target)
        except OSError:
            self.socket.close()
            raise
        port.loop.watch(self.socket.fileno(), self, IN)

    def ready(self, events: int) -> None:
        """Carry an answer back; a refusal by the container ends the flow."""
        try:
            data = self.socket.recv(CHUNK)
            self.used = time.monotonic()
            self.port.socket.sendmsg([data], [self.source()], 0, self.client)
        except OSError as error:
            if error.errno not in NEVER:
                self.close()

    def source(self) -> tuple[int, int, bytes]:
        """The control message that makes the answer leave from the address the client asked (ip(7), ipv6(7))."""
        if family_of(self.port.binding[1]) == _socket.AF_INET6:
            return _socket.IPPROTO_IPV6, IPV6_PKTINFO, self.info
        return _socket.IPPROTO_IP, IP_PKTINFO, bytes(4) + self.info[8:12] + bytes(4)

    def close(self) -> None:
        """Forget the flow."""
        self.port.loop.forget(self.socket.fileno())
        self.socket.close()
        self.port.flows.pop((self.client, self.info), None)


class Pair:
    """One TCP connection carried: the client's socket and the container's, a buffer and an end for each direction."""

    def __init__(self, port: Port, client: _socket.socket) -> None:
        self.port = port
        client.setblocking(False)
        self.client = Side(self, client, IN)
        kind = _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC
        container = _socket.socket(family_of(port.target[0]), kind)
        self.container = Side(self, container, IN | OUT)
        self.client.other, self.container.other = self.container, self.client
        port.carried.add(self)
        failure = container.connect_ex(port.target)
        if failure and failure not in NEVER:
            self.close()
            return
        for side in (self.client, self.container):
            port.loop.watch(side.socket.fileno(), side, side.events)

    def close(self) -> None:
        """End both connections."""
        for side in (self.client, self.container):
            self.port.loop.forget(side.socket.fileno())
            side.socket.close()
        self.port.carried.discard(self)


class Side:
    """One end of a Pair: reads into the other's buffer, writes its own; a half-close travels once the buffer is empty."""

    other: Side

    def __init__(self, pair: Pair, sock: _socket.socket, events: int) -> None:
        self.pair, self.socket, self.events = pair, sock, events
        self.buffer = b""
        self.ended = False  # the peer sends no more
        self.shut = False  # we have said that the other side sends no more

    def ready(self, events: int) -> None:
        """Move what can be moved; an error of either end closes both."""
        try:
            if events & (IN | select.EPOLLHUP | select.EPOLLERR) and not self.ended and not self.other.buffer:
                self.read()
            if events & OUT or self.buffer or self.other.ended:
                self.write()
            self.other.write()
        except OSError as error:
            if error.errno not in NEVER:
                self.pair.close()
                return
        if self.shut and self.other.shut:
            self.pair.close()
            return
        self.update()
        self.other.update()

    def read(self) -> None:
        """Take bytes from this end for the other one."""
        data = self.socket.recv(CHUNK)
        self.other.buffer = data
        self.ended = not data

    def write(self) -> None:
        """Give this end what is waiting for it, then the end of the stream."""
        if self.buffer:
            try:
                self.buffer = self.buffer[self.socket.send(self.buffer) :]
            except OSError as error:
                if error.errno not in NEVER and error.errno != errno.ENOTCONN:
                    raise
        if self.other.ended and not self.buffer and not self.shut:
            try:
                self.socket.shutdown(_socket.SHUT_WR)
            except OSError as error:
                if error.errno != errno.ENOTCONN:
                    raise
            self.shut = True

    def update(self) -> None:
        """Ask epoll for what this end can do now."""
        events = (0 if self.ended or self.other.buffer else IN) | (OUT if self.buffer else 0)
        if events != self.events:
            self.events = events
            self.pair.port.loop.watch(self.socket.fileno(), self, events)


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
            self.answer(marshal.loads(body))

    def answer(self, message: dict) -> None:  # type: ignore[type-arg]
        self.socket.setblocking(True)
        try:
            self.socket.sendall(frame(self.server.handle(message)))
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

    def handle(self, message: dict) -> dict:  # type: ignore[type-arg]
        """Do what `message` asks and answer it."""
        operation = message.get("op")
        owner = message.get("owner", "")
        if operation == "hello":
            held = {name: list(ports) for name, ports in self.owners.items()}
            return {"version": VERSION, "pid": os.getpid(), "held": held}
        if operation == "reserve":
            return self.reserve(owner, [tuple(binding) for binding in message["bindings"]])
        if operation == "open":
            return self.open(owner, message["targets"])
        if operation == "release":
            self.release(owner)
            return {}
        if operation == "stop":
            self.running = False
            return {}
        return {"errno": errno.ENOSYS, "binding": None}

    def reserve(self, owner: str, bindings: list[Binding]) -> dict:  # type: ignore[type-arg]
        """Bind all of `bindings` for `owner`, or none of them."""
        held = self.owners.get(owner, {})
        made: dict[Binding, Port] = {}
        for binding in bindings:
            if binding in held or binding in made:
                continue
            try:
                made[binding] = Port(self.loop, binding)
            except OSError as error:
                for port in made.values():
                    port.close()
                return {"errno": error.errno, "binding": binding}
        self.owners[owner] = {**held, **made}
        return {}

    def open(self, owner: str, targets: list[tuple[str, str, int, str, int]]) -> dict:  # type: ignore[type-arg]
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

    def release(self, owner: str) -> None:
        """Give up every port of `owner`."""
        for port in self.owners.pop(owner, {}).values():
            port.close()

    def run(self) -> None:
        """Serve until told to stop, or until there is nothing left to do."""
        idle_since = time.monotonic()
        while self.running:
            self.loop.once(30.0 if self.daemons or self.owners else LINGER)
            now = time.monotonic()
            if self.daemons or self.owners:
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


if __name__ == "__main__":
    main(sys.argv[1])
