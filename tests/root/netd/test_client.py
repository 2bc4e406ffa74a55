"""The daemon's side: netd is found again, is replaced, dies, and answers for names all the while."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dockwright.base.errors import Internal, InvalidParameter, NotFound
from dockwright.supervisor.netd import protocol
from dockwright.supervisor.netd_client import NetdClient, PortTaken, directory, name, release, resolve, unname

from .conftest import OWN, Place, question

RECORD = (["web"], ["172.20.0.2"], [(80, "tcp")])
VIEW = {"networks": ["n1"], "links": {}, "gateways": [], "servers": [], "ndots": False, "outside": True}


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place(f"dnp{os.getpid()}")
    yield made
    made.close()


@asynccontextmanager
async def connected(tmp_path: Path) -> AsyncIterator[NetdClient]:
    client = NetdClient(f"{tmp_path}/n/s")
    try:
        yield client
    finally:
        await client.stop()


def ask(place: Place, name: str) -> bytes:
    with place.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.settimeout(5)
        sock.connect(OWN)
        sock.send(question(name))
        return bytes(sock.recv(512))


def test_names_are_served_and_changed(tmp_path: Path, place: Place) -> None:
    async def script() -> None:
        async with connected(tmp_path) as netd:
            await netd.perform([name("n1", "front", "e1", RECORD)])
            await netd.perform([resolve("box", place.path, VIEW)])
            assert ask(place, "web").endswith(b"\xac\x14\0\2")
            await netd.perform([name("n1", "front", "e1", (["other"], ["172.20.0.3"], []))])
            assert ask(place, "other").endswith(b"\xac\x14\0\3")
            assert ask(place, "web")[3] & 15 == 2
            await netd.perform([directory({"n1": ("front", {"e2": RECORD})})])
            assert ask(place, "web.front").endswith(b"\xac\x14\0\2")
            await netd.perform([resolve("box", place.path, {**VIEW, "networks": []})])
            assert ask(place, "web")[3] & 15 == 2
            await netd.perform([unname("n1", "e2")])
            await netd.perform([release("box")])
            with pytest.raises(ConnectionRefusedError):
                ask(place, "web")

    asyncio.run(script())


def test_the_next_daemon_finds_it(tmp_path: Path, place: Place) -> None:
    async def script() -> None:
        async with connected(tmp_path) as first:
            await first.perform([name("n1", "front", "e1", RECORD)])
            await first.perform([resolve("box", place.path, VIEW)])
            await first.close()
            assert ask(place, "web").endswith(b"\xac\x14\0\2")
            async with connected(tmp_path) as second:
                assert await second.adopt()
                assert (second.pid, second.resolvers) == (first.pid, {"box": place.path})

    asyncio.run(script())


def test_an_answer_is_explained(tmp_path: Path, place: Place) -> None:
    async def script() -> None:
        async with connected(tmp_path) as netd:
            await netd.perform([name("n1", "front", "e1", RECORD)])
            await netd.perform([resolve("box", place.path, VIEW)])
            known = await netd.explain("box", "web", 1)
            assert known["why"] == ["a name on network front"] and known["answer"].endswith(b"\xac\x14\0\2")
            unknown = await netd.explain("box", "example.org.", 1)
            assert unknown["why"] == ["there is no server to ask"] and unknown["answer"][3] & 15 == 2
            with pytest.raises(NotFound):
                await netd.explain("nobody", "web", 1)
            with pytest.raises(InvalidParameter):
                await netd.explain("box", "a..b", 1)

    asyncio.run(script())


def test_a_namespace_that_is_gone(tmp_path: Path) -> None:
    async def script() -> None:
        async with connected(tmp_path) as netd:
            with pytest.raises(Internal, match="resolve: No such file or directory"):
                await netd.perform([resolve("box", "/run/netns/nosuch", VIEW)])
            assert netd.pid

    asyncio.run(script())


def test_its_death_is_told_and_another_takes_over(tmp_path: Path, place: Place) -> None:
    async def script() -> None:
        lost = asyncio.Event()
        client = NetdClient(f"{tmp_path}/n/s", lost.set)
        await client.perform([name("n1", "front", "e1", RECORD)])
        await client.perform([resolve("box", place.path, VIEW)])
        first = client.pid
        os.kill(first, signal.SIGKILL)
        await asyncio.wait_for(lost.wait(), 5)
        await client.perform([directory({"n1": ("front", {"e1": RECORD})})])
        await client.perform([resolve("box", place.path, VIEW)])
        assert client.pid != first and ask(place, "web").endswith(b"\xac\x14\0\2")
        await client.stop()

    asyncio.run(script())


def test_one_of_another_release_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def script() -> None:
        async with connected(tmp_path) as old:
            await old.reserve("box", [("tcp", "127.0.0.1", 0)])
            await old.close()
            monkeypatch.setattr(protocol, "VERSION", protocol.VERSION + 1)
            new = NetdClient(f"{tmp_path}/n/s")
            assert not await new.adopt()
            deadline = time.monotonic() + 5
            while os.path.exists(f"{tmp_path}/n/s"):
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)
            monkeypatch.undo()

    asyncio.run(script())


def test_it_ends_when_it_holds_nothing(tmp_path: Path, place: Place) -> None:
    async def script() -> int:
        client = NetdClient(f"{tmp_path}/n/s")
        await client.perform([resolve("box", place.path, VIEW)])
        await client.perform([release("box")])
        binding = ("tcp", "127.0.0.1", 0)
        await client.reserve("part", [binding])
        await client.release("part", [binding])
        await client.reserve("nothing", [])
        await client.close()
        return client.pid

    pid = asyncio.run(script())
    deadline = time.monotonic() + 6
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_port_that_is_taken_reserves_nothing(tmp_path: Path) -> None:
    async def script() -> None:
        async with connected(tmp_path) as netd:
            with socket.create_server(("127.0.0.1", 0)) as other:
                taken = ("tcp", "127.0.0.1", other.getsockname()[1])
                with pytest.raises(PortTaken):
                    await netd.reserve("box", [("udp", "127.0.0.1", 0), taken])

    asyncio.run(script())


def test_sctp_takes_no_udp_port(tmp_path: Path) -> None:
    async def script() -> None:
        async with connected(tmp_path) as netd:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.bind(("127.0.0.1", 0))
                binding = ("sctp", *other.getsockname())
                await netd.reserve("box", [binding])
                await netd.open("box", [(*binding, "172.20.0.2", 80)])
            await netd.perform([release("box")])

    asyncio.run(script())


def test_a_reserved_port_is_nobody_elses(tmp_path: Path) -> None:
    """Not even a program's that would share it (SO_REUSEADDR), and after connections that are still in TIME_WAIT."""

    async def script() -> None:
        async with connected(tmp_path) as netd:
            with socket.create_server(("127.0.0.1", 0)) as server:
                port = server.getsockname()[1]
                client = socket.create_connection(("127.0.0.1", port))
                served, _ = server.accept()
                served.close()
                client.close()
            await netd.reserve("box", [("tcp", "127.0.0.1", port)])
            with pytest.raises(OSError, match="Address already in use"):
                socket.create_server(("127.0.0.1", port))
            await netd.open("box", [("tcp", "127.0.0.1", port, "127.0.0.1", 1)])
            with pytest.raises(OSError, match="Address already in use"):
                socket.create_server(("127.0.0.1", port))
            await netd.release("box")

    asyncio.run(script())


LEAN = {
    "asyncio",
    "re",
    "json",
    "typing",
    "enum",
    "collections",
    "logging",
    "dataclasses",
    "socket",
    "subprocess",
}


def test_it_imports_little() -> None:
    code = "import sys; from dockwright.supervisor.netd import server; print(*sys.modules)"
    source = str(Path(__file__).parents[3] / "src")
    shown = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", f"import sys; sys.path.insert(0, {source!r}); {code}"],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert not LEAN & set(shown.stdout.split())
