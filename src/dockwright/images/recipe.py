"""A layer's tar without its files' bytes: what is kept when its blob is not, so that the very tar can be made again.

A recipe is a gzip stream of two kinds of records: `R` length bytes (headers, padding, whatever is not a file's data) and `F`
length path size (the data of a file of the unpacked layer). Numbers are unsigned, 4 bytes but for the size's 8, big-endian.
"""

import gzip
import os
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO

from dockwright.base.errors import Internal
from dockwright.kernel.mount import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from dockwright.tar.reader import CHUNK

RAW, FILE = b"R", b"F"
_LENGTH, _SIZE = struct.Struct(">I"), struct.Struct(">Q")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Recorder:
    """Writes the recipe of a tar that is being unpacked; it is there when the context is left without an error.

    Attributes:
        whole: whether the unpacked files will give back all data; not so where one is replaced by a later entry.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: BinaryIO = gzip.GzipFile(path, "wb", compresslevel=1, mtime=0)  # type: ignore[assignment]
        self._pending: list[bytes] = []
        self._size = 0
        self.whole = True

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._flush()
        finally:
            self._file.close()
            if kind or not self.whole:
                os.unlink(self._path)

    def raw(self, data: bytes | memoryview) -> None:
        """Bytes of the tar that are in no file."""
        self._pending.append(bytes(data))
        self._size += len(data)
        if self._size > CHUNK:
            self._flush()

    def file(self, path: str, size: int) -> None:
        """The next `size` bytes of the tar are those of the file at `path` of the layer."""
        self._flush()
        name = os.fsencode(path)
        self._file.write(FILE + _LENGTH.pack(len(name)) + name + _SIZE.pack(size))

    def _flush(self) -> None:
        if self._size:
            data = b"".join(self._pending)
            self._file.write(RAW + _LENGTH.pack(len(data)) + data)
            self._pending, self._size = [], 0


def rebuilt(path: str, directory: str) -> Iterator[bytes]:
    """The tar that the recipe at `path` and the unpacked layer at `directory` make up.

    Raises:
        Internal: a file is gone, or has another size. (Other bytes are found by the digest.)
    """
    root = os.open(directory, _DIRECTORY)
    try:
        with gzip.open(path, "rb") as recipe:
            while kind := recipe.read(1):
                (length,) = _LENGTH.unpack(recipe.read(4))
                if kind == RAW:
                    yield recipe.read(length)
                    continue
                name = recipe.read(length)
                yield from _data(root, name, *_SIZE.unpack(recipe.read(8)))
    finally:
        os.close(root)


def _data(root: int, name: bytes, size: int) -> Iterator[bytes]:
    try:
        fd = openat2(root, os.fsdecode(name), os.O_RDONLY | os.O_CLOEXEC, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    except OSError as error:
        raise Internal(f"a layer cannot be made again: {os.fsdecode(name)}: {(error.strerror or '').lower()}") from error
    with open(fd, "rb", buffering=0) as file:
        if os.fstat(fd).st_size != size:
            raise Internal(f"a layer cannot be made again: {os.fsdecode(name)} has another size")
        while data := file.read(CHUNK):
            yield data
