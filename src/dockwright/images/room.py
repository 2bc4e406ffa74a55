"""How much may still be written: the last bytes of a disk belong to the database, which has to undo what did not fit."""

import errno
import os

_ASK_EVERY = 16 << 20
_FLOOR = 64 << 20
_SHARE = 50  # of a small file system, one fiftieth is kept


class Room:
    """Counts what is written to the file system behind descriptor `fd`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._until = 0

    def take(self, size: int) -> None:
        """Before `size` bytes are written.

        Raises:
            OSError: ENOSPC, a little before the file system would say so.
        """
        self._until -= size
        if self._until < 0:
            there = os.fstatvfs(self._fd)
            free = there.f_bavail * there.f_frsize
            spare = free - min(_FLOOR, there.f_blocks * there.f_frsize // _SHARE) - size
            if spare < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._until = min(_ASK_EVERY, spare)
