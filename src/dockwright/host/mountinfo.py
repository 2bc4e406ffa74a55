"""The host's mount table (proc(5), /proc/pid/mountinfo)."""

from dataclasses import dataclass

from dockwright.base.mounttable import plain


@dataclass(frozen=True)
class MountInfo:
    """One mount. shared, slave: whether it is in a peer group, whether it hears of one's mounts; source: its device or name."""

    point: str
    kind: str
    shared: bool
    slave: bool
    source: str = ""


def mounts() -> list[MountInfo]:
    """All mounts of this namespace, the oldest first."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return [parse(line) for line in file]


def parse(line: str) -> MountInfo:
    """One line of the table."""
    left, _, right = line.partition(" - ")
    fields = left.split(" ")
    optional = " ".join(fields[6:])
    kind, source, *_ = right.split(" ")
    return MountInfo(plain(fields[4]), kind, "shared:" in optional, "master:" in optional, plain(source))


def mount_of(path: str) -> MountInfo:
    """The mount that holds an absolute path (as it is now; links are the caller's business)."""
    best = MountInfo("/", "", False, False)
    for mount in mounts():
        if _holds(mount.point, path) and len(mount.point) >= len(best.point):
            best = mount
    return best


def mounts_below(path: str) -> list[str]:
    """Where something is mounted on or below `path`, the deepest first."""
    return sorted((m.point for m in mounts() if _holds(path, m.point)), key=len, reverse=True)


def _holds(directory: str, path: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")
