"""Progress documents of load and import, and how they come out of worker threads."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

Line = dict[str, Any]
Emit = Callable[[Line], None]
PAUSE = 0.1  # seconds between two lines of one layer
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def human_size(size: float) -> str:
    """`size` in bytes as Docker prints it: four significant digits, powers of a thousand."""
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.4g}{_UNITS[unit]}"


def bar(current: int, total: int) -> str:
    """The drawn bar of `progress`, as for a terminal of 200 columns."""
    done = min(current * 100 // total // 2, 50) if total > 0 else 50
    numbers = f"{human_size(current):>8}"
    return f"[{'=' * done}>{' ' * (50 - done)}] " + (numbers if current > total else f"{numbers}/{human_size(total)}")


def step(status: str, ident: str, current: int, total: int) -> Line:
    """How far something is."""
    detail = {"current": current, "total": total}
    return {"status": status, "progressDetail": detail, "progress": bar(current, total), "id": ident}


class Meter:
    """Turns the reports of a layer's reader into lines, at most ten a second."""

    def __init__(self, emit: Emit, status: str, ident: str, total: int) -> None:
        self._emit, self._status, self._ident, self._total = emit, status, ident, total
        self._next = 0.0

    def report(self, current: int) -> None:
        """From any thread: `current` bytes are done."""
        now = time.monotonic()
        if now >= self._next or current == self._total:
            self._next = now + PAUSE
            self._emit(step(self._status, self._ident, current, self._total))


_running: set["asyncio.Task[None]"] = set()


async def end_all() -> None:
    """End all work that `lines` runs, and wait until it has undone what it did."""
    tasks = tuple(_running)
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


async def lines(work: Callable[[Emit], Coroutine[Any, Any, None]]) -> AsyncIterator[Line]:
    """Run `work` and hand out what it emits, from whichever thread; ends as it ends, and ends it when nobody listens."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[Line | None] = asyncio.Queue()

    def emit(line: Line) -> None:
        loop.call_soon_threadsafe(waiting.put_nowait, line)

    async def run() -> None:
        try:
            await work(emit)
        finally:
            loop.call_soon_threadsafe(waiting.put_nowait, None)

    task = loop.create_task(run())
    _running.add(task)
    task.add_done_callback(_running.discard)
    try:
        while (line := await waiting.get()) is not None:
            yield line
        await task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
