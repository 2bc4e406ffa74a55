"""Rotated log files: path is written to, path.1 is the youngest of the old ones, path.2.gz an older, compressed one.

Compression is done by gzip(1), started by posix_spawn: the shim neither forks for it nor waits, unless the next rotation
comes before it is done. Where there is no gzip the files stay as they are; readers take both.
"""

from __future__ import annotations

import os

GZIP = "/usr/bin/gzip", "/bin/gzip"
ENVIRONMENT = {"LC_ALL": "C"}


class Rotation:
    """The old files of one log.

    Args:
        path: the file that is written to. max_file: how many files are kept, that one included. compress: the old ones.
    """

    def __init__(self, path: str, max_file: int, compress: bool) -> None:
        self.path, self.max_file, self.compress = path, max_file, compress and max_file > 1
        self._pid = 0

    def rotate(self) -> None:
        """Make room at `path`: everything moves on by one, the oldest goes. With a single file it is begun anew."""
        self._await()
        if self.max_file < 2:
            return _unlink(self.path)
        for suffix in ("", ".gz"):
            _unlink(f"{self.path}.{self.max_file - 1}{suffix}")
        for number in range(self.max_file - 1, 1, -1):
            for suffix in ("", ".gz"):
                _rename(f"{self.path}.{number - 1}{suffix}", f"{self.path}.{number}{suffix}")
        _rename(self.path, f"{self.path}.1")
        if self.compress:
            self._begin()
        return None

    def _begin(self) -> None:
        program = next((path for path in GZIP if os.access(path, os.X_OK)), "")
        if not program:
            return
        source = os.open(f"{self.path}.1", os.O_RDONLY | os.O_CLOEXEC)
        target = os.open(f"{self.path}.tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
        actions = [(os.POSIX_SPAWN_DUP2, source, 0), (os.POSIX_SPAWN_DUP2, target, 1)]
        try:
            self._pid = os.posix_spawn(program, ["gzip", "-c"], ENVIRONMENT, file_actions=actions, setsigmask=[])
        finally:
            os.close(source)
            os.close(target)

    def reaped(self, pid: int, status: int) -> bool:
        """A child has ended; whether it was ours."""
        if not pid or pid != self._pid:
            return False
        self._pid = 0
        if status:
            _unlink(f"{self.path}.tmp")
            return True
        times = os.stat(f"{self.path}.1")
        os.utime(f"{self.path}.tmp", ns=(times.st_atime_ns, times.st_mtime_ns))
        os.rename(f"{self.path}.tmp", f"{self.path}.1.gz")
        os.unlink(f"{self.path}.1")
        return True

    def _await(self) -> None:
        """The last file is still being compressed: its name is not ours to move before that."""
        if self._pid:
            try:
                status = os.waitpid(self._pid, 0)[1]
            except ChildProcessError:
                status = 1
            self.reaped(self._pid, status)

    def close(self) -> None:
        """The log is over: what is half compressed stays as it was."""
        if self._pid:
            os.kill(self._pid, 9)
            self._pid = 0
            _unlink(f"{self.path}.tmp")


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return  # fewer files than allowed so far


def _rename(old: str, new: str) -> None:
    try:
        os.rename(old, new)
    except FileNotFoundError:
        return  # fewer files than allowed so far
