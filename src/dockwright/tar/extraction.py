"""Unpacking a tar into a tree that is in use, as `docker cp` does it on both sides.

Every name is looked up inside the root anew, by openat2(2) RESOLVE_IN_ROOT; files are made with O_EXCL on a descriptor of their
directory. So what moves things about in it meanwhile can only spoil its own files.
"""

import errno
import os
import shutil
import stat
from collections import OrderedDict
from collections.abc import Callable

from dockwright.base.errors import Internal, InvalidParameter
from dockwright.kernel.mount import O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from dockwright.tar.entries import LARGEST_ID, clamped, clean, set_xattr, wanted
from dockwright.tar.reader import (
    BLOCKDEV,
    CHARACTER,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    SYMLINK,
    Entry,
    Source,
    TarReader,
)
from dockwright.tar.writer import ZEROS

KEPT_OPEN = 64  # parent directories
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NODES = {CHARACTER: stat.S_IFCHR, BLOCKDEV: stat.S_IFBLK, FIFO: stat.S_IFIFO}
_HOLE = 4096  # bytes: the least that is worth a hole
Owners = Callable[[int, int], tuple[int, int]]


class Extraction:
    """One tar on its way into a tree.

    Args:
        root: descriptor of a directory that nothing leads out of. folder: where to, an absolute path in it that is a directory.
        keep_kinds: a directory must not become something else, nor something else a directory.
        owners: the owner of a file for the one the tar says; None: owners are left as they come.
        rename: the name an entry gets for the one the tar says. whole: what the tar says of its own root holds for the folder.
    """

    def __init__(
        self, root: int, folder: str, keep_kinds: bool, owners: Owners | None, rename: Callable[[str], str] = str,
        whole: bool = False,
    ) -> None:  # fmt: skip
        self._rename, self._whole = rename, whole
        self._root, self._folder = root, folder.rstrip("/")
        self._keep_kinds, self._owners = keep_kinds, owners
        self._parents: OrderedDict[str, int] = OrderedDict()
        self._times: list[tuple[str, int]] = []

    def all(self, source: Source) -> None:
        """Unpack the tar to its end. What was made before an error stays, as with Docker.

        Raises:
            EngineError: in Docker's words.
        """
        tar = TarReader(source)
        try:
            for entry in tar:
                self._guarded(tar, entry)
            for name, mtime in reversed(self._times):
                self._set_time(name, mtime)
        finally:
            self._forget()

    def _guarded(self, tar: TarReader, entry: Entry) -> None:
        name = clean(self._rename(entry.name))
        try:
            if name:
                self._entry(tar, entry, name)
            elif self._whole and entry.kind == DIRECTORY:
                self._dress(entry, self._parent(""), ".", "")
        except OSError as error:
            if error.errno == errno.EROFS:
                raise InvalidParameter("mounted volume is marked read-only") from error
            raise Internal(f"write {self._folder}/{name}: {(error.strerror or '').lower()}") from error

    def _entry(self, tar: TarReader, entry: Entry, name: str) -> None:
        if not (0 <= entry.uid <= LARGEST_ID and 0 <= entry.gid <= LARGEST_ID):
            raise InvalidParameter(f"invalid owner of {entry.name!r}: {entry.uid}:{entry.gid}")
        above, _, base = name.rpartition("/")
        parent = self._parent(above)
        there = _lstat(parent, base)
        self._check_kind(entry, there, name)
        if there and not (stat.S_ISDIR(there.st_mode) and entry.kind == DIRECTORY):
            there = self._removed(parent, base, there)
        if entry.kind == FILE:
            self._file(tar, entry, parent, base, there)
            return
        if entry.kind == HARDLINK:
            self._hard_link(entry, parent, base)
            return
        if entry.kind == SYMLINK:
            os.symlink(entry.link, base, dir_fd=parent)
        elif entry.kind != DIRECTORY:
            os.mknod(base, _NODES[entry.kind] | 0o600, os.makedev(entry.major, entry.minor), dir_fd=parent)
        elif not there:
            os.mkdir(base, 0o755, dir_fd=parent)
        self._dress(entry, parent, base, name)

    def _check_kind(self, entry: Entry, there: os.stat_result | None, name: str) -> None:
        if not self._keep_kinds or there is None:
            return
        path, folder = f"{self._folder}/{name}", self._folder or "/"
        if stat.S_ISDIR(there.st_mode) and entry.kind != DIRECTORY:
            raise InvalidParameter(f'cannot overwrite directory "{path}" with non-directory "{folder}"')
        if not stat.S_ISDIR(there.st_mode) and entry.kind == DIRECTORY:
            raise InvalidParameter(f'cannot overwrite non-directory "{path}" with directory "{folder}"')

    def _removed(self, parent: int, base: str, there: os.stat_result) -> os.stat_result | None:
        """Make room; a file on which something is mounted stays, and is returned: it is written to in place."""
        if stat.S_ISDIR(there.st_mode) or stat.S_ISLNK(there.st_mode):
            self._forget(kept=parent)  # some of the others may have been reached by it
        try:
            if stat.S_ISDIR(there.st_mode):
                shutil.rmtree(base, dir_fd=parent)
            else:
                os.unlink(base, dir_fd=parent)
        except FileNotFoundError:
            return None  # somebody else was faster
        except OSError as error:
            if error.errno != errno.EBUSY or not stat.S_ISREG(there.st_mode):
                raise
            return there
        return None

    # parents, which most entries share with the one before

    def _parent(self, folder: str) -> int:
        """A descriptor of a directory below the destination, made with its parents where it is missing; it stays ours."""
        fd = self._parents.pop(folder, -1)
        if fd < 0:
            fd = self._found(folder)
        self._parents[folder] = fd
        if len(self._parents) > KEPT_OPEN:
            os.close(self._parents.popitem(last=False)[1])
        return fd

    def _found(self, folder: str) -> int:
        try:
            return self._open(folder, _DIRECTORY)
        except FileNotFoundError:
            above, _, base = folder.rpartition("/")
        parent = self._found(above)
        try:
            os.mkdir(base, 0o755, dir_fd=parent)
        except FileExistsError:
            pass  # a link that leads nowhere, which the look-up refuses, or somebody else made it
        finally:
            os.close(parent)
        return self._open(folder, _DIRECTORY)

    def _open(self, path: str, flags: int) -> int:
        whole = f"{self._folder}/{path}".lstrip("/") or "."
        return openat2(self._root, whole, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)

    def _forget(self, kept: int = -1) -> None:
        """Close the directories we hold, but for one."""
        for folder in [folder for folder, fd in self._parents.items() if fd != kept]:
            os.close(self._parents.pop(folder))

    # kinds of entries

    def _hard_link(self, entry: Entry, parent: int, base: str) -> None:
        above, _, target = clean(self._rename(entry.link)).rpartition("/")
        source = self._open(above, O_PATH | os.O_DIRECTORY)
        try:
            os.link(target, base, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(source)

    def _file(self, tar: TarReader, entry: Entry, parent: int, base: str, there: os.stat_result | None) -> None:
        flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_TRUNC if there else _NEW
        fd = os.open(base, flags, 0o600, dir_fd=parent)
        try:
            _write(tar, entry, fd)
            if self._owners:
                os.fchown(fd, *self._owners(entry.uid, entry.gid))  # before the mode: it clears setuid
            os.fchmod(fd, entry.mode)
            for name, value in wanted(entry):
                set_xattr(fd, name, value)
            os.utime(fd, ns=(clamped(entry.mtime), clamped(entry.mtime)))
        finally:
            os.close(fd)

    def _dress(self, entry: Entry, parent: int, base: str, name: str) -> None:
        """Owner, mode, attributes and time of anything but a file; directories get their time at the end."""
        fd = os.open(base, O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            path = f"/proc/self/fd/{fd}"  # what the descriptor is of, be it a link itself
            if self._owners:
                os.chown(path, *self._owners(entry.uid, entry.gid))
            if entry.kind == SYMLINK:
                mtime = clamped(entry.mtime)
                os.utime(base, ns=(mtime, mtime), dir_fd=parent, follow_symlinks=False)
                return
            os.chmod(path, entry.mode)
            for key, value in wanted(entry):
                os.setxattr(path, key, value)
            if entry.kind == DIRECTORY:
                self._times.append((name, clamped(entry.mtime)))
            else:
                os.utime(path, ns=(clamped(entry.mtime), clamped(entry.mtime)))
        finally:
            os.close(fd)

    def _set_time(self, name: str, mtime: int) -> None:
        try:
            fd = self._open(name, _DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            return  # the same tar, or the container, replaced it later on
        os.utime(fd, ns=(mtime, mtime))
        os.close(fd)


def _lstat(parent: int, base: str) -> os.stat_result | None:
    try:
        return os.stat(base, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _write(tar: TarReader, entry: Entry, fd: int) -> None:
    """The data; runs of zeros become holes."""
    pieces = iter(entry.pieces if entry.pieces is not None else [(0, entry.real_size)])
    at, left = next(pieces, (0, 0))
    for view in tar.data():
        while len(view):
            while not left:
                at, left = next(pieces)
            piece = view[: min(left, len(ZEROS))]
            if len(piece) < _HOLE or not ZEROS.startswith(piece):
                piece = piece[: os.pwrite(fd, piece, at)]
            at, left, view = at + len(piece), left - len(piece), view[len(piece) :]
    if os.fstat(fd).st_size < entry.real_size:
        os.ftruncate(fd, entry.real_size)
