"""When a shim ends by itself, and that it never runs hot."""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator

import pytest

from dockwright.base.paths import Paths
from dockwright.runtime.cgroups.group import Cgroup
from dockwright.supervisor.manager import Supervisor
from dockwright.supervisor.task import Streams, Task

IDENT = "ab" * 32


@pytest.fixture
def paths() -> Iterator[Paths]:
    with tempfile.TemporaryDirectory(prefix="dws", dir="/tmp") as root:
        yield Paths(f"{root}/d", f"{root}/e")
    Cgroup("/dockwright-test").remove()


def pid_of(task: Task) -> int:
    return int(task.hello["shim"])


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def ends(pid: int) -> bool:
    """Whether a process ends within five seconds."""
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    return not alive(pid)


def test_a_shim_without_daemon_and_container_ends(paths: Paths) -> None:
    async def scenario() -> None:
        supervisor = Supervisor(paths)
        await supervisor.start()
        task = await supervisor.spawn(IDENT)
        task.close()
        assert await ends(pid_of(task))
        assert not os.path.exists(paths.shim_socket(IDENT))
        await supervisor.close()

    asyncio.run(scenario())


def test_a_client_that_hangs_up_before_the_start_does_not_make_it_run_hot(paths: Paths) -> None:
    async def scenario() -> None:
        supervisor = Supervisor(paths)
        await supervisor.start()
        task = await supervisor.spawn(IDENT)
        await task.prepare(f"/dockwright-test/{IDENT}", {"kind": "none"}, Streams(stdin=True))
        _, writer = await task.attach(("stdin", "stdout", "stderr"))
        writer.write_eof()
        await asyncio.sleep(0.1)
        writer.close()
        before = os.times().elapsed, cpu(pid_of(task))
        await asyncio.sleep(0.5)
        assert cpu(pid_of(task)) - before[1] < 0.2 * (os.times().elapsed - before[0])
        task.close()
        assert await ends(pid_of(task))
        await supervisor.close()

    asyncio.run(scenario())


def cpu(pid: int) -> float:
    """Seconds of processor time a process has used (proc(5), stat fields 14 and 15)."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
