"""syncfs(2)."""

import os

from dockwright.kernel.libc import check, libc


def syncfs(path: str) -> None:
    """syncfs(2): all that was written to the file system that holds `path` is on its disk.

    Raises:
        OSError: also for a write that failed earlier (Linux 5.8).
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        check(libc.syncfs(fd), path)
    finally:
        os.close(fd)
