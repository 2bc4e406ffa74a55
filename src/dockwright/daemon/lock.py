"""One daemon per data root, and the pid file that tells which.

The lock is flock(2) on DATA/lock: the kernel drops it with the process, so a killed daemon leaves nothing stale.
"""

import fcntl
import os

from dockwright.base.errors import Internal
from dockwright.base.files import write_atomic


class DataRootLock:
    """Exclusive use of one data root, held until the process ends or `release`.

    Args:
        path: the lock file, made if missing.

    Raises:
        Internal: another daemon holds it.
    """

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise Internal(
                f"failed to start daemon: another dockwrightd (process with PID {holder or 'unknown'}) "
                f"uses this data root: {os.path.dirname(path)}"
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Give the data root free. The file stays: removing it would let two daemons lock two inodes."""
        os.ftruncate(self._fd, 0)
        os.close(self._fd)


def write_pidfile(path: str) -> None:
    """Write our pid to `path`, as dockerd does; something that is no file (`/dev/null`) is left alone.

    Raises:
        Internal: the process named there is alive, in dockerd's words.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        return
    try:
        with open(path, encoding="ascii") as file:
            pid = int(file.read(32))
    except (FileNotFoundError, ValueError):
        pid = 0
    if pid and pid != os.getpid() and os.path.exists(f"/proc/{pid}"):
        raise Internal(
            f"failed to start daemon, ensure docker is not running or delete {path}: "
            f"process with PID {pid} is still running"
        )
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    write_atomic(path, str(os.getpid()).encode(), mode=0o644)


def remove_pidfile(path: str) -> None:
    """Remove the pid file, if it is there and one."""
    if os.path.isfile(path):
        os.unlink(path)
