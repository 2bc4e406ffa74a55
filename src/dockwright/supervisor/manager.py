"""The daemon's side of zygote and shims: spawn, adopt, restart of a killed zygote."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys

from dockwright.base.errors import Unavailable
from dockwright.base.paths import Paths
from dockwright.base.trees import remove_tree
from dockwright.supervisor import external, frames, published, record
from dockwright.supervisor.launch import start_zygote
from dockwright.supervisor.placement import Placement
from dockwright.supervisor.record import ExitRecord
from dockwright.supervisor.task import Task, kill_cgroup

log = logging.getLogger("dockwright.supervisor")
SPAWN_TRIES = 2
REFILL = 0.05  # seconds after a start, when it no longer competes with it, the next spare shim is forked
ADOPT_PATIENCE = 3.0  # seconds for the hello of a shim that an earlier daemon left


class Supervisor:
    """Spawns and finds shims.

    Args:
        paths: tells where tasks and sockets are. placement: where its processes and containers are among the cgroups.
    """

    def __init__(self, paths: Paths, placement: Placement | None = None) -> None:
        self.paths, self.placement = paths, placement or Placement(paths.exec_root)
        self._zygote: socket.socket | None = None
        self._pid = 0
        self._lock = asyncio.Lock()
        self._spare: Task | None = None
        self._refilling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Make the folders and start the zygote. Call before the daemon has threads: it is spawned from this process."""
        for directory in (self.paths.tasks, self.paths.sockets, self.paths.seccomp_cache):
            os.makedirs(directory, mode=0o700, exist_ok=True)
        await self._start_zygote()
        self._refill()

    async def close(self) -> None:
        """Let go of the zygote, which ends then. Shims go on, but for the spare one."""
        if self._refilling:
            await self._refilling
        if self._spare:
            self._spare.close()
            self._spare = None
        if self._zygote:
            self._zygote.close()
            self._zygote = None
        if self._pid:
            await asyncio.to_thread(_collect, self._pid)
            self._pid = 0
            await asyncio.to_thread(self.placement.leave)

    async def spawn(self, task_id: str) -> Task:
        """A fresh shim for `task_id`.

        Raises:
            Unavailable: the zygote died, was started again, and died again.
        """
        directory = self.paths.task(task_id)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(directory, record.NAME))
        os.makedirs(directory, mode=0o700, exist_ok=True)
        if spare := self._assigned(task_id, directory):
            return spare
        return await self._forked(task_id, directory)

    async def _forked(self, task_id: str, directory: str) -> Task:
        """A shim forked now; a zygote that does not answer is replaced once."""
        for attempt in range(SPAWN_TRIES):
            used = self._zygote
            try:
                return await self._spawn(task_id, directory)
            except (OSError, Unavailable, TimeoutError) as error:
                log.warning("zygote (pid %d) does not answer: %s; starting another", self._pid, error)
                if attempt + 1 == SPAWN_TRIES:
                    raise Unavailable(f"cannot start a shim: {error}") from None
                async with self._lock:
                    if self._zygote is used:  # else somebody who met the same trouble has replaced it already
                        await self._start_zygote()
        raise AssertionError("unreachable")

    def _assigned(self, task_id: str, directory: str) -> Task | None:
        """The spare shim, made this task's; None if there is none (any more). Another is forked a moment later."""
        spare, self._spare = self._spare, None
        asyncio.get_running_loop().call_later(REFILL, self._refill)
        if spare is None:
            return None
        try:
            spare.assign(task_id, directory, self.paths.shim_socket(task_id))
        except Unavailable as error:
            log.warning("the spare shim is of no use: %s", error)
            spare.close()
            return None
        return spare

    def _refill(self) -> None:
        if self._spare is None and self._zygote is not None and self._refilling is None:
            self._refilling = asyncio.get_running_loop().create_task(self._fork_spare())

    async def _fork_spare(self) -> None:
        try:
            self._spare = await self._forked("", "")
        except Unavailable as error:
            log.warning("no spare shim: %s", error)  # the next start forks its own
        finally:
            self._refilling = None

    async def _spawn(self, task_id: str, directory: str) -> Task:
        if self._zygote is None:
            raise Unavailable("the supervisor is closed")
        ours, theirs = socket.socketpair()
        path = self.paths.shim_socket(task_id) if task_id else ""
        task = Task(task_id, directory, path)
        try:
            message = {"op": "spawn", "id": task_id, "directory": directory, "socket": path}
            frames.send_descriptors(self._zygote, message, (theirs.fileno(),))
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        try:
            await task.serve(ours)
        except (OSError, TimeoutError, Unavailable):
            task.close()
            raise
        return task

    async def adopt(self, task_id: str, cgroup: str = "") -> Task | None:
        """The shim an earlier daemon left; None if there is none alive (then see `exit_record`).

        One that is there but says nothing (it was stopped) comes without a hello; its calls fail until it goes on.
        """
        path = self.paths.shim_socket(task_id)
        if not os.path.exists(path):
            return None
        task = Task(task_id, self.paths.task(task_id), path, cgroup)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(path)
            task.shim = _listener(sock)
            await task.serve(sock, ADOPT_PATIENCE)
        except TimeoutError:
            log.warning("the shim of container %s does not answer", task_id)
            return task
        except (OSError, Unavailable):
            task.close()
            sock.close()
            return None
        if task.hello.get("id") != task_id:
            task.close()
            return None
        return task

    def exit_record(self, task_id: str) -> ExitRecord | None:
        """How a task ended, if it did."""
        return record.read(self.paths.task(task_id))

    def knows(self, task_id: str) -> bool:
        """Whether it has had a shim since the machine was started."""
        return os.path.isdir(self.paths.task(task_id))

    def kill_orphans(self, cgroup: str) -> None:
        """Kill what a dead shim has left in its container's cgroup."""
        kill_cgroup(cgroup)

    def forget(self, task_id: str) -> None:
        """Remove what a task that is over has left: its folder, and the socket of a shim that was killed.

        Blocks: a maker that was killed may still be ending. Raises OSError: something is left.
        """
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.paths.shim_socket(task_id))
        published.withdraw(self.paths.task(task_id))
        external.unmount_root(self.paths.task(task_id))
        remove_tree(self.paths.task(task_id))

    async def _start_zygote(self) -> None:
        if self._zygote:
            self._zygote.close()
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)  # one that was stopped would not see the end of its socket
            await asyncio.to_thread(_collect, self._pid)
        ours, theirs = socket.socketpair()
        self._pid = start_zygote(theirs.fileno())
        theirs.close()
        ours.settimeout(10)
        hello = await asyncio.to_thread(ours.recv, 4096)
        if not hello:
            raise Unavailable("the zygote ended at once; see the daemon's log")
        await asyncio.to_thread(self.placement.settle, self._pid)
        ours.settimeout(5)
        self._zygote = ours


def _collect(pid: int) -> None:
    """Wait for a zygote that has lost its socket."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _listener(sock: socket.socket) -> int:
    """The pid of who listens at the other end of a connected socket (unix(7), SO_PEERCRED)."""
    return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], sys.byteorder)
