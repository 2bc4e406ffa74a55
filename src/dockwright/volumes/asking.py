"""Volumes that only plug-ins know of: all plug-ins are asked side by side, and none is waited for longer than `PATIENCE`."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from dockwright.base.errors import EngineError, NotFound
from dockwright.plugins.client import Answered
from dockwright.volumes.drivers import Drivers
from dockwright.volumes.plugged import Plugged
from dockwright.volumes.store import Volume

PATIENCE = 5.0  # seconds for one plug-in's answer, its greeting included
REST = 30.0  # seconds for which one that did not answer is not asked again, so that it does not hold up each request
T = TypeVar("T")
log = logging.getLogger("dockwright.volumes")


@dataclass(frozen=True)
class Known:
    """What all plug-ins know.

    Attributes:
        answered: the plug-ins that have answered. volumes: by driver and name, what they say of each.
        failures: what went wrong, by driver.
    """

    answered: frozenset[str]
    volumes: dict[tuple[str, str], dict[str, Any]]
    failures: dict[str, str]


class Asking:
    """Questions to all volume plug-ins at once.

    Args:
        patience: seconds.
    """

    def __init__(self, drivers: Drivers, patience: float = PATIENCE) -> None:
        self._drivers, self._patience = drivers, patience
        self._silent: dict[str, float] = {}

    async def known(self, among: Sequence[str] = ()) -> Known:
        """Every volume of the plug-ins; `among` names those of interest, none means all."""
        answers = await self._all(lambda plugin: plugin.listed(), among)
        lists = {driver: rows for driver, rows in answers.items() if isinstance(rows, dict)}
        volumes = {(driver, name): row for driver, rows in lists.items() for name, row in rows.items()}
        failures = {driver: str(told) for driver, told in answers.items() if not isinstance(told, dict)}
        return Known(frozenset(lists), volumes, failures)

    async def holder(self, name: str) -> tuple[str, dict[str, Any]] | None:
        """The first plug-in, by name, that has a volume of that name, and what it says of it."""
        wanted = Volume(name, 0, None, None)
        answers = await self._all(lambda plugin: plugin.status(wanted))
        found = sorted((driver, told) for driver, told in answers.items() if isinstance(told, dict))
        return found[0] if found else None

    async def _all(
        self, question: Callable[[Plugged], Awaitable[T]], among: Sequence[str] = ()
    ) -> dict[str, T | EngineError | Answered]:
        names = [name for name in self._drivers.found() if not among or name in among]
        answers = await asyncio.gather(*(self._one(name, question) for name in names))
        return {name: answer for name, answer in zip(names, answers, strict=True) if answer is not None}

    async def _one(self, name: str, question: Callable[[Plugged], Awaitable[T]]) -> T | EngineError | Answered | None:
        """The answer, or why there is none; None of a plug-in that has no volumes, or has just gone."""
        loop = asyncio.get_running_loop()
        silent = EngineError(f"no answer within {self._patience:g} s")
        if loop.time() < self._silent.get(name, 0.0):
            return silent
        try:
            async with asyncio.timeout(self._patience):
                return await question(await self._drivers.plugged(name))
        except NotFound:
            return None
        except TimeoutError:
            self._silent[name] = loop.time() + REST
            return silent
        except (EngineError, Answered) as error:
            log.debug("volume plug-in %s: %s", name, error)
            return error
