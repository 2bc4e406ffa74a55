"""Health checks: a program run in a container now and then, whose exits make the container healthy or unhealthy.

Source: Engine API, ContainerConfig.Healthcheck, and Docker's documentation of HEALTHCHECK.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from dockwright.base.errors import EngineError, InvalidParameter
from dockwright.base.measures import HEALTH_CHECK_STARTS, HEALTH_CHECKS, HEALTH_CHECKS_FAILED
from dockwright.base.times import now
from dockwright.containers.container import Container, Health
from dockwright.containers.execs import Exec, Execs
from dockwright.containers.framing import Bare
from dockwright.containers.store import Store
from dockwright.grammar.durations import go_duration
from dockwright.types.container import HealthConfig
from dockwright.types.streams import ExecCreateRequest, ExecStartRequest

log = logging.getLogger("dockwright.containers")
SECOND = 1_000_000_000  # ns, as all durations of the API
MILLISECOND = SECOND // 1000
INTERVAL, TIMEOUT, START_INTERVAL, RETRIES = 30 * SECOND, 30 * SECOND, 5 * SECOND, 3
FIRST = SECOND  # before the first check
KEPT, LONGEST_OUTPUT = 5, 4096
ACTIONS = ("none", "restart", "stop", "kill")  # Healthcheck.OnFailure
KILL, TIMED_OUT = 9, -1


def check(health: HealthConfig | None) -> None:
    """Raises InvalidParameter, in Docker's words, for a check that cannot be."""
    if health is None:
        return
    for name in ("Interval", "Timeout", "StartPeriod", "StartInterval"):
        if (value := getattr(health, name) or 0) and value < MILLISECOND:
            raise InvalidParameter(f"{name} in Healthcheck cannot be less than 1ms")
    if (health.Retries or 0) < 0:
        raise InvalidParameter("Retries in Healthcheck cannot be negative")
    if (health.OnFailure or "none") not in ACTIONS:
        raise InvalidParameter(
            f"invalid health-on-failure action: '{health.OnFailure}'; use one of 'none', 'restart', 'stop', or 'kill'"
        )
    if health.Test and health.Test[0] not in ("NONE", "CMD", "CMD-SHELL"):
        raise InvalidParameter(f"Unknown healthcheck type '{health.Test[0]}' (expected 'CMD', 'CMD-SHELL' or 'NONE')")


def inherited(own: dict[str, Any] | None, image: dict[str, Any] | None) -> dict[str, Any] | None:
    """The container's check with what it leaves open taken from its image's."""
    if own is None or not image:
        return own if own is not None else image
    return {**image, **{name: value for name, value in own.items() if value}}


def command(config: dict[str, Any]) -> list[str]:
    """What is run to check; nothing without a check."""
    kind, *rest = (config.get("Healthcheck") or {}).get("Test") or ["NONE"]
    if kind == "CMD-SHELL":
        return [*(config.get("Shell") or ["/bin/sh", "-c"]), *rest]
    return rest if kind == "CMD" else []


def refuse_idle(config: dict[str, Any]) -> None:
    """Raises InvalidParameter for an action on failure without a check that could fail."""
    action = (config.get("Healthcheck") or {}).get("OnFailure") or "none"
    if action != "none" and not command(config):
        raise InvalidParameter(f"cannot set on-failure action to {action} without a health check")


def pause(settings: dict[str, Any], starting: bool, ran: int, checks: int) -> int:
    """Nanoseconds until the next check.

    A container is looked at early, so that one which is soon ready need not wait for a whole interval to be healthy: after
    a second, then in pauses that double, or as often as StartInterval says. See `forgiven` for what failures mean then.

    Args:
        starting: it has not been healthy or unhealthy yet. ran: for how long, in ns. checks: how many there were.
    """
    usual, period = settings.get("Interval") or INTERVAL, settings.get("StartPeriod") or 0
    if not starting or ran >= max(usual, period):
        return int(usual)
    often = settings.get("StartInterval") or (START_INTERVAL if period else 0)
    if often:
        return int(often if checks else min(often, FIRST))
    return int(min(FIRST << checks, usual - ran))


def forgiven(settings: dict[str, Any], ran: int) -> bool:
    """Whether a failure does not count: before the end of the start period, or of the first interval, when Docker begins."""
    return ran < (settings.get("StartPeriod") or settings.get("Interval") or INTERVAL)


@dataclass(frozen=True)
class Probe:
    """How one check has ended. Times as inspect shows them."""

    start: str
    end: str
    code: int
    output: str


class Collector:
    """A stream that keeps the first of what is written to it, without the frames of stdout and stderr."""

    def __init__(self) -> None:
        self.output, self.whole, self._bare = b"", True, Bare()
        self._closed = asyncio.Event()

    async def read(self) -> bytes:
        """No input ever."""
        await self._closed.wait()
        return b""

    def write(self, data: bytes) -> None:
        """Take frames."""
        data, room = self._bare.feed(data), LONGEST_OUTPUT - len(self.output)
        self.output, self.whole = self.output + data[:room], self.whole and len(data) <= room

    async def drain(self) -> None:
        """Never full."""

    def write_eof(self) -> None:
        """Nothing to tell."""

    def close(self) -> None:
        """The end."""
        self._closed.set()

    @property
    def text(self) -> str:
        """What was written; cut off at its longest, with three dots."""
        return self.output.decode(errors="replace") + ("" if self.whole else "...")


class HealthChecks:
    """The checks of all running containers: one task for each.

    Args:
        act: does to a container that has become unhealthy what its Healthcheck.OnFailure says.
    """

    def __init__(self, store: Store, execs: Execs, act: Callable[[Container, str], Awaitable[None]]) -> None:
        self._store, self._execs, self._act = store, execs, act
        self._acting: set[asyncio.Task[None]] = set()
        self._watching: dict[str, asyncio.Task[None]] = {}

    def begin(self, container: Container, adopted: bool = False) -> None:
        """The container runs: it starts unchecked, or an earlier daemon has checked it already."""
        if not command(container.config):
            return
        if container.state.health is None or not adopted:
            earlier = container.state.health.log if container.state.health else []
            container.state.health = Health("starting", 0, earlier)
        self._stop(container)
        self._watching[container.id] = asyncio.get_running_loop().create_task(self._watch(container))

    def end(self, container: Container) -> None:
        """It runs no more, and what does not run is not healthy."""
        self._stop(container)
        if container.state.health:
            container.state.health.status = "unhealthy"

    def _stop(self, container: Container) -> None:
        if task := self._watching.pop(container.id, None):
            task.cancel()

    async def _watch(self, container: Container) -> None:
        settings, began, checks = container.config["Healthcheck"], time.monotonic_ns(), 0
        while True:
            health = container.state.health
            starting = health is not None and health.status == "starting"
            await asyncio.sleep(pause(settings, starting, time.monotonic_ns() - began, checks) / SECOND)
            if container.state.paused or not container.state.running:
                continue
            excused = forgiven(settings, time.monotonic_ns() - began)
            probe = await self._probe(container, settings.get("Timeout") or TIMEOUT)
            checks += 1
            if probe:
                await self._note(container, probe, settings.get("Retries") or RETRIES, excused)

    async def _probe(self, container: Container, limit: int) -> Probe | None:
        """Run the check; None if it could not be run because the container is about to end."""
        request = ExecCreateRequest(Cmd=command(container.config), AttachStdout=True, AttachStderr=True)
        start, output = now(), Collector()
        HEALTH_CHECKS.add()
        try:
            made = self._execs.create(container, request)
            try:
                await asyncio.wait_for(self._run(made, output), limit / SECOND)
            except TimeoutError:
                await self._kill(container, made)
                told = f": {output.text}" if output.output else ""
                text = f"Health check exceeded timeout ({go_duration(limit)}){told}"
                return Probe(start, now(), TIMED_OUT, text)
        except EngineError as error:
            if not container.state.running:
                return None
            HEALTH_CHECKS_FAILED.add()
            return Probe(start, now(), TIMED_OUT, error.message)
        return Probe(start, now(), made.exit_code or 0, output.text)

    async def _run(self, made: Exec, output: Collector) -> None:
        began = time.monotonic()
        session = await self._execs.start(made.id, ExecStartRequest())
        HEALTH_CHECK_STARTS.observe(time.monotonic() - began)
        assert session
        await session.run(output)
        await asyncio.shield(made.over)

    async def _kill(self, container: Container, made: Exec) -> None:
        try:
            if container.task:
                await container.task.kill(KILL, made.id)
        except EngineError as error:
            log.debug("health check of %s: %s", container.id, error.message)  # it has just ended

    async def _note(self, container: Container, probe: Probe, retries: int, forgiven: bool) -> None:
        health = container.state.health
        if health is None or not container.state.running:
            return
        before = health.status
        if probe.code == 0:
            health.status, health.streak = "healthy", 0
        elif not (forgiven and before == "starting"):
            health.streak += 1
            if health.streak >= retries:
                health.status = "unhealthy"
        entry = {"Start": probe.start, "End": probe.end, "ExitCode": probe.code, "Output": probe.output}
        health.log = [*health.log, entry][-KEPT:]
        await self._store.save(container)
        if health.status != before:
            self._store.event(container, f"health_status: {health.status}")
            action = (container.config.get("Healthcheck") or {}).get("OnFailure") or "none"
            if health.status == "unhealthy" and action != "none":
                self._begin_action(container, action)

    def _begin_action(self, container: Container, action: str) -> None:
        """In a task of its own: stopping a container ends its checks, and so the task we are in."""
        acting = asyncio.get_running_loop().create_task(self._perform(container, action))
        self._acting.add(acting)
        acting.add_done_callback(self._acting.discard)

    async def _perform(self, container: Container, action: str) -> None:
        log.warning("container %s is unhealthy: %s", container.id, action)
        try:
            await self._act(container, action)
        except EngineError as error:
            log.error("container %s is unhealthy, but %s failed: %s", container.id, action, error.message)
