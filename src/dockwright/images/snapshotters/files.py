"""Small files and facts that drivers share."""

import errno
import os


def private(*paths: str, mode: int) -> None:
    """Make directories that nobody else gets into, whatever the umask: setuid files and secrets lie in layers."""
    for path in paths:
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)


def write(path: str, text: str) -> None:
    """Make a small file of the driver's own. Plain system calls: each start makes and reads several."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        data = text.encode("ascii")
        if os.write(fd, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
    finally:
        os.close(fd)


def read(path: str) -> str:
    """Read one."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, os.fstat(fd).st_size).decode("ascii")
    finally:
        os.close(fd)


def backing(path: str) -> str:
    """Name of the file system under `path` as Docker's info shows it."""
    best = ("", "unknown")
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            _, point, kind, *_ = line.split()
            if (path + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best[0]):
                best = (point, kind)
    return {"ext4": "extfs", "ext3": "extfs", "ext2": "extfs"}.get(best[1], best[1])
