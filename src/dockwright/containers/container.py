"""One container: what was asked for, what state it is in, and both as one row."""

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from dockwright.base.errors import Conflict
from dockwright.base.times import ZERO, now
from dockwright.containers.blame import Cause, Sent
from dockwright.containers.mountpoint import MountPoint
from dockwright.grammar.mounts import clean
from dockwright.supervisor.task import Task
from dockwright.types.container import HostConfig
from dockwright.types.network import EndpointSettings

KEPT_SIGNALS = 20
MIGRATIONS = [
    """
    CREATE TABLE container (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, document TEXT NOT NULL, state TEXT NOT NULL)
    """
]


@dataclass
class Health:
    """What health checks have found. status: starting, healthy, unhealthy. log: the last checks, as inspect shows them."""

    status: str = "starting"
    streak: int = 0
    log: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class State:
    """The state columns: what restore may rewrite.

    Attributes:
        signals: the last ones that were sent to it in this run. ended_by: what ended its last run, and who (see blame.py).
    """

    running: bool = False
    paused: bool = False
    restarting: bool = False
    removing: bool = False
    remove_volumes: bool = False
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_at: str = ZERO
    finished_at: str = ZERO
    stopped_by_hand: bool = False
    restart_count: int = 0
    health: Health | None = None
    cgroup: str = ""
    signals: list[Sent] = field(default_factory=list)
    ended_by: str = ""

    @property
    def ended(self) -> bool:
        """Whether it has run and does not any more."""
        return not self.running and self.started_at != ZERO

    @property
    def status(self) -> str:
        """Docker's word: the first that holds."""
        if self.running:
            return "paused" if self.paused else "restarting" if self.restarting else "running"
        if self.removing:
            return "removing"
        return "created" if self.started_at == ZERO else "exited"


@dataclass
class Container:
    """A container.

    Attributes:
        config: Config of inspect, the image's merged in. host: HostConfig, completed. image: `sha256:...` or "".
        mounts: binds, volumes and tmpfs, but not those of HostConfig.Tmpfs.
        networks: what it wants of each network it joins, by the network's name.
        links: ids of containers of the default bridge that it knows by an alias.
        task: its shim while there is one. exits, removals: futures of those who wait for them.
        exec_ids: its execs that have not ended.
        comeback: what starts it again after a delay; delay: the last one, in seconds. last_run: the restart policy does not
        hold until somebody starts it. kept: how many restarts are under way, during which AutoRemove does not hold.
        chain: of its image's layers, as long as it is being made.
    """

    id: str
    name: str
    created: str
    image: str
    config: dict[str, Any]
    host: HostConfig
    state: State = field(default_factory=State)
    mounts: list[MountPoint] = field(default_factory=list)
    networks: dict[str, EndpointSettings] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    task: Task | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    exits: "list[asyncio.Future[int]]" = field(default_factory=list)
    removals: "list[asyncio.Future[None]]" = field(default_factory=list)
    attached: list[Any] = field(default_factory=list)
    trace: list[Any] = field(default_factory=list)
    group: "asyncio.Future[None] | None" = None
    exec_ids: list[str] = field(default_factory=list)
    comeback: "asyncio.Task[None] | None" = None
    delay: float = 0.0
    last_run: bool = False
    kept: int = 0
    chain: str = ""

    @property
    def durable(self) -> bool:
        """Whether a power cut must not take it: not if it is to be removed at its end anyway."""
        return not self.host.AutoRemove

    @property
    def command(self) -> list[str]:
        """Entrypoint and Cmd."""
        return [*(self.config.get("Entrypoint") or []), *(self.config.get("Cmd") or [])]

    @property
    def cgroup(self) -> str:
        """Its cgroup, in every hierarchy: where it was put when it was made or started last."""
        return self.state.cgroup or clean(f"/{self.host.CgroupParent or 'docker'}/{self.id}")

    def refuse_not_running(self) -> None:
        """Raises Conflict, in Docker's words, unless its process can be worked with."""
        if not self.state.running:
            raise Conflict(f"container {self.id} is not running")
        if self.state.restarting:
            raise Conflict(f"Container {self.id} is restarting, wait until the container is running")

    async def end_task(self) -> None:
        """Let its shim end, if it has one."""
        if self.task:
            await self.task.delete()
            self.task = None

    def note_signal(self, number: int, cause: Cause) -> None:
        """A signal is being sent to it: who has ended it must be told later."""
        self.state.signals = [*self.state.signals, Sent(number, now(), cause.by, cause.client)][-KEPT_SIGNALS:]

    def next_exit(self) -> "asyncio.Future[int]":
        """The exit code, when the container's process ends the next time. Cancel it to wait no more."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.exits = [*(other for other in self.exits if not other.done()), future]
        return future

    def cancel_comeback(self) -> None:
        """It is not started again."""
        if self.comeback:
            self.comeback.cancel()
            self.comeback = None

    def wake_exits(self) -> None:
        """Tell those who wait for an exit."""
        exits, self.exits = self.exits, []
        for future in exits:
            if not future.done():
                future.set_result(self.state.exit_code)

    def wake_removals(self) -> None:
        """Tell those who wait for the removal."""
        for future in self.removals:
            if not future.done():
                future.set_result(None)

    def insert(self, connection: sqlite3.Connection) -> None:
        """Write the row."""
        values = (self.id, self.name, self._document(), self._state())
        connection.execute("INSERT INTO container VALUES (?, ?, ?, ?)", values)

    def save_document(self, connection: sqlite3.Connection) -> None:
        """Write what was asked for, which has changed."""
        connection.execute("UPDATE container SET document = ? WHERE id = ?", (self._document(), self.id))

    def _document(self) -> str:
        document = {
            "created": self.created, "image": self.image, "config": self.config,
            "host": msgspec.to_builtins(self.host), "mounts": [asdict(point) for point in self.mounts],
            "networks": msgspec.to_builtins(self.networks), "links": self.links,
        }  # fmt: skip
        return msgspec.json.encode(document).decode()

    def save_state(self, connection: sqlite3.Connection) -> None:
        """Write the state column."""
        connection.execute("UPDATE container SET state = ? WHERE id = ?", (self._state(), self.id))

    def state_writer(self) -> Callable[[sqlite3.Connection], Any]:
        """What writes the state column as it is at this moment."""
        values = (self._state(), self.id)
        return lambda connection: connection.execute("UPDATE container SET state = ? WHERE id = ?", values)

    def _state(self) -> str:
        return msgspec.json.encode(asdict(self.state)).decode()


def from_row(row: sqlite3.Row) -> Container:
    """The container of a row."""
    document = msgspec.json.decode(row["document"])
    host = msgspec.convert(document["host"], HostConfig)
    state = msgspec.convert(msgspec.json.decode(row["state"]), State)
    mounts = [msgspec.convert(point, MountPoint) for point in document.get("mounts", ())]
    mode = host.NetworkMode or "bridge"
    networks = document.get("networks", {} if mode.startswith("container:") else {mode: {}})
    return Container(
        row["id"], row["name"], document["created"], document["image"], document["config"], host, state, mounts,
        msgspec.convert(networks, dict[str, EndpointSettings]), document.get("links", {}),
    )  # fmt: skip
