"""Mounts that criu neither writes down nor makes: the binds of the spec, and the container's own cgroup folders.

An image knows each by an opaque key made of its destination. Where it comes from is the spec's to say at the restore, and is
staged as a mount of ours; no name in an image leads anywhere (CVE-2026-119101).
"""

from __future__ import annotations

import os
import stat

from dockwright.base.mounttable import plain
from dockwright.kernel import mount as m
from dockwright.runtime import paths
from dockwright.runtime.cgroups.layout import layout
from dockwright.runtime.failure import RuntimeFailure
from dockwright.runtime.mounts import Mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dockwright.runtime.context import Context


class Entry:
    """One line of /proc/PID/mountinfo (proc(5)): its numbers, where it is, its type and its file system's options."""

    def __init__(self, line: str) -> None:
        before, _, after = line.partition(" - ")
        fields, rest = before.split(), after.split()
        self.id, self.parent, self.point = int(fields[0]), int(fields[1]), plain(fields[4])
        self.type, self.options = rest[0], rest[2].split(",") if len(rest) > 2 else []


def read(pid: int | str) -> list[Entry]:
    """The mounts of a process, as it sees them."""
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return [Entry(line) for line in file]


def key(destination: str, below: str = "") -> str:
    """What an image calls the mount at `destination`, or the one at `below` inside what is bound there."""
    return f"m{_hex(destination)}" + (f".{_hex(below)}" if below else "")


def cgroup_key(entry: Entry) -> str:
    """What an image calls a mount of a cgroup hierarchy."""
    if entry.type == "cgroup2":
        return "c"
    point = next((point for name, point in layout().v1.items() if name in entry.options), "")
    return f"c{_hex(os.path.basename(point))}"


def of_process(pid: int, spec: dict[str, Any], context: Context) -> list[tuple[str, str]]:
    """(place, key) of each external mount of a running container.

    Raises:
        RuntimeFailure: a place has a name that criu cannot be told.
    """
    entries = read(pid)
    binds, made = _places(pid, spec, context)
    found = [(entry.point, cgroup_key(entry)) for entry in entries if entry.type in ("cgroup", "cgroup2")]
    by_id = {entry.id: entry for entry in entries}
    for entry in entries:
        owner = _bind_above(entry, by_id, binds, made)
        if owner is not None and entry.type not in ("cgroup", "cgroup2"):
            below = "" if entry.id == owner else os.path.relpath(entry.point, by_id[owner].point)
            found.append((entry.point, key(binds[owner], below)))
    for place, _ in found:
        if "]:" in place or "\n" in place:
            raise RuntimeFailure(f'cannot checkpoint: a mount at "{place}" cannot be told to criu')
    return found


def _places(pid: int, spec: dict[str, Any], context: Context) -> tuple[dict[int, str], set[int]]:
    """Mount number to destination of the spec's binds; the numbers of its other mounts."""
    binds: dict[int, str] = {}
    made: set[int] = set()
    root = os.open(f"/proc/{pid}/root", m.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for item in spec.get("mounts") or ():
            mount = Mount(item, context)
            number = _number(root, mount.destination)
            if mount.is_bind and number >= 0:
                binds[number] = mount.destination
            else:
                made.add(number)
    finally:
        os.close(root)
    return binds, made


def _number(root: int, path: str) -> int:
    """The number of the mount that is seen at `path`, -1 for none (proc(5), fdinfo)."""
    try:
        fd = paths.open_in_root(root, path)
    except OSError:
        return -1  # the container has taken it away: then there is nothing to restore
    try:
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as file:
            return int(next(line for line in file if line.startswith("mnt_id:")).split()[1])
    finally:
        os.close(fd)


def _bind_above(entry: Entry, by_id: dict[int, Entry], binds: dict[int, str], made: set[int]) -> int | None:
    """The bind of the spec that an entry is, or came with; None if it is the container's own."""
    at: Entry | None = entry
    while at is not None and at.id not in made:
        if at.id in binds:
            return at.id
        at = by_id.get(at.parent)
    return None


def stage(spec: dict[str, Any], context: Context, group: str, place: str) -> list[tuple[str, str]]:
    """In a mount namespace of our own: put all that the spec binds below the folder `place`; answers (key, path) of each.

    Raises:
        OSError: a source is missing.
    """
    staged: list[tuple[str, str]] = []
    for number, item in enumerate(spec.get("mounts") or ()):
        mount = Mount(item, context)
        if mount.is_bind:
            mount.prepare()
            path = f"{place}/{number}"
            put(mount.tree, path)
            staged.append((key(mount.destination), path))
            inner = (entry.point for entry in read("self") if entry.point.startswith(f"{path}/"))
            staged += [(key(mount.destination, point[len(path) + 1 :]), point) for point in inner]
    where = layout()
    folders = {f"c{_hex(os.path.basename(point))}": point for point in where.v1.values()}
    if where.unified:
        folders["c"] = where.unified
    return staged + [(name, f"{point}/{group.strip('/')}") for name, point in folders.items()]


def put(tree: int, path: str) -> None:
    """Attach a detached mount at `path`, which is made."""
    if stat.S_ISDIR(os.fstat(tree).st_mode):
        os.mkdir(path)
    else:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))
    m.move_mount(tree, m.AT_FDCWD, path)
    os.close(tree)


def _hex(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").hex()
