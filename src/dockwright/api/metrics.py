"""`--metrics-addr`: the engine's numbers at /metrics, in Prometheus' text format, under dockerd's names.

Loaded only where the setting is given.  Names and labels were observed with dockerd 26.1.5.  What that measures of Swarm, etcd,
Go, and of code that we have no like of, is left out, instead of being zero always.
"""

import logging
import os
import resource
import socket
from collections.abc import Iterator
from typing import Any

from dockwright.api.answers import Answer
from dockwright.api.connection import Connection
from dockwright.api.exchange import Exchange
from dockwright.api.exposition import FORMAT, family, histogram, labels, timers
from dockwright.api.listeners import bound
from dockwright.api.managers import Managers
from dockwright.base import measures
from dockwright.base.errors import InvalidParameter

_log = logging.getLogger("dockwright.api")

BUILD_FAILURES = (
    "build_canceled", "build_target_not_reachable_error", "command_not_supported_error", "dockerfile_empty_error",
    "dockerfile_syntax_error", "error_processing_commands_error", "missing_onbuild_arguments_error", "unknown_instruction_error",
)  # fmt: skip


def listen(address: str) -> list[socket.socket]:
    """Sockets at `host:port`.

    Raises:
        InvalidParameter: in dockerd's words.
    """
    host, colon, port = address.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        reason = "missing port in address" if not colon else "too many colons in address"
        raise _failed(f"error parsing tcp address: address {address}: {reason}")
    if not port.isdecimal() or int(port) > 65535:
        raise _failed(f"listen tcp: address {port}: invalid port")
    try:
        return bound(host.strip("[]"), int(port))
    except OSError as error:
        raise _failed(f"listen tcp {address}: {error.strerror or error}") from None


def _failed(reason: str) -> InvalidParameter:
    return InvalidParameter(f"failed to start metrics server: {reason}")


class Metrics:
    """Answers GET /metrics."""

    def __init__(self, managers: Managers) -> None:
        self._managers = managers
        self._connections: set[Connection] = set()
        self._constant = ""

    def connection(self) -> Connection:
        """A protocol for one client."""
        return Connection(self._managers, self._serve, True, self._connections)

    async def _serve(self, exchange: Exchange) -> None:
        if exchange.target.partition("?")[0] != "/metrics":
            exchange.answer(Answer(404, b"404 page not found\n", "text/plain; charset=utf-8"))
            return
        try:
            text = await self.text()
        except Exception as error:  # noqa: BLE001 - the border of this server: the error becomes its answer
            _log.error("metrics: %s", error, exc_info=error)
            exchange.answer(Answer(500, b"An error has occurred while serving metrics\n", "text/plain; charset=utf-8"))
        else:
            exchange.answer(Answer(200, text.encode(), FORMAT))

    async def text(self) -> str:
        """All numbers of this moment."""
        containers = await self._managers.containers.list(True, 0, False, {})
        if not self._constant:
            self._constant = _constant(await self._managers.system.version(), await self._managers.system.info())
        return "".join((*_builder(), _states(containers), self._constant, *self._events(), *_measured(), *_process()))

    def _events(self) -> Iterator[str]:
        events = self._managers.events
        yield family("engine_daemon_events_subscribers_total", events.listeners)
        yield family("engine_daemon_events_total", events.told)


def _builder() -> Iterator[str]:
    """There is no build yet, so that none has failed."""
    yield family("builder_builds_failed_total", {labels(reason=reason): 0 for reason in BUILD_FAILURES})
    yield family("builder_builds_triggered_total", 0)


def _states(containers: list[dict[str, Any]]) -> str:
    states = [container["State"] for container in containers]
    paused, running = states.count("paused"), states.count("running") + states.count("restarting")
    counts = {"paused": paused, "running": running, "stopped": len(states) - paused - running}
    return family("engine_daemon_container_states_containers", {labels(state=name): count for name, count in counts.items()})


def _constant(version: dict[str, Any], info: dict[str, Any]) -> str:
    """What stays while the daemon runs."""
    shown = labels(
        architecture=info["Architecture"], commit=version["GitCommit"], daemon_id=info["ID"], graphdriver=info["Driver"],
        kernel=info["KernelVersion"], os=info["OperatingSystem"], os_type=info["OSType"], os_version=info["OSVersion"],
        version=version["Version"],
    )  # fmt: skip
    cpus, memory = family("engine_daemon_engine_cpus_cpus", info["NCPU"]), info["MemTotal"]
    return cpus + family("engine_daemon_engine_info", {shown: 1}) + family("engine_daemon_engine_memory_bytes", memory)


def _measured() -> Iterator[str]:
    """What is counted and timed all along."""
    yield timers("engine_daemon_container_actions_seconds", measures.CONTAINER_ACTIONS)
    yield histogram("engine_daemon_health_check_start_duration_seconds", measures.HEALTH_CHECK_STARTS)
    yield family("engine_daemon_health_checks_failed_total", measures.HEALTH_CHECKS_FAILED.value)
    yield family("engine_daemon_health_checks_total", measures.HEALTH_CHECKS.value)
    if measures.NETWORK_ACTIONS.histograms:
        yield timers("engine_daemon_network_actions_seconds", measures.NETWORK_ACTIONS)


def _process() -> Iterator[str]:
    """This process, as every Prometheus client tells it; proc_pid_stat(5)."""
    with open("/proc/self/stat", encoding="ascii") as file:
        fields = file.read().rpartition(") ")[2].split()
    with open("/proc/stat", encoding="ascii") as file:
        boot = next(int(line.split()[1]) for line in file if line.startswith("btime "))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    yield family("process_cpu_seconds_total", usage.ru_utime + usage.ru_stime)
    yield family("process_max_fds", resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    yield family("process_open_fds", len(os.listdir("/proc/self/fd")) - 1)
    yield family("process_resident_memory_bytes", int(fields[21]) * os.sysconf("SC_PAGE_SIZE"))
    yield family("process_start_time_seconds", boot + int(fields[19]) / os.sysconf("SC_CLK_TCK"))
    yield family("process_virtual_memory_bytes", int(fields[20]))
