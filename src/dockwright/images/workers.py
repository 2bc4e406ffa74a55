"""Work in threads that is over when it is said to be over: no thread goes on behind a cancelled request."""

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def in_threads(
    pool: concurrent.futures.Executor, stop: Callable[[], None], calls: Sequence[Callable[[], T]]
) -> list[T]:
    """Run `calls` in `pool` and wait for all.

    Args:
        stop: makes them end early. It is called when one of them fails, or when the caller is cancelled; then all are
            waited for before the error goes on.
    """
    jobs = [pool.submit(call) for call in calls]
    try:
        return list(await asyncio.gather(*map(asyncio.wrap_future, jobs)))
    except BaseException:
        stop()
        for job in jobs:
            job.cancel()  # those that have not begun
        waiting = asyncio.get_running_loop().run_in_executor(None, concurrent.futures.wait, jobs)
        while not waiting.done():
            try:
                await asyncio.shield(waiting)
            except asyncio.CancelledError:
                continue  # once more while we wait: the first one is on its way already
        raise


async def together(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run all at once; when one fails the others end, and its error goes on."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
