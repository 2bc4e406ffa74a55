"""Unpacking a layer tar into a directory, as overlayfs wants it; hostile tars are refused.

Every name is resolved below a descriptor of the directory with openat2(2); links are stored, never followed; what an
entry replaces is unlinked first. Whiteouts become character devices 0:0, opaque markers an xattr (docs of overlayfs).
"""

import errno
import hashlib
import os
import stat
import tarfile
from typing import IO

from dockwright.base.errors import InvalidParameter
from dockwright.kernel.mount import O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2

WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"
LARGEST_ID = (1 << 32) - 2
CHUNK = 1 << 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Hashed:
    """A stream that hashes what is read from it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._sha = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read and hash."""
        data = self._stream.read(size)
        self._sha.update(data)
        return data

    def finish(self) -> str:
        """Read to the end of the stream, past the archive's own end; returns the digest."""
        while self.read(CHUNK):
            continue
        return f"sha256:{self._sha.hexdigest()}"


def unpack(stream: IO[bytes], directory: str) -> tuple[str, int]:
    """Unpack an uncompressed tar from `stream` into the empty `directory`.

    Returns:
        (diff ID of what was read, bytes of all files).

    Raises:
        InvalidParameter: the tar is broken or hostile. OSError: from the file system.
    """
    hashed = Hashed(stream)
    root = os.open(directory, _DIRECTORY)
    try:
        size = Unpacker(root).all(hashed)
    except (tarfile.TarError, EOFError, UnicodeError, ValueError, OverflowError) as error:
        raise InvalidParameter(f"archive/tar: invalid tar header: {error}") from error
    finally:
        os.close(root)
    return hashed.finish(), size


class Unpacker:
    """One layer on its way to disk."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._times: list[tuple[str, int]] = []
        self._size = 0

    def all(self, stream: Hashed) -> int:
        """Every entry of the tar, then the directories' times."""
        with tarfile.open(fileobj=stream, mode="r|", errorlevel=2) as tar:  # type: ignore[call-overload]
            for entry in tar:
                self._entry(tar, entry)
        for name, mtime in reversed(self._times):
            fd = self._open(name, _DIRECTORY)
            os.utime(fd, ns=(mtime, mtime))
            os.close(fd)
        return self._size

    def _open(self, path: str, flags: int) -> int:
        return openat2(self._root, path or ".", flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)

    def _entry(self, tar: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
        name = clean(entry.name)
        if not name:
            return self._owner(self._root, ".", entry)
        folder, base = os.path.split(name)
        if not 0 <= entry.uid <= LARGEST_ID or not 0 <= entry.gid <= LARGEST_ID:
            raise InvalidParameter(f"invalid owner of {entry.name!r}: {entry.uid}:{entry.gid}")
        parent = self._parent(folder)
        try:
            if base.startswith(WHITEOUT):
                return self._whiteout(parent, base)
            self._make(tar, entry, parent, base)
            self._finish(entry, parent, name, base)
        finally:
            os.close(parent)
        return None

    def _parent(self, folder: str) -> int:
        """The directory `folder`, made with its parents where it is missing."""
        try:
            return self._open(folder, _DIRECTORY)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
        above, base = os.path.split(folder)
        parent = self._parent(above)
        try:
            os.mkdir(base, 0o755, dir_fd=parent)
        finally:
            os.close(parent)
        return self._open(folder, _DIRECTORY)

    def _whiteout(self, parent: int, base: str) -> None:
        if base == OPAQUE:
            return os.setxattr(parent, "trusted.overlay.opaque", b"y")
        hidden = base[len(WHITEOUT) :]
        if hidden in ("", ".", "..") or "/" in hidden:
            raise InvalidParameter(f"invalid whiteout name {base!r}")
        if hidden.startswith(WHITEOUT):
            return None  # aufs' own bookkeeping
        try:
            os.mknod(hidden, stat.S_IFCHR, 0, dir_fd=parent)
        except FileExistsError:
            return None  # the same tar adds it: a whiteout hides only what lower layers have
        return None

    def _make(self, tar: tarfile.TarFile, entry: tarfile.TarInfo, parent: int, base: str) -> None:
        if entry.isdir() and _is_directory(parent, base):
            return None
        _clear(parent, base)
        if entry.isdir():
            return os.mkdir(base, 0o755, dir_fd=parent)
        if entry.issym():
            return os.symlink(entry.linkname, base, dir_fd=parent)
        if entry.islnk():
            return self._hard_link(entry, parent, base)
        if entry.isreg():
            return self._file(tar, entry, parent, base)
        kinds = {tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK, tarfile.FIFOTYPE: stat.S_IFIFO}
        if entry.type not in kinds:
            raise InvalidParameter(f"unhandled tar header type {entry.type!r} of {entry.name!r}")
        number = os.makedev(entry.devmajor, entry.devminor)
        return os.mknod(base, kinds[entry.type] | stat.S_IMODE(entry.mode), number, dir_fd=parent)

    def _hard_link(self, entry: tarfile.TarInfo, parent: int, base: str) -> None:
        folder, target = os.path.split(clean(entry.linkname))
        try:
            source = self._open(folder, O_PATH | os.O_DIRECTORY)
        except OSError as error:
            raise InvalidParameter(
                f"invalid hardlink {entry.name!r} -> {entry.linkname!r}: {error.strerror}"
            ) from error
        try:
            os.link(target, base, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            raise InvalidParameter(
                f"invalid hardlink {entry.name!r} -> {entry.linkname!r}: {error.strerror}"
            ) from error
        finally:
            os.close(source)

    def _file(self, tar: tarfile.TarFile, entry: tarfile.TarInfo, parent: int, base: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(base, flags, 0o600, dir_fd=parent)
        try:
            source = tar.extractfile(entry)
            assert source is not None
            while data := source.read(CHUNK):
                view = memoryview(data)
                while view:
                    view = view[os.write(fd, view) :]
        finally:
            os.close(fd)
        self._size += entry.size

    def _finish(self, entry: tarfile.TarInfo, parent: int, name: str, base: str) -> None:
        """Owner before mode (chown clears setuid bits), then attributes, then times."""
        if entry.islnk():
            return
        self._owner(parent, base, entry)
        mtime = min(max(int(entry.mtime * 1_000_000_000), 0), (1 << 62))
        if entry.isdir():
            self._times.append((name, mtime))
        else:
            os.utime(base, ns=(mtime, mtime), dir_fd=parent, follow_symlinks=False)

    def _owner(self, parent: int, base: str, entry: tarfile.TarInfo) -> None:
        os.chown(base, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
        if entry.issym():
            return
        os.chmod(base, stat.S_IMODE(entry.mode), dir_fd=parent)
        attributes = [(k[14:], v) for k, v in entry.pax_headers.items() if k.startswith("SCHILY.xattr.")]
        for key, value in attributes:
            if not key.startswith(("trusted.overlay.", "user.overlay.")):
                fd = os.open(base, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
                os.setxattr(fd, key, value.encode("utf-8", "surrogateescape"))
                os.close(fd)


def clean(name: str) -> str:
    """An entry's name as a path below the root: no leading slash, no `..` that leads out."""
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            if not parts:
                raise InvalidParameter(f"invalid entry name {name!r}: it leads out of the layer")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _is_directory(parent: int, base: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(base, dir_fd=parent, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _clear(parent: int, base: str) -> None:
    """Make room for `base`: whatever is there goes, a directory with all it holds."""
    try:
        os.unlink(base, dir_fd=parent)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        fd = os.open(base, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        for child in os.listdir(fd):
            _clear(fd, child)
        os.close(fd)
        os.rmdir(base, dir_fd=parent)
