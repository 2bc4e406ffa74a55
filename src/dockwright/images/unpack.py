"""Unpacking a layer tar into a directory; hostile tars are refused and nothing is written outside.

Every name is resolved below a descriptor of the directory with openat2(2); links are stored, never followed when something
is written; what an entry replaces is unlinked first. Facts: docs/rooms/images.md, "Layer tars".
"""

import errno
import logging
import os
import stat
from collections import OrderedDict
from typing import Protocol

from dockwright.base.errors import InvalidParameter
from dockwright.images.inflate import Source
from dockwright.images.recipe import Recorder
from dockwright.images.room import Room
from dockwright.images.trash import remove_tree
from dockwright.kernel.mount import O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from dockwright.tar.entries import LARGEST_ID, clamped, clean, set_xattr, wanted
from dockwright.tar.reader import BLOCKDEV, CHARACTER, DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, Entry, TarReader

log = logging.getLogger("dockwright.images")
WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"
KEPT_OPEN = 64  # parent directories
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NODES = {CHARACTER: stat.S_IFCHR, BLOCKDEV: stat.S_IFBLK, FIFO: stat.S_IFIFO}
_ITS_FAULT = (
    errno.ENAMETOOLONG, errno.ELOOP, errno.ENOENT, errno.ENOTDIR, errno.EINVAL, errno.EMLINK, errno.EFBIG,
)  # fmt: skip


class Whiteouts(Protocol):
    """How a storage driver marks what a layer takes away from those below it."""

    def added(self, path: str) -> bool:
        """The layer itself has `path`: no whiteout of the same layer may take it. Whether what is there is the layer's own."""

    def hide(self, parent: int, folder: str, name: str) -> None:
        """Lower layers' `folder/name` is gone."""

    def opaque(self, parent: int, folder: str) -> None:
        """Nothing of lower layers' `folder` is seen."""

    def uncover(self, parent: int, name: str) -> bool:
        """The layer itself makes a directory `name`: a mark by which it hides what lower layers have there goes. Whether there
        was one: then the directory has to be opaque."""


class Unpacker:
    """One layer on its way to disk.

    Args:
        directory: where to; empty, or a copy of the parent for drivers without layers.
        aside: a directory on the same file system where replaced directories are emptied.
        whiteouts: of the storage driver. recorder: takes down what is needed to make the tar again.
    """

    def __init__(self, directory: str, aside: str, whiteouts: Whiteouts, recorder: Recorder | None = None) -> None:
        self._recorder = recorder
        self._root = os.open(directory, _DIRECTORY)
        self._aside = os.open(aside, _DIRECTORY)
        self._whiteouts = whiteouts
        self._room = Room(self._root)
        self._umask = _umask()
        self._parents: OrderedDict[str, int] = OrderedDict()
        self._times: list[tuple[str, int]] = []
        self._own = True  # what stands where the current entry goes was made of this tar
        self.size = 0

    def __enter__(self) -> "Unpacker":
        return self

    def __exit__(self, *_: object) -> None:
        self._forget_parents()
        os.close(self._root)
        os.close(self._aside)

    def all(self, source: Source) -> int:
        """Unpack the tar that `source` holds, to the end of the stream; returns the bytes of all files, each inode once.

        Raises:
            InvalidParameter: the tar is broken or hostile. OSError: from the file system.
        """
        tar = TarReader(source, self._recorder.raw if self._recorder else None)
        for entry in tar:
            try:
                self._entry(tar, entry)
            except OSError as error:
                raise _explained(error, entry) from error
        for name, mtime in reversed(self._times):
            self._set_time(name, mtime)
        return self.size

    def _set_time(self, name: str, mtime: int) -> None:
        try:
            fd = self._open(name, _DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            return  # the same tar replaced it later on
        os.utime(fd, ns=(mtime, mtime))
        os.close(fd)

    def _open(self, path: str, flags: int) -> int:
        return openat2(self._root, path or ".", flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)

    def _entry(self, tar: TarReader, entry: Entry) -> None:
        name = clean(entry.name)
        if not (0 <= entry.uid <= LARGEST_ID and 0 <= entry.gid <= LARGEST_ID):
            raise InvalidParameter(f"invalid owner of {entry.name!r}: {entry.uid}:{entry.gid}")
        if not name:
            return self._top(entry)
        folder, _, base = name.rpartition("/")
        parent = self._parent(folder)
        if base.startswith(WHITEOUT):
            self._whiteouts.added(folder)  # a layer has the directories of its whiteouts
            return self._whiteout(parent, folder, base)
        self._own = self._whiteouts.added(name)
        if entry.kind == FILE:
            return self._file(tar, entry, parent, base)
        if entry.kind == HARDLINK:
            return self._hard_link(entry, parent, base)
        if entry.kind == DIRECTORY:
            self._directory(parent, name, base)
            self._times.append((name, clamped(entry.mtime)))
        elif entry.kind == SYMLINK:
            self._clear(parent, base)
            os.symlink(entry.link, base, dir_fd=parent)
            self.size += len(os.fsencode(entry.link))
        else:
            self._clear(parent, base)
            device = os.makedev(entry.major, entry.minor)
            os.mknod(base, _NODES[entry.kind] | 0o600, device, dir_fd=parent)
        return self._owner(entry, parent, base)

    def _top(self, entry: Entry) -> None:
        """The entry of the root itself."""
        if entry.kind != DIRECTORY:
            raise InvalidParameter(f"invalid entry name {entry.name!r}: the root is a directory")
        self._owner(entry, self._root, ".")
        self._times.append(("", clamped(entry.mtime)))

    # parents, which most entries share with the one before

    def _parent(self, folder: str) -> int:
        """A descriptor of directory `folder`, made with its parents where it is missing; it stays ours."""
        fd = self._parents.get(folder)
        if fd is not None:
            self._parents.move_to_end(folder)
            return fd
        try:
            fd = self._open(folder, _DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            fd = self._made(folder)
        self._parents[folder] = fd
        if len(self._parents) > KEPT_OPEN:
            os.close(self._parents.popitem(last=False)[1])
        return fd

    def _made(self, folder: str) -> int:
        """Make what is missing of `folder`, from the top."""
        at = 0
        while at >= 0:
            at = folder.find("/", at + 1)
            path = folder[:at] if at > 0 else folder
            above, _, base = path.rpartition("/")
            parent = self._open(above, _DIRECTORY)
            try:
                self._shown(parent, path, base)
                os.chmod(base, 0o755, dir_fd=parent)
            except FileExistsError:
                pass  # a directory, or a link that the next look-up judges
            finally:
                os.close(parent)
        self._whiteouts.added(folder)
        return self._open(folder, _DIRECTORY)

    def _shown(self, parent: int, path: str, base: str) -> None:
        """Make a directory. Where the same layer has hidden what lower ones have there, it does not show through again."""
        covered = self._whiteouts.uncover(parent, base)
        os.mkdir(base, 0o755, dir_fd=parent)
        if covered:
            fd = os.open(base, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
            try:
                self._whiteouts.opaque(fd, path)
            finally:
                os.close(fd)

    def _forget_parents(self) -> None:
        while self._parents:
            os.close(self._parents.popitem()[1])

    def _clear(self, parent: int, base: str) -> None:
        """Make room for `base`: whatever is there goes, a directory with all it holds."""
        try:
            there = os.stat(base, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return
        if self._recorder and self._own:
            self._recorder.whole = False
        if self._own and there.st_nlink == 1 and not stat.S_ISDIR(there.st_mode):
            self.size -= there.st_size
        if stat.S_ISDIR(there.st_mode) or stat.S_ISLNK(there.st_mode):
            names = [name for name in self._parents if self._parents[name] != parent]
            for name in names:  # some may have led through it
                os.close(self._parents.pop(name))
        remove_tree(parent, base, self._aside)

    # kinds of entries

    def _whiteout(self, parent: int, folder: str, base: str) -> None:
        if base == OPAQUE:
            return self._whiteouts.opaque(parent, folder)
        hidden = base[len(WHITEOUT) :]
        if hidden in ("", ".", ".."):
            raise InvalidParameter(f"invalid whiteout name {base!r}")
        if hidden.startswith(WHITEOUT):
            return None  # aufs' own bookkeeping
        return self._whiteouts.hide(parent, folder, hidden)

    def _directory(self, parent: int, path: str, base: str) -> None:
        try:
            return self._shown(parent, path, base)
        except FileExistsError:
            pass
        if not stat.S_ISDIR(os.stat(base, dir_fd=parent, follow_symlinks=False).st_mode):
            self._clear(parent, base)
            os.mkdir(base, 0o755, dir_fd=parent)
        return None

    def _hard_link(self, entry: Entry, parent: int, base: str) -> None:
        folder, _, target = clean(entry.link).rpartition("/")
        try:
            source = self._open(folder, O_PATH | os.O_DIRECTORY)
            try:
                self._clear(parent, base)
                os.link(target, base, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
            finally:
                os.close(source)
        except (FileNotFoundError, NotADirectoryError, PermissionError, FileExistsError) as error:
            text = f"invalid hardlink {entry.name!r} -> {entry.link!r}: {(error.strerror or '').lower()}"
            raise InvalidParameter(text) from error

    def _file(self, tar: TarReader, entry: Entry, parent: int, base: str) -> None:
        plain = not entry.mode & (0o7000 | self._umask) and not entry.uid and not entry.gid
        mode = entry.mode if plain else 0o600
        try:
            fd = os.open(base, _NEW, mode, dir_fd=parent)
        except FileExistsError:
            self._clear(parent, base)
            fd = os.open(base, _NEW, mode, dir_fd=parent)
        try:
            if entry.pieces is None:
                if self._recorder and entry.size:
                    self._recorder.file(clean(entry.name), entry.size)
                self._whole(tar, fd)
            else:
                self._sparse(tar, entry, fd)
            if not plain:
                os.fchown(fd, entry.uid, entry.gid)  # before the mode: it clears setuid
                os.fchmod(fd, entry.mode)
            for name, value in wanted(entry):
                set_xattr(fd, name, value)
            mtime = clamped(entry.mtime)
            os.utime(fd, ns=(mtime, mtime))
        finally:
            os.close(fd)
        self.size += entry.real_size

    def _whole(self, tar: TarReader, fd: int) -> None:
        for view in tar.data():
            self._room.take(len(view))
            while len(view):
                view = view[os.write(fd, view) :]

    def _sparse(self, tar: TarReader, entry: Entry, fd: int) -> None:
        os.ftruncate(fd, entry.real_size)
        pieces = iter(entry.pieces or ())
        at, left = next(pieces, (0, 0))
        for view in tar.data():
            self._room.take(len(view))
            if self._recorder:
                self._recorder.raw(view)
            while len(view):
                while not left:
                    at, left = next(pieces)
                done = os.pwrite(fd, view[:left], at)
                at, left, view = at + done, left - done, view[done:]

    def _owner(self, entry: Entry, parent: int, base: str) -> None:
        """Owner, mode, attributes and time of anything but a file; directories get their time at the end."""
        if entry.uid or entry.gid or base == ".":
            os.chown(base, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
        if entry.kind != SYMLINK:
            os.chmod(base, entry.mode, dir_fd=parent)  # never a link: we have just made it, or found a directory
        attributes = list(wanted(entry))
        if attributes and entry.kind == DIRECTORY:
            fd = os.open(base, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
            try:
                for name, value in attributes:
                    set_xattr(fd, name, value)
            finally:
                os.close(fd)
        if entry.kind != DIRECTORY:
            mtime = clamped(entry.mtime)
            os.utime(base, ns=(mtime, mtime), dir_fd=parent, follow_symlinks=False)


def cover(whiteouts: Whiteouts, parent: int, folder: str, name: str) -> None:
    """Lower layers' `folder/name` is gone, and the layer has one of its own: if that is a directory, nothing shows through."""
    if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        fd = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        try:
            whiteouts.opaque(fd, f"{folder}/{name}" if folder else name)
        finally:
            os.close(fd)


def _umask() -> int:
    """The process's umask, read without changing it (proc_pid_status(5))."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        return next((int(line.split()[1], 8) for line in status if line.startswith("Umask:")), 0o777)


def _explained(error: OSError, entry: Entry) -> Exception:
    """What the kernel said about an entry: a name it cannot take is the tar's fault, anything else the host's."""
    if error.errno in _ITS_FAULT:
        return InvalidParameter(f"{entry.name!r}: {(error.strerror or '').lower()}")
    return OSError(error.errno, error.strerror, f"write /{clean(entry.name)}")
