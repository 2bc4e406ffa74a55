"""One container's cgroup: its folders in every hierarchy, from mkdir to rmdir.

Processes join v1 by writing "0" to `tasks` themselves: that moves only the (single) calling thread and takes no
kernel grace period, unlike `cgroup.procs` (docs/performance.md). v2 is joined at birth by CLONE_INTO_CGROUP.
"""

from __future__ import annotations

import errno
import os
import time

from dockwright.runtime.cgroups import limits
from dockwright.runtime.cgroups.layout import Layout, available_v2, layout

FREEZE_TRIES = 500  # times 2 ms: what a loaded machine needs to freeze a fork bomb


def write(path: str, value: str) -> None:
    """Write `value` to a control file in one write(2), as the kernel wants it."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def gone(error: OSError) -> bool:
    """Whether an error says that the cgroup is not there any more: the kernel's ENODEV comes to who has opened a file before."""
    return error.errno in (errno.ENOENT, errno.ENODEV)


def write_limit(group: Cgroup, controller: str, file: str, value: str) -> None:
    """Write one limit. A v2 weight goes to both files that a kernel may have for it; each device heeds one of them.

    Raises:
        OSError: it was not taken.
    """
    if file != limits.WEIGHT:
        return _write_file(group, controller, file, value)
    refused: list[OSError] = []
    for name, line in ((file, value), ("io.weight", limits.io_weight_line(value))):
        try:
            _write_file(group, controller, name, line)
        except OSError as error:
            refused.append(error)
    if len(refused) == 2:
        raise refused[0]
    return None


def _write_file(group: Cgroup, controller: str, file: str, value: str) -> None:
    path = group.file(controller, file)
    if not path:
        raise FileNotFoundError(errno.ENOENT, "controller is not mounted", file)
    write(path, value)


def read(path: str) -> str:
    """A control file's text, stripped."""
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read().strip()


class Cgroup:
    """The cgroup at `path` (absolute within each hierarchy, e.g. /docker/<id>)."""

    def __init__(self, path: str, where: Layout | None = None) -> None:
        self.path = "/" + path.strip("/")
        self.layout = where or layout()
        self.directories = self.layout.directories(self.path)

    def file(self, controller: str, name: str) -> str:
        """The path of control file `name`; "" where the host lacks the controller."""
        directory = self.layout.controller(controller, self.path)
        return directory and f"{directory}/{name}"

    def create(self, limited: bool = True) -> None:
        """Make the folders, parents included. An existing folder is used as it is.

        Args:
            limited: False where nothing will be limited in it: then its v2 parents may still have processes, to be taken in.

        Raises:
            OSError: what was made by this call is removed again.
        """
        made: list[str] = []
        try:
            for directory in self.directories:
                made += make_directories(directory)
                if directory.startswith(self.layout.v1.get("cpuset", "\0")):
                    self._inherit_cpuset(directory)
            if self.layout.is_v2 and limited:
                self._enable_controllers()
        except OSError:
            for directory in reversed(made):
                os.rmdir(directory)
            raise

    def join_descriptors(self) -> list[int]:
        """Descriptors of the v1 `tasks` files, for a process to write "0" to."""
        files = [f"{d}/tasks" for d in self.directories if d != self._unified()]
        return [os.open(file, os.O_WRONLY | os.O_CLOEXEC) for file in files]

    def unified_descriptor(self) -> int:
        """A descriptor of the v2 folder for CLONE_INTO_CGROUP; -1 where there is no v2."""
        if not self.layout.unified:
            return -1
        return os.open(self._unified(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def take(self, pid: int) -> None:
        """Move process `pid`, which has one thread, in from outside."""
        for directory in self.directories:
            file = "cgroup.procs" if directory == self._unified() else "tasks"
            write(f"{directory}/{file}", str(pid))

    def pids(self, everything: bool = True) -> list[int]:
        """The processes in this cgroup, and below it with `everything`; [] if it is gone."""
        directory = self._main()
        found: list[int] = []
        for folder, _, files in os.walk(directory):
            if "cgroup.procs" in files:
                try:
                    found += [int(line) for line in read(f"{folder}/cgroup.procs").split()]
                except OSError as error:
                    if not gone(error):
                        raise  # else it was removed while we walked
            if not everything:
                break
        return sorted(set(found))

    def freeze(self, frozen: bool) -> None:
        """Freeze or thaw all processes, and wait until the kernel says it is done.

        Raises:
            OSError: ETIMEDOUT when the kernel does not get there (a thaw is asked for then).
        """
        if self.layout.is_v2:
            write(self.file("", "cgroup.freeze"), "1" if frozen else "0")
            wanted = f"frozen {int(frozen)}"
            self._await(frozen, lambda: wanted in read(self.file("", "cgroup.events")).splitlines())
            return
        path = self.file("freezer", "freezer.state")
        if not path:
            raise OSError(errno.ENODEV, "cannot freeze: no freezer cgroup on this host")
        state = "FROZEN" if frozen else "THAWED"

        def arrived() -> bool:
            write(path, state)  # again: a process forked while freezing needs a second push
            return read(path) == state

        self._await(frozen, arrived)

    def _await(self, frozen: bool, arrived: object) -> None:
        for _ in range(FREEZE_TRIES):
            if arrived():  # type: ignore[operator]
                return
            time.sleep(0.002)
        if frozen:
            self.freeze(False)
        raise OSError(errno.ETIMEDOUT, "unable to freeze" if frozen else "unable to thaw")

    def frozen(self) -> bool:
        """Whether it is frozen; False if it is gone."""
        path = (
            self.file("freezer", "freezer.self_freezing") if not self.layout.is_v2 else self.file("", "cgroup.freeze")
        )
        try:
            return bool(path) and read(path) == "1"
        except OSError:
            return False

    def kill(self) -> None:
        """SIGKILL everything inside: v2's cgroup.kill, on v1 frozen first so that nothing can fork away.

        One that is gone, or goes meanwhile, is fine. Raises OSError.
        """
        try:
            if self.layout.unified and os.path.exists(f"{self._unified()}/cgroup.kill"):
                write(f"{self._unified()}/cgroup.kill", "1")
            if not self.layout.is_v2 and os.path.isdir(self._main()):
                self._kill_frozen()
        except OSError as error:
            if not gone(error):
                raise

    def _kill_frozen(self) -> None:
        state = self.file("freezer", "freezer.state")
        if state:
            write(state, "FROZEN")
        for pid in self.pids():
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue
        if state:
            write(state, "THAWED")

    def remove(self, patience: float = 2.0) -> None:
        """Remove the folders, children first. A folder still busy is tried again for `patience` seconds.

        Raises:
            OSError: EBUSY when processes are left.
        """
        deadline = time.monotonic() + patience
        for directory in self.directories:
            remove_tree(directory, deadline)

    def exists(self) -> bool:
        """Whether its main folder is there."""
        return os.path.isdir(self._main())

    def _unified(self) -> str:
        return self.layout.unified + self.path

    def _main(self) -> str:
        """The folder whose membership counts: the freezer's on v1, since freezing decides what a kill reaches."""
        return self.layout.controller("freezer", self.path) or self.directories[0]

    def _inherit_cpuset(self, directory: str) -> None:
        """A fresh v1 cpuset has no cpus and no mems, and nothing may join it before it has (cpusets.rst)."""
        parent = os.path.dirname(directory)
        for name in ("cpuset.cpus", "cpuset.mems"):
            if not read(f"{directory}/{name}"):
                if not read(f"{parent}/{name}"):
                    self._inherit_cpuset(parent)
                write(f"{directory}/{name}", read(f"{parent}/{name}"))

    def _enable_controllers(self) -> None:
        """Hand all controllers down from the root to our parent (cgroup-v2.rst, Controlling Controllers)."""
        wanted = available_v2(self.layout.unified)
        folder = self.layout.unified
        for part in self.path.strip("/").split("/"):
            for controller in wanted:
                try:
                    write(f"{folder}/cgroup.subtree_control", f"+{controller}")
                except OSError as error:
                    if error.errno not in (errno.ENOENT, errno.EINVAL, errno.EBUSY, errno.EOPNOTSUPP):
                        raise  # else this level lacks the controller; a limit that needs it fails when written
            folder += "/" + part


def make_directories(directory: str) -> list[str]:
    """Make `directory` and its missing parents; returns what was made, outermost first.

    Raises:
        OSError: nothing is left then. ENOENT or ENODEV: a parent is going just now, or there are no cgroups at all.
    """
    try:
        os.mkdir(directory, 0o755)
        return [directory]
    except FileExistsError:
        return []
    except FileNotFoundError:
        made = make_directories(os.path.dirname(directory))
    try:
        os.mkdir(directory, 0o755)
    except FileExistsError:
        return made
    except OSError:
        for parent in reversed(made):
            os.rmdir(parent)
        raise
    return [*made, directory]


def remove_tree(directory: str, deadline: float) -> None:
    """rmdir(2) `directory` and its child groups; one that is gone is fine."""
    try:
        children = [entry.path for entry in os.scandir(directory) if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return
    for child in children:
        remove_tree(child, deadline)
    while True:
        try:
            os.rmdir(directory)
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.002)
