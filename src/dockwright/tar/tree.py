"""A directory tree as a tar, read through descriptors: whoever changes the tree meanwhile can lead nowhere else.

No link in it is followed, nothing but regular files is ever opened for reading, names come sorted.
"""

import errno
import os
import stat
from collections.abc import Callable, Generator, Iterator

from dockwright.tar import writer
from dockwright.tar.entries import XATTRS

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NODE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
Owners = Callable[[int, int], tuple[int, int]]
Wanted = Callable[[str], bool]


def same_owner(uid: int, gid: int) -> tuple[int, int]:
    """Owners as they are."""
    return uid, gid


class TreeTar:
    """One tar made of files below descriptors.

    Args:
        owners: which owner an entry gets for a file's.
        enters: whether a directory, by its name in the tar, is one whose entries are wanted, if another file system is
            mounted there.
    """

    def __init__(self, owners: Owners = same_owner, enters: Wanted = lambda name: True) -> None:
        self._owners, self._enters = owners, enters
        self._links: dict[tuple[int, int], str] = {}

    def whole(self, directory: int, shown: str) -> Iterator[bytes]:
        """A directory, called `shown` in the tar, and all below it. What vanishes meanwhile is left out.

        Args:
            directory: a descriptor for reading, which stays the caller's.

        Raises:
            OSError: something cannot be read.
        """
        info, path = os.fstat(directory), f"/proc/self/fd/{directory}"
        prefix = f"{shown.rstrip('/')}/"
        yield writer.header(prefix, info, xattrs=_of(path), owner=self._owners(info.st_uid, info.st_gid))
        yield from self.below(directory, prefix)

    def below(self, directory: int, prefix: str = "") -> Iterator[bytes]:
        """Everything in a directory, depth first, but not itself; `prefix` comes before the names."""
        opened = os.dup(directory)
        levels = [(opened, prefix, os.fstat(opened).st_dev, _names(opened))]
        try:
            while levels:
                fd, path, device, names = levels[-1]
                name = next(names, None)
                if name is None:
                    os.close(levels.pop()[0])
                    continue
                shown = f"{path}{name}"
                found = yield from self._child(fd, name, shown)
                if found and stat.S_ISDIR(found.st_mode) and (found.st_dev == device or self._enters(shown)):
                    inner = _opened(fd, name, DIRECTORY)
                    if inner >= 0:
                        levels.append((inner, f"{shown}/", found.st_dev, _names(inner)))
        finally:
            for fd, *_ in levels:
                os.close(fd)

    def _child(self, parent: int, name: str, shown: str) -> Generator[bytes, None, os.stat_result | None]:
        try:
            info = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return None  # removed meanwhile
        yield from self.one(parent, name, shown, info)
        return info

    def one(self, parent: int, name: str, shown: str, info: os.stat_result) -> Iterator[bytes]:
        """A single entry, with its data; none for a socket."""
        if not writer.storable(info.st_mode):
            return
        if stat.S_ISREG(info.st_mode):
            yield from self._file(parent, name, shown)
            return
        owner = self._owners(info.st_uid, info.st_gid)
        if stat.S_ISDIR(info.st_mode):
            yield writer.header(f"{shown}/", info, xattrs=_attributes(parent, name), owner=owner)
        elif stat.S_ISLNK(info.st_mode):
            yield writer.header(shown, info, os.readlink(name, dir_fd=parent), owner=owner)
        else:
            yield writer.header(shown, info, owner=owner)

    def _file(self, parent: int, name: str, shown: str) -> Iterator[bytes]:
        fd = _opened(parent, name, _NODE)
        if fd < 0:
            return
        try:
            info = os.fstat(fd)
            if not stat.S_ISREG(info.st_mode):
                return  # it was one a moment ago
            owner = self._owners(info.st_uid, info.st_gid)
            first = self._links.setdefault((info.st_dev, info.st_ino), shown) if info.st_nlink > 1 else shown
            if first != shown:
                yield writer.header(shown, info, first, hard=True, owner=owner)
                return
            reader = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC | os.O_NOATIME)
            try:
                yield writer.header(shown, info, xattrs=_of(f"/proc/self/fd/{fd}"), owner=owner)
                yield from writer.data(reader, info.st_size)
            finally:
                os.close(reader)
        finally:
            os.close(fd)


def _names(directory: int) -> Iterator[str]:
    return iter(sorted(os.listdir(directory), key=os.fsencode))


def _opened(parent: int, name: str, flags: int) -> int:
    """A descriptor, -1 if what was there a moment ago is there no longer, or is something else."""
    try:
        return os.open(name, flags, dir_fd=parent)
    except OSError as error:
        if error.errno in _GONE:
            return -1
        raise


def _attributes(parent: int, name: str) -> dict[str, bytes]:
    fd = _opened(parent, name, _NODE)
    if fd < 0:
        return {}
    try:
        return _of(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


def _of(path: str) -> dict[str, bytes]:
    """The extended attributes that go with a file; none where the file system has none."""
    try:
        names = [
            name for name in os.listxattr(path) if name.startswith(XATTRS) and not name.startswith("user.overlay.")
        ]
        return {name: os.getxattr(path, name) for name in names}
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENODATA, errno.EPERM):
            return {}
        raise


def batches(pieces: Iterator[bytes], size: int = 1 << 20) -> Iterator[bytes]:
    """Small pieces joined until they are about `size` bytes."""
    waiting: list[bytes] = []
    total = 0
    for piece in pieces:
        waiting.append(piece)
        total += len(piece)
        if total >= size:
            yield b"".join(waiting)
            waiting, total = [], 0
    yield b"".join(waiting)
