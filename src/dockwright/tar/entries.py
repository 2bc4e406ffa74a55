"""What may be taken from a tar's entry: its name, its time, its attributes."""

import errno
import logging
import os
from collections.abc import Iterator

from dockwright.base.errors import InvalidParameter
from dockwright.tar.reader import Entry

log = logging.getLogger("dockwright.tar")
LARGEST_ID = (1 << 32) - 2
LATEST = 1 << 62  # ns; beyond it no file system keeps a time
XATTRS = ("user.", "system.posix_acl_", "security.capability")


def clean(name: str) -> str:
    """An entry's name as a path below the root: no leading slash, no `..` that leads out."""
    if name[:1] not in ("/", ".", "") and "//" not in name and "/." not in name:
        return name.removesuffix("/")
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            if not parts:
                raise InvalidParameter(f"invalid entry name {name!r}: it leads out of the layer")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def clamped(mtime: int) -> int:
    """A time that a file system can keep, ns."""
    return min(max(mtime, 0), LATEST)


def wanted(entry: Entry) -> Iterator[tuple[str, bytes]]:
    """The attributes a layer may set: not what steers overlayfs, nor labels of the host's security modules."""
    for name, value in entry.xattrs.items():
        if name.startswith(XATTRS) and not name.startswith("user.overlay."):
            yield name, value


def set_xattr(fd: int, name: str, value: bytes) -> None:
    """Raises OSError where the file system cannot keep a capability; other attributes it lacks are only reported."""
    try:
        os.setxattr(fd, name, value)
    except OSError as error:
        if error.errno in (errno.E2BIG, errno.ERANGE, errno.ENOSPC) and len(value) > 1024:
            raise InvalidParameter(f"extended attribute {name!r} of {len(value)} bytes is too large") from error
        if error.errno != errno.ENOTSUP or name == "security.capability":
            raise
        log.warning("the file system keeps no extended attribute %s", name)
