"""`why`: what ended a container and who, as far as it can be told, with what a person looks at next."""

from typing import Any

from dockwright.base.errors import EngineError
from dockwright.base.paths import Paths
from dockwright.containers import blame, logs
from dockwright.containers.container import Container
from dockwright.containers.store import Store
from dockwright.runtime.cgroups import oom
from dockwright.runtime.cgroups.group import Cgroup
from dockwright.types.streams import LogOptions

TAIL = 20  # lines of the log


class Explaining:
    """why: it changes nothing."""

    def __init__(self, store: Store, paths: Paths) -> None:
        self._store, self._paths = store, paths

    async def why(self, ref: str, tail: int | None) -> dict[str, Any]:
        """GET /dockwright/v1/containers/{id}/why.

        Args:
            tail: how many lines of the log are shown, None for 20.

        Raises:
            NotFound, InvalidParameter: no such container, in Docker's words.
        """
        container = self._store.find(ref)
        state = container.state
        return {
            "Id": container.id, "Name": container.name, "Status": state.status, "ExitCode": state.exit_code, "Error": state.error,
            "StartedAt": state.started_at, "FinishedAt": state.finished_at, "EndedBy": state.ended_by,
            "Signals": [_signal(sent) for sent in state.signals], "OOMKilled": state.oom_killed, "OOMKills": _kills(container),
            "Memory": container.host.Memory or 0, "RestartPolicy": container.host.RestartPolicy,
            "RestartCount": state.restart_count, "StoppedByHand": state.stopped_by_hand,
            "Health": _health(container), "Log": await self._last_lines(container, TAIL if tail is None else max(0, tail)),
        }  # fmt: skip

    async def _last_lines(self, container: Container, tail: int) -> list[str] | None:
        """The end of its log; None if that cannot be read."""
        try:
            files = logs.files_of(container, self._paths)
        except EngineError:
            return None
        wanted = LogOptions(stdout=True, stderr=True, tail=str(tail))
        data = b"".join([piece async for piece in logs.read(files, wanted, framed=False)])
        return data.decode(errors="replace").splitlines()


def _signal(sent: blame.Sent) -> dict[str, Any]:
    name, by = blame.name_of(sent.number), blame.OURS[sent.by]
    return {"Signal": sent.number, "Name": name, "At": sent.at, "By": by, "Client": sent.client}


def _kills(container: Container) -> int:
    """How many processes the kernel has killed in its cgroup: all that can be told of one that has ended is whether."""
    return oom.kills(Cgroup(container.cgroup)) if container.state.running else int(container.state.oom_killed)


def _health(container: Container) -> dict[str, Any] | None:
    """The last result of its health check."""
    health = container.state.health
    if health is None:
        return None
    last = health.log[-1] if health.log else {}
    shown = {"ExitCode": last.get("ExitCode"), "Output": last.get("Output")}
    return {"Status": health.status, "FailingStreak": health.streak, **shown}
