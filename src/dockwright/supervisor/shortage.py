"""A container that runs out of memory is heard of while it runs, not only at its end."""

from __future__ import annotations

import os

from dockwright.runtime.cgroups import oom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from dockwright.runtime.cgroups.group import Cgroup
    from dockwright.supervisor.loop import Loop


class Shortage:
    """Calls `tell` when the kernel kills processes of `group` for want of memory; on v1 when it is about to.

    Args:
        counted: the group's oom_kill counter when the container was started.

    Attributes:
        seen: whether `tell` has been called.
    """

    def __init__(self, loop: Loop, group: Cgroup, counted: int, tell: Callable[[], None]) -> None:
        self._loop, self._group, self._counted, self._tell = loop, group, counted, tell
        self.seen = False
        self._fd = oom.notices(group)
        if self._fd >= 0:
            loop.add(self._fd, lambda _readable, _writable: self._noticed(), read=True)

    def _noticed(self) -> None:
        try:
            os.read(self._fd, 4096)
        except BlockingIOError:
            return
        if self._group.layout.is_v2:
            before, self._counted = self._counted, oom.kills(self._group)
            if self._counted <= before:
                return  # another counter has changed
        elif not oom.counted(self._group):
            return  # somebody has removed the group
        self.seen = True
        self._tell()

    def close(self) -> None:
        """Hear no more."""
        if self._fd >= 0:
            self._loop.remove(self._fd)
            os.close(self._fd)
            self._fd = -1
