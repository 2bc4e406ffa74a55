"""How long execs are remembered."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from dockwright.base.errors import NotFound
from dockwright.containers import execs
from dockwright.containers.container import Container
from dockwright.containers.execs import Execs
from dockwright.supervisor.task import ExitEvent
from dockwright.types.container import HostConfig
from dockwright.types.streams import ExecCreateRequest


class Store:
    """Every container is there; nobody hears its events."""

    def __contains__(self, _container: object) -> bool:
        return True

    def event(self, *_: object, **__: object) -> None:
        pass


@pytest.fixture
def container() -> Container:
    made = Container("c" * 64, "c", "", "", {}, HostConfig())
    made.state.running = True
    return made


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def made(room: Execs, container: Container, loop: asyncio.AbstractEventLoop) -> str:
    async def create() -> str:
        return room.create(container, ExecCreateRequest(Cmd=["true"])).id

    return loop.run_until_complete(create())


def room() -> Execs:
    return Execs(Store(), None, None, False)  # type: ignore[arg-type]


def test_an_ended_exec_expires(container: Container, loop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = room()
    ident, waiting = made(ours, container, loop), made(ours, container, loop)
    ours.ended(ExitEvent(ident, 3, False, 0))
    assert ours.inspect(ident)["ExitCode"] == 3
    monkeypatch.setattr(execs, "EXPIRY", -1.0)
    with pytest.raises(NotFound, match=f"No such exec instance: {ident}"):
        ours.inspect(ident)
    assert ours.inspect(waiting)["ExitCode"] is None


def test_of_very_many_the_oldest_are_forgotten(container: Container, loop: Any) -> None:
    ours = room()
    idents = [made(ours, container, loop) for _ in range(execs.KEPT + 50)]
    for ident in idents:
        ours.ended(ExitEvent(ident, 0, False, 0))
    assert ours.inspect(idents[-1])["ExitCode"] == 0
    assert len(ours._execs) == execs.KEPT
    with pytest.raises(NotFound):
        ours.inspect(idents[0])


def test_a_removed_container_takes_its_execs_along(container: Container, loop: Any) -> None:
    ours = room()
    made(ours, container, loop)
    ours.forget(container)
    assert not ours._execs
