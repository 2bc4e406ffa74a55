"""Where the engine's own processes and its containers are in the host's cgroup tree (DECISIONS 7).

With systemd the tree is systemd's, and what we may use is a scope delegated to us: zygote, shims and netd are in its leaf
`engine`, containers in `<id>` beside it; the scope outlives the daemon and its unit. The driver "systemd" asks for a
scope per container besides. Without systemd the tree is ours: /dockwright/engine and /docker/<id>.
"""

import errno
import hashlib
import logging
import os

from dockwright.base.errors import InvalidParameter
from dockwright.base.paths import EXEC_ROOT
from dockwright.base.steps import Step
from dockwright.grammar.mounts import clean
from dockwright.runtime.cgroups.group import Cgroup
from dockwright.supervisor import systemd
from dockwright.supervisor.dbus import BusError

log = logging.getLogger("dockwright.supervisor")
CGROUPFS, SYSTEMD = "cgroupfs", "systemd"
PATIENCE = 0.2  # seconds for shims that are just ending
SYSTEM_SLICE = "system.slice"
INSIDE = "container"  # the leaf of a container's scope: what is written there systemd does not touch


class Placement:
    """The places of one daemon.

    Args:
        exec_root: daemons are told apart by it. driver: CGROUPFS or SYSTEMD.
        parent: of containers that name none; "" is ours to choose.

    Attributes:
        scope: the delegated cgroup of both kinds, "" where the tree is ours.
    """

    def __init__(self, exec_root: str, driver: str = CGROUPFS, parent: str = "") -> None:
        self.driver, self._parent, self._exec_root = driver, parent, exec_root
        self.scope = f"{systemd.slice_path(SYSTEM_SLICE)}/{_scope_name(exec_root)}" if systemd.booted() else ""

    @property
    def engine(self) -> str:
        """Cgroup of the engine's processes."""
        return f"{self.scope or '/dockwright'}/engine"

    def cgroup(self, ident: str, parent: str) -> str:
        """The cgroup of a container whose HostConfig names `parent` (or "")."""
        parent = parent or self._parent
        if self.driver == SYSTEMD:
            return f"{systemd.slice_path(parent or SYSTEM_SLICE)}/docker-{ident}.scope/{INSIDE}"
        return clean(f"/{parent}/{ident}") if parent else f"{self.scope or '/docker'}/{ident}"

    def settle(self, pid: int) -> None:
        """Take the zygote in. What cannot be done is a warning: without a scope the tree is taken as ours."""
        try:
            if self.scope:
                about = f"Dockwright's processes and containers ({self._exec_root})"
                systemd.start_scope(os.path.basename(self.scope), SYSTEM_SLICE, pid, about)
        except (OSError, BusError) as error:
            log.warning("systemd does not give us a scope: %s", error)
            self.scope = ""
        try:
            self.take(pid)
        except OSError as error:
            log.warning("the engine's processes stay in the daemon's cgroup: %s", error)

    def take(self, pid: int) -> None:
        """Take another process of one thread in. Raises OSError."""
        group = Cgroup(self.engine)
        group.create(limited=False)
        group.take(pid)

    def leave(self) -> None:
        """Remove our folder if nobody is in it any more; systemd does it by itself."""
        if not self.scope:
            try:
                Cgroup(os.path.dirname(self.engine)).remove(PATIENCE)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    log.warning("cgroup %s is left: %s", self.engine, error)

    def scope_of(self, ident: str, parent: str, pid: int) -> "Scope":
        """The step that makes a container's scope around `pid`, which is to make its init."""
        return Scope(f"docker-{ident}.scope", parent or self._parent or SYSTEM_SLICE, pid)


def check_parent(driver: str, parent: str) -> None:
    """Refuse a parent that the driver cannot use.

    Raises:
        InvalidParameter: in Docker's words.
    """
    name = parent.removesuffix(".slice")
    if driver == SYSTEMD and (name == parent or not name or "/" in name):
        raise InvalidParameter('cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"')


class Scope(Step):
    """A container's scope, asked of systemd."""

    __slots__ = ("name", "pid", "slice")

    def __init__(self, name: str, slice_name: str, pid: int) -> None:
        super().__init__("daemon", "cgroup", f"ask systemd for {name} in {slice_name}, delegated")
        self.name, self.slice, self.pid = name, slice_name, pid

    def execute(self) -> None:
        systemd.start_scope(self.name, self.slice, self.pid, f"container {self.name[7:19]} of Dockwright")


def whole(cgroup: str) -> str:
    """The cgroup that goes when a container's does: its scope with it, of which other hierarchies than systemd's may be left."""
    return cgroup.removesuffix(f"/{INSIDE}") if cgroup.endswith(f".scope/{INSIDE}") else cgroup


def _scope_name(exec_root: str) -> str:
    mark = "" if exec_root == EXEC_ROOT else f"-{hashlib.sha256(exec_root.encode()).hexdigest()[:8]}"
    return f"dockwright{mark}.scope"
