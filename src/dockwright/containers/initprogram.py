"""`--init`: which program of the host becomes a container's first process (DECISIONS 26)."""

import os
import struct

from dockwright.base.errors import Internal

NAMES = ("docker-init", "tini-static", "tini")
PLACES = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/libexec/docker")
_PT_INTERP = 3


def find() -> str:
    """The first static one: it runs in any image.

    Raises:
        Internal: there is none, in Docker's words.
    """
    for name in NAMES:
        for place in PLACES:
            if os.access(f"{place}/{name}", os.X_OK) and is_static(f"{place}/{name}"):
                return f"{place}/{name}"
    raise Internal('exec: "docker-init": executable file not found in $PATH')


def is_static(path: str) -> bool:
    """Whether a 64-bit ELF file names no interpreter (elf(5), PT_INTERP)."""
    with open(path, "rb") as file:
        head = file.read(64)
        if len(head) < 64 or head[:5] != b"\x7fELF\x02":
            return False
        offset, size, count = struct.unpack_from("<Q", head, 32)[0], *struct.unpack_from("<HH", head, 54)
        file.seek(offset)
        table = file.read(size * count)
    return all(struct.unpack_from("<I", table, size * number)[0] != _PT_INTERP for number in range(count))
