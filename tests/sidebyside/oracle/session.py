"""One run of the script against both engines, section by section."""

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from oracle import events, fixtures
from oracle.compare import Difference, Outcome, differences
from oracle.engines import Engine, ours, reference
from oracle.script import Command

OLDEST = 26  # the oldest reference whose texts, documents and events are ours as well
REGISTRIES = "registries"  # the section that has registries beside its engine
SETTLE = 0.3  # seconds until an engine has told its last event
CLEAN = """
docker unpause $(docker ps -q --filter status=paused)
docker rm -f -v $(docker ps -aq)
docker network prune -f
docker volume rm $(docker volume ls -q)
docker rmi -f $(docker images -q --no-trunc | sort -u)
true
"""
T = TypeVar("T")
Pair = tuple[Outcome, Outcome]


class Side:
    """One engine with the fixtures' images and its stream of events."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        engine.start()
        self.version = engine.version()
        self._archive, self._known = fixtures.make(engine.work)
        self._events = Path(engine.root, "events")

    def listen(self) -> None:
        """Write the engine's events to a file, from now on."""
        with open(self._events, "wb") as file:
            self._listener = self.engine.start_command("exec docker events --format '{{json .}}'", file.fileno())
        time.sleep(SETTLE)

    def section(self, commands: list[Command]) -> tuple[list[Outcome], events.Sequences]:
        """Run one section from a clean engine."""
        self.engine.run(CLEAN)
        self.engine.load(self._archive, self._known)
        time.sleep(SETTLE)
        begin = self._events.stat().st_size
        with self.engine.registries() if commands[0].section == REGISTRIES else contextlib.nullcontext():
            outcomes = [self.engine.run(command.line) for command in commands]
        time.sleep(SETTLE)
        lines = self._events.read_bytes()[begin:].decode().splitlines()
        told = [line for line in lines if line.startswith("{")]
        return outcomes, events.sequences(told, self.engine.normalised)

    def close(self) -> None:
        """End the engine."""
        self._listener.terminate()
        self._listener.wait()
        self.engine.close()


class Session:
    """Both engines, and what came of the sections that were run.

    Args:
        engines: the reference and the one that is judged; by default ours.
    """

    def __init__(self, script: list[Command], engines: tuple[Engine, Engine] | None = None) -> None:
        self._script = script
        self._pool = ThreadPoolExecutor(2)
        self._outcomes: dict[str, Pair] = {}
        self._events: dict[str, tuple[events.Sequences, events.Sequences]] = {}
        self._repeated: set[str] = set()
        self._engines = engines or (reference(), ours())
        try:
            self._sides = self._both(lambda number: Side(self._engines[number]))
        except BaseException:
            for engine in self._engines:
                engine.close()
            raise
        self.version = self._sides[0].version
        for side in self._sides:
            side.engine.api = self._sides[0].engine.api
        self._both(lambda number: self._sides[number].listen())

    def _both(self, function: Callable[[int], T]) -> tuple[T, T]:
        first, second = self._pool.map(function, (0, 1))
        return first, second

    def outcome(self, command: Command) -> Pair:
        """What `command` left on the reference and on ours; its section is run at the first question."""
        self._run(command.section)
        return self._outcomes[command.key]

    @property
    def near(self) -> bool:
        """Whether the reference is of our generation. Of an older one only exit codes say something about us."""
        return int(self.version.split(".")[0]) >= OLDEST

    def differences(self, command: Command) -> list[Difference]:
        """Where the two differ."""
        found = differences(*self.outcome(command))
        return found if self.near else [difference for difference in found if difference.where == "exit"]

    def events_differ(self, section: str) -> list[Difference]:
        """Where the events of a section differ."""
        self._run(section)
        return events.differences(*self._events[section]) if self.near else []

    def again(self, section: str) -> bool:
        """Run a section once more, once: what differed by chance does not differ twice. False: it has had its chance."""
        if section in self._repeated:
            return False
        self._repeated.add(section)
        del self._events[section]
        self._run(section)
        return True

    def _run(self, section: str) -> None:
        if section in self._events:
            return
        commands = [command for command in self._script if command.section == section]
        left, right = self._both(lambda number: self._sides[number].section(commands))
        pairs = zip(left[0], right[0], strict=True)
        self._outcomes.update(zip((command.key for command in commands), pairs, strict=True))
        self._events[section] = (left[1], right[1])

    @property
    def sections_run(self) -> set[str]:
        """The sections that have been run so far."""
        return set(self._events)

    def close(self) -> None:
        """End both engines."""
        self._both(lambda number: self._sides[number].close())
        self._pool.shutdown()
