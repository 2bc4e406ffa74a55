"""Finding a file in the directories of an overlay without mounting it.

The walk sees what overlayfs would show: a whiteout or a file ends the look below it, an opaque directory too, and links are
followed in the merged tree, never in a single layer. Everything is opened relative to a descriptor and no link is ever
followed by the kernel, so a container that changes its upper directory meanwhile can lead nowhere else.
"""

import os
import stat
from collections.abc import Generator

from dockwright.images.differ import NODES, Marks
from dockwright.kernel.mount import O_PATH

MOST_LINKS = 40  # path_resolution(7)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NODE = O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def read_file(directories: list[str], path: str, limit: int, marks: Marks = NODES) -> bytes:
    """At most `limit` bytes of the regular file at `path`; b"" where there is none.

    Args:
        directories: of the overlay, top first. marks: how they say what is gone.
    """
    fd = _find(directories, path, marks)
    if fd < 0:
        return b""
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return b""
        reader = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)  # O_PATH cannot be read itself
    finally:
        os.close(fd)
    with open(reader, "rb", buffering=0) as file:
        return _at_most(file.fileno(), limit)


def kind(directories: list[str], path: str, marks: Marks = NODES) -> int:
    """The file type (S_IFMT) of what `path` leads to, 0 if nothing does."""
    fd = _find(directories, path, marks)
    if fd < 0:
        return 0
    try:
        return stat.S_IFMT(os.fstat(fd).st_mode)
    finally:
        os.close(fd)


def _at_most(fd: int, limit: int) -> bytes:
    pieces = []
    while limit and (piece := os.read(fd, limit)):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)


def _find(directories: list[str], path: str, marks: Marks) -> int:
    """An O_PATH descriptor of what `path` leads to, -1 if nothing does."""
    rest = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    at: list[str] = []
    links = 0
    while rest:
        part = rest.pop()
        if part == "..":
            at = at[:-1]
            continue
        fd = _top(directories, at, part, marks)
        if fd < 0:
            return -1
        kind = os.fstat(fd).st_mode
        if stat.S_ISLNK(kind):
            target = os.readlink(b"", dir_fd=fd).decode("utf-8", "surrogateescape")
            os.close(fd)
            links += 1
            if links > MOST_LINKS:
                return -1
            at = [] if target.startswith("/") else at
            rest += [step for step in reversed(target.split("/")) if step not in ("", ".")]
        elif not rest:
            return fd
        else:
            os.close(fd)
            at = [*at, part]
    return -1


def _top(directories: list[str], at: list[str], name: str, marks: Marks) -> int:
    """An O_PATH descriptor of `name` in the merged directory `at`, -1 if it is not there."""
    stack = _merged(directories, at, marks)
    for directory in stack:
        try:
            if marks.hides(directory, name):
                break
            fd = os.open(name, _NODE, dir_fd=directory)
        except (FileNotFoundError, NotADirectoryError):
            continue
        finally:
            os.close(directory)
        stack.close()
        if marks.gone(os.fstat(fd)):
            os.close(fd)
            return -1
        return fd
    stack.close()
    return -1


def _merged(directories: list[str], at: list[str], marks: Marks) -> Generator[int, None, None]:
    """Descriptors of the directories that make up `at`, top first; whoever takes one closes it."""
    if not at:
        for path in directories:
            yield os.open(path, _DIRECTORY)
        return
    for above in _merged(directories, at[:-1], marks):
        try:
            if marks.hides(above, at[-1]):
                return
            fd = os.open(at[-1], _NODE, dir_fd=above)
        except FileNotFoundError:
            continue
        finally:
            os.close(above)
        kind = os.fstat(fd)
        if not stat.S_ISDIR(kind.st_mode):
            os.close(fd)
            return
        directory = os.open(".", _DIRECTORY, dir_fd=fd)
        os.close(fd)
        hidden = marks.opaque(directory)
        yield directory
        if hidden:
            return
