"""Small files and facts that drivers share."""

import os


def private(*paths: str, mode: int) -> None:
    """Make directories that nobody else gets into, whatever the umask: setuid files and secrets lie in layers."""
    for path in paths:
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)


def write(path: str, text: str) -> None:
    """Make a small file of the driver's own."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def read(path: str) -> str:
    """Read one."""
    with open(path, encoding="ascii") as file:
        return file.read()


def backing(path: str) -> str:
    """Name of the file system under `path` as Docker's info shows it."""
    best = ("", "unknown")
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            _, point, kind, *_ = line.split()
            if (path + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best[0]):
                best = (point, kind)
    return {"ext4": "extfs", "ext3": "extfs", "ext2": "extfs"}.get(best[1], best[1])
