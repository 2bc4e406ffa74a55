"""Authorization plug-ins that are not there, or do something else."""

import asyncio
from pathlib import Path

import pytest

from dockwright.api import answers, authorization
from dockwright.api.authorization import Authorizer
from dockwright.base.errors import InvalidParameter
from dockwright.plugins.discovery import Directories


def test_one_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorization, "PAUSES", (0,))
    authorizer = Authorizer(["nosuch"], Directories((str(tmp_path),), ()))
    with pytest.raises(InvalidParameter, match=r'failed to validate authorization plugin: plugin "nosuch" not found'):
        asyncio.run(authorizer.validate())


def test_one_that_comes_later_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorization, "PAUSES", (0.01,) * 1000)

    async def plugin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b'{"Implements": ["authz"]}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()

    async def both() -> None:
        looking = asyncio.create_task(Authorizer(["late"], Directories((str(tmp_path),), ())).validate())
        await asyncio.sleep(0)
        assert not looking.done()
        async with await asyncio.start_unix_server(plugin, tmp_path / "late.sock"):
            await asyncio.wait_for(looking, 30)

    asyncio.run(both())


def test_one_whose_address_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "dead.spec").write_text("unix:///nowhere/dead.sock")
    authorizer = Authorizer(["dead"], Directories((), (str(tmp_path),)))
    with pytest.raises(InvalidParameter, match=r"failed to validate authorization plugin: .*no such file or directory"):
        asyncio.run(authorizer.validate())


@pytest.mark.parametrize("experimental", [True, False])
def test_they_are_shown_the_fields_that_go_out(experimental: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, str]] = []

    async def ask(_self: Authorizer, _name: str, _method: str, question: authorization.Question) -> None:
        shown.append(question["ResponseHeaders"])

    monkeypatch.setattr(Authorizer, "_ask", ask)
    monkeypatch.setattr(answers, "_common", list(answers._common))
    answers.announce(experimental)
    asyncio.run(Authorizer(["one"]).answer({"RequestUri": "/info"}, answers.nothing()))
    lines = answers.head(204, "", {}).decode().splitlines()
    assert shown[0]["Docker-Experimental"] == str(experimental).lower()
    assert all(f"{name}: {value}" in lines for name, value in shown[0].items())
