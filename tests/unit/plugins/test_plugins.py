"""Finding plug-ins, and what they answer, or do not."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from dockwright.base.errors import EngineError, Internal, NotFound
from dockwright.plugins import client
from dockwright.plugins.client import Answered, Plugin
from dockwright.plugins.discovery import Directories, Place, Trust


def listening(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    return made


@pytest.fixture
def places(tmp_path: Path) -> Directories:
    (tmp_path / "run/deep").mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    return Directories((f"{tmp_path}/run",), (f"{tmp_path}/etc", f"{tmp_path}/missing"))


def test_sockets_come_before_files(places: Directories, tmp_path: Path) -> None:
    (tmp_path / "etc/a.spec").write_text("tcp://127.0.0.1:1")
    assert places.find("a") == Place(host="127.0.0.1", port=1)
    with listening(tmp_path / "run/a.sock"), listening(tmp_path / "run/deep/deep.sock"):
        assert places.find("a") == Place(f"{tmp_path}/run/a.sock")
        assert places.find("deep") == Place(f"{tmp_path}/run/deep/deep.sock")
        assert places.names() == ["a", "deep"]


def test_files(places: Directories, tmp_path: Path) -> None:
    (tmp_path / "etc/u.spec").write_text("unix:///run/u.sock\n")
    (tmp_path / "etc/h.spec").write_text("https://h.test:2")
    tls = {"CAFile": "/ca", "CertFile": "/c", "KeyFile": "/k", "InsecureSkipVerify": False}
    (tmp_path / "etc/t.json").write_text(json.dumps({"Name": "t", "Addr": "https://t.test:3", "TLSConfig": tls}))
    assert places.find("u") == Place("/run/u.sock")
    assert places.find("h") == Place(host="h.test", port=2, trust=Trust())
    assert places.find("t") == Place(host="t.test", port=3, trust=Trust("/ca", "/c", "/k"))


@pytest.mark.parametrize("name", ["nobody", "../etc/passwd", "a/b", ""])
def test_names_that_lead_nowhere(places: Directories, name: str) -> None:
    with pytest.raises(NotFound, match=f'plugin "{name}" not found'):
        places.find(name)


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"Addr": "ftp://x:1"}', '{"Addr": "tcp://x"}'])
def test_broken_files(places: Directories, tmp_path: Path, text: str) -> None:
    (tmp_path / "etc/bad.json").write_text(text)
    with pytest.raises(Internal, match=r"plugin file .*bad\.json"):
        places.find("bad")


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answered(answer: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    return serve


def asked(path: Path, serve: Serve, deadline: float = 5) -> Any:
    async def inside() -> Any:
        async with await asyncio.start_unix_server(serve, path):
            return await Plugin("toy", Place(str(path)), deadline).call("VolumeDriver.Get", {"Name": "a"})

    return asyncio.run(inside())


def http(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


def test_an_answer(tmp_path: Path) -> None:
    assert asked(tmp_path / "s", answered(http(200, b'{"Volume": 1}'))) == {"Volume": 1}
    assert asked(tmp_path / "s", answered(http(200, b""))) == {}


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (http(500, b'{"Err": "no room"}'), Answered, "VolumeDriver.Get: no room"),
        (http(404, b"page not found\n"), Answered, "VolumeDriver.Get: page not found"),
        (http(200, b'{"Err": "no room"}'), Answered, "no room"),
        (http(200, b"[]"), Internal, "VolumeDriver.Get: invalid answer"),
        (http(200, b"{"), Internal, "VolumeDriver.Get: invalid answer"),
        (b"hello\r\n\r\n", Internal, 'Post "http://toy/VolumeDriver.Get"'),
        (b"", Internal, 'Post "http://toy/VolumeDriver.Get"'),
    ],
)
def test_answers_that_are_errors(tmp_path: Path, answer: bytes, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind) as caught:
        asked(tmp_path / "s", answered(answer))
    assert text in str(getattr(caught.value, "message", caught.value))


def test_one_that_never_answers(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    with pytest.raises(Internal, match="context deadline exceeded"):
        asked(tmp_path / "s", silent, deadline=0.2)


def test_an_answer_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LARGEST_ANSWER", 1000)
    with pytest.raises(Internal, match="the answer is too large"):
        asked(tmp_path / "s", answered(http(200, b'"' + b"x" * 100_000 + b'"')))


def test_one_that_does_not_listen_yet_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "s"
    listening(path).close()  # the path is there, nobody listens

    async def inside() -> Any:
        call = asyncio.ensure_future(Plugin("toy", Place(str(path))).call("Plugin.Activate"))
        await asyncio.sleep(0.1)
        path.unlink()
        async with await asyncio.start_unix_server(answered(http(200, b'{"Implements": []}')), path):
            return await call

    assert asyncio.run(inside()) == {"Implements": []}


def test_a_plugin_for_something_else(places: Directories, tmp_path: Path) -> None:
    async def inside() -> None:
        async with await asyncio.start_unix_server(
            answered(http(200, b'{"Implements": ["authz"]}')), tmp_path / "run/x.sock"
        ):
            await client.activated(places, "x", "VolumeDriver")

    with pytest.raises(EngineError, match="Plugin does not implement the requested driver"):
        asyncio.run(inside())
