"""The one way the daemon runs external programs: posix_spawn (never a fork), absolute path, clean environment, deadline."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence

from dockwright.kernel.process import settable_signals

ENVIRONMENT = {"LANG": "C", "LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
PLACES = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")


def find(program: str) -> str:
    """The absolute path of `program` in the system's own places, "" if it is not installed."""
    paths = (f"{place}/{program}" for place in PLACES)
    return next((path for path in paths if os.access(path, os.X_OK)), "")


async def run(
    argv: Sequence[str], stdin: bytes = b"", deadline: float = 10.0, more: Mapping[str, str] | None = None
) -> tuple[int, bytes, bytes]:
    """Run `argv` (argv[0] is an absolute path) and answer its exit status, standard output and standard error.

    Args:
        stdin: what it reads.
        deadline: seconds after which it is killed.
        more: variables beside the clean environment.

    Raises:
        OSError: it could not be started.
        TimeoutError: it was killed at its deadline.
    """
    return await asyncio.get_running_loop().run_in_executor(None, run_now, list(argv), stdin, deadline, more)


def run_now(
    argv: list[str], stdin: bytes = b"", deadline: float = 10.0, more: Mapping[str, str] | None = None
) -> tuple[int, bytes, bytes]:
    """The same, for who is in a thread already."""
    files = [os.memfd_create(f"spawn-{name}", os.MFD_CLOEXEC) for name in ("in", "out", "err")]
    try:
        os.write(files[0], stdin)
        os.lseek(files[0], 0, os.SEEK_SET)
        actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(files)]
        environment, default = {**ENVIRONMENT, **(more or {})}, settable_signals()
        pid = os.posix_spawn(argv[0], argv, environment, file_actions=actions, setsigmask=[], setsigdef=default)
        status = _wait(pid, deadline)
        if status is None:
            raise TimeoutError(f"{argv[0]} did not end within {deadline:g} s")
        return status, _content(files[1]), _content(files[2])
    finally:
        for fd in files:
            os.close(fd)


def _wait(pid: int, deadline: float) -> int | None:
    """The exit status of `pid`, None if it had to be killed."""
    import select

    pidfd = os.pidfd_open(pid)
    try:
        ended = bool(select.select([pidfd], [], [], deadline)[0])
    finally:
        os.close(pidfd)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status if ended else None


def _content(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)
