"""How init comes into being: clone3(2) with new namespaces, after whatever must be joined or set first."""

from __future__ import annotations

import os

from dockwright.kernel import process as k
from dockwright.runtime import channel
from dockwright.runtime.failure import RuntimeFailure, explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.runtime.init import Child
    from dockwright.runtime.namespaces import Namespaces


def clone(namespaces: Namespaces, unified: int, child: Child, offsets: dict[str, Any]) -> int:
    """Make init; returns its pid, and in init never.

    Args:
        unified: descriptor of its v2 cgroup, or -1. offsets: linux.timeOffsets.

    Raises:
        OSError, RuntimeFailure: it could not be made.
    """
    flags = namespaces.new | (k.CLONE_PARENT if child.init.context.for_parent else 0)
    owner = next((fd for flag, fd in child.joined if flag == k.CLONE_NEWUSER), -1)
    if owner >= 0:
        return _inside(owner, flags, unified, child, offsets)
    return _clone(flags, unified, child, offsets)


def _clone(flags: int, unified: int, child: Child, offsets: dict[str, Any], back: bool = True) -> int:
    """clone3(2); what holds for children only, we enter or set for the moment, and go `back` from again."""
    joins_pid = [fd for flag, fd in child.joined if flag == k.CLONE_NEWPID]
    restore: list[tuple[int, int]] = []
    try:
        if joins_pid:
            restore.append((os.open("/proc/self/ns/pid_for_children", os.O_RDONLY | os.O_CLOEXEC), k.CLONE_NEWPID))
            k.setns(joins_pid[0], k.CLONE_NEWPID)
        if offsets and flags & k.CLONE_NEWTIME:
            restore.append((os.open("/proc/self/ns/time_for_children", os.O_RDONLY | os.O_CLOEXEC), k.CLONE_NEWTIME))
            _shift_clocks(offsets)
            flags &= ~k.CLONE_NEWTIME
        pid = k.clone3(flags, cgroup=unified)
        if pid == 0:
            child.run()
        return pid
    finally:
        for fd, flag in restore:
            if back:
                k.setns(fd, flag)
            os.close(fd)


def _shift_clocks(offsets: dict[str, Any]) -> None:
    """A new time namespace for our next child, with the spec's offsets (time_namespaces(7))."""
    k.unshare(k.CLONE_NEWTIME)
    lines = [f"{clock} {o.get('secs', 0)} {o.get('nanosecs', 0)}\n" for clock, o in offsets.items()]
    with open("/proc/self/timens_offsets", "w", encoding="ascii") as file:
        file.write("".join(lines))


def _inside(owner: int, flags: int, unified: int, child: Child, offsets: dict[str, Any]) -> int:
    """By a helper that joins the user namespace first, for the new namespaces must belong to it; there is no way back.

    The helper is born in the cgroup, which it could not join from inside; init is its sibling (CLONE_PARENT).
    """
    report, theirs = os.pipe()
    helper = k.clone3(flags & k.CLONE_PARENT, cgroup=unified)
    if helper == 0:
        _help(owner, flags | k.CLONE_PARENT, child, offsets, theirs)
    os.close(theirs)
    try:
        answer = channel.receive(report)
    finally:
        os.close(report)
        if not flags & k.CLONE_PARENT:
            os.waitpid(helper, 0)
    if answer is None or "error" in answer:
        raise RuntimeFailure(answer["error"] if answer else "the helper ended before it had made init")
    return int(answer["pid"])


def _help(owner: int, flags: int, child: Child, offsets: dict[str, Any], report: int) -> None:
    """The helper's life."""
    try:
        k.prctl(k.PR_SET_DUMPABLE, 0)
        k.setns(owner, k.CLONE_NEWUSER)
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        channel.send(report, {"pid": _clone(flags, -1, child, offsets, back=False)})
    except OSError as error:
        channel.send(report, {"error": f"joining the user namespace: {explain(error)}"})
    finally:
        os._exit(0)
