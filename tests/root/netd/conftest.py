"""A host, a container and servers: two network namespaces, a loop in a thread, no daemon."""

import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dockwright.kernel.process import CLONE_NEWNET, setns
from dockwright.supervisor.netd.dns import message
from dockwright.supervisor.netd.dns.resolver import Common, Resolver
from dockwright.supervisor.netd.dns.servers import HostServers
from dockwright.supervisor.netd.dns.service import record_of, view_of
from dockwright.supervisor.netd.loop import IN, Loop

OWN = ("127.0.0.11", 53)


class Place:
    """A network namespace with lo up."""

    def __init__(self, name: str) -> None:
        self.name, self.path = name, f"/run/netns/{name}"
        subprocess.run(["ip", "netns", "add", name], check=True)
        subprocess.run(["nsenter", f"--net={self.path}", "ip", "link", "set", "lo", "up"], check=True)

    def inside(self, make: Callable[[], Any]) -> Any:
        """What `make` answers inside; for making sockets and threads, which stay there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(self.path, os.O_RDONLY)
        try:
            setns(there, CLONE_NEWNET)
            return make()
        finally:
            setns(home, CLONE_NEWNET)
            os.close(home)
            os.close(there)

    def close(self) -> None:
        subprocess.run(["ip", "netns", "delete", self.name], check=True)


class Running(threading.Thread):
    """netd's loop in a thread of the host's namespace; `do` runs something in it."""

    def __init__(self, host: Place) -> None:
        super().__init__(daemon=True)
        self.loop = Loop()
        self.asked, self.wake = socket.socketpair()
        self.jobs: list[Callable[[], Any]] = []
        self.results: list[Any] = []
        self.done = threading.Event()
        self.ended = False
        self.loop.watch(self.asked.fileno(), self, IN)
        host.inside(self.start)

    def ready(self, events: int) -> None:
        self.asked.recv(1)
        try:
            self.results.append(self.jobs.pop()())
        except (OSError, ValueError) as error:
            self.results.append(error)
        self.done.set()

    def run(self) -> None:
        while not self.ended:
            self.loop.once(5.0)

    def do(self, job: Callable[[], Any]) -> Any:
        self.done.clear()
        self.jobs.append(job)
        self.wake.send(b"x")
        assert self.done.wait(10)
        result = self.results.pop()
        if isinstance(result, Exception):
            raise result
        return result

    def stop(self) -> None:
        self.do(lambda: setattr(self, "ended", True))
        self.join()
        self.asked.close()
        self.wake.close()
        self.loop.epoll.close()


class Upstream:
    """A name server with a canned way to answer, UDP and TCP; `seen` has what it was asked."""

    def __init__(self, place: Place, address: str, answer: Callable[[bytes], bytes | None]) -> None:
        self.answer, self.seen = answer, list[bytes]()
        self.udp = place.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.tcp = place.inside(lambda: socket.create_server((address, 53)))
        self.udp.bind((address, 53))
        for serve in (self._datagrams, self._streams):
            threading.Thread(target=serve, daemon=True).start()

    def _datagrams(self) -> None:
        while True:
            try:
                data, client = self.udp.recvfrom(4096)
            except OSError:
                return
            if not data:  # it was closed
                return
            self.seen.append(data)
            if (answer := self.answer(data)) is not None:
                self.udp.sendto(answer, client)

    def _streams(self) -> None:
        while True:
            try:
                stream, _ = self.tcp.accept()
            except OSError:
                return
            with stream:
                stream.settimeout(5)
                data = stream.recv(4096)[2:]
                if len(data) < 12:
                    continue
                self.seen.append(data)
                if (answer := self.answer(data)) is not None:
                    stream.sendall(struct.pack(">H", len(answer)) + answer)

    def close(self) -> None:
        for sock in (self.udp, self.tcp):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:  # not connected: it wakes the thread all the same
                pass
            sock.close()


def question(name: str, kind: int = message.A, ident: int = 0x1234) -> bytes:
    return struct.pack(">HHHHHH", ident, 0x100, 1, 0, 0, 0) + message.name_bytes(name) + struct.pack(">HH", kind, 1)


def saying(address: str = "9.9.9.9", rcode: int = 0) -> Callable[[bytes], bytes]:
    """A server's way to answer: this address, or a failure."""

    def answer(data: bytes) -> bytes:
        asked = message.parse(data)
        records = [] if rcode else [message.record(message.A, 60, socket.inet_aton(address))]
        return message.answer(asked, records, 512, rcode)

    return answer


class Stage:
    """A host, a container's namespace, and a resolver that serves it."""

    def __init__(self, resolv_conf: str) -> None:
        self.host, self.container = Place(f"dnh{os.getpid()}"), Place(f"dnc{os.getpid()}")
        self.running = Running(self.host)
        self.common = self.running.do(lambda: Common(self.running.loop, HostServers(resolv_conf)))
        self.common.directory.network("n1", "front").add("e1", record_of([["web"], ["172.20.0.2"], []]))
        self.resolver = self.running.do(lambda: Resolver(self.common, self.container.path, self.view()))
        self.upstreams: list[Upstream] = []

    def view(self, **more: Any) -> Any:
        row = {"networks": ["n1"], "links": {}, "gateways": [], "servers": None, "ndots": False, "outside": True}
        return view_of({**row, **more})

    def see(self, **more: Any) -> None:
        """Give the container another view."""
        self.running.do(lambda: setattr(self.resolver, "view", self.view(**more)))

    def upstream(self, address: str, answer: Callable[[bytes], bytes | None], place: Place | None = None) -> Upstream:
        made = Upstream(place or self.host, address, answer)
        self.upstreams.append(made)
        return made

    def socket(self, kind: int = socket.SOCK_DGRAM) -> socket.socket:
        """A socket of the container, connected to its resolver."""
        sock: socket.socket = self.container.inside(lambda: socket.socket(socket.AF_INET, kind))
        sock.settimeout(15)
        sock.connect(OWN)
        return sock

    def ask(self, data: bytes) -> bytes:
        with self.socket() as sock:
            sock.send(data)
            return sock.recv(4096)

    def close(self) -> None:
        self.running.do(self.resolver.close)
        self.running.stop()
        for each in (*self.upstreams, self.container, self.host):
            each.close()


@pytest.fixture
def stage(tmp_path: Any) -> Iterator[Stage]:
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 127.0.0.53\nnameserver 127.0.0.54\n")
    made = Stage(str(path))
    yield made
    made.close()
