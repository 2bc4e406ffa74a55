"""systemd where it runs the host: scopes, which are cgroups it leaves to us, and whether the host is going down.

Sources: org.freedesktop.systemd1(5), systemd.scope(5), systemd's CGROUP_DELEGATION.
"""

import os
import time

from dockwright.runtime.cgroups.group import Cgroup
from dockwright.runtime.cgroups.layout import paths_of
from dockwright.supervisor.dbus import BusError, Connection

BOOTED = "/run/systemd/system"  # sd_booted(3)
SOCKET = "/run/systemd/private"
NAME, PATH = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
MANAGER, PROPERTIES = "org.freedesktop.systemd1.Manager", "org.freedesktop.DBus.Properties"
UNLIMITED = (1 << 64) - 1
PATIENCE = 5.0  # seconds for a process to arrive in a scope, and for one of the same name to be gone
PAUSE = 0.01


def booted() -> bool:
    """Whether systemd is the host's service manager."""
    return os.path.isdir(BOOTED)


def stopping() -> bool:
    """Whether the host is being shut down. Raises OSError, BusError."""
    with Connection(SOCKET) as manager:
        (state,) = manager.call(NAME, PATH, PROPERTIES, "Get", "ss", MANAGER, "SystemState")
    return bool(state == "stopping")


def slice_path(name: str) -> str:
    """The cgroup of a slice: `a-b.slice` is /a.slice/a-b.slice (systemd.slice(5)), `-.slice` the root."""
    parts = name.removesuffix(".slice").split("-")
    if name == "-.slice":
        return ""
    return "".join(f"/{'-'.join(parts[: count + 1])}.slice" for count in range(len(parts)))


def start_scope(name: str, slice_name: str, pid: int, description: str) -> str:
    """Have systemd make a delegated scope around process `pid`; returns its cgroup.

    A scope of this name that has processes is taken as it is, and `pid` is not in it then.

    Raises:
        OSError, BusError: systemd cannot be reached, refused, or does not get there (TimeoutError).
    """
    cgroup = f"{slice_path(slice_name)}/{name}"
    deadline = time.monotonic() + PATIENCE
    while not _asked(name, slice_name, pid, description):
        if Cgroup(cgroup).pids():
            return cgroup
        _pause(deadline, f"systemd does not let go of {name}")
    while cgroup not in paths_of(str(pid)).values():
        _pause(deadline, f"systemd did not make {cgroup}")
    return cgroup


def _asked(name: str, slice_name: str, pid: int, description: str) -> bool:
    """False: there is such a scope already, perhaps one that is about to go."""
    properties = [
        ("Description", ("s", description)), ("Slice", ("s", slice_name)), ("PIDs", ("au", [pid])),
        ("Delegate", ("b", True)), ("TasksMax", ("t", UNLIMITED)), ("CollectMode", ("s", "inactive-or-failed")),
        ("Before", ("as", ["dockwright.service"])),  # so that at a shutdown the daemon stops containers first
    ]  # fmt: skip
    try:
        with Connection(SOCKET) as manager:
            manager.call(NAME, PATH, MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", name, "fail", properties, [])
    except BusError as error:
        if error.name != f"{NAME}.UnitExists":
            raise
        return False
    return True


def _pause(deadline: float, complaint: str) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError(complaint)
    time.sleep(PAUSE)
