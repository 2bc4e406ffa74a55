"""Reading what `docker save` and its kin write: a tar with manifest.json, configs and layers of any compression."""

import bz2
import json
import lzma
import os
import tarfile
from collections.abc import Callable
from typing import IO, Any, cast

from backports import zstd
from isal import igzip

from dockwright.base.errors import InvalidParameter

LARGEST_DOCUMENT = 8 << 20  # bytes of a manifest or config
_MAGIC: tuple[tuple[bytes, Callable[[IO[bytes]], Any]], ...] = (
    (b"\x1f\x8b", lambda f: igzip.open(f, "rb")),  # type: ignore[no-untyped-call]
    (b"\x28\xb5\x2f\xfd", lambda f: zstd.open(f, "rb")),
    (b"\xfd7zXZ\x00", lambda f: lzma.open(f, "rb")),
    (b"BZh", lambda f: bz2.open(f, "rb")),
)


def decompressed(file: IO[bytes]) -> IO[bytes]:
    """`file` (seekable), inflated if its first bytes say that it is compressed."""
    start = file.tell()
    head = file.read(6)
    file.seek(start)
    for magic, opener in _MAGIC:
        if head.startswith(magic):
            return cast(IO[bytes], opener(file))
    return file


class Archive:
    """An image archive spooled to a file.

    Raises:
        InvalidParameter: it is no tar, or has no manifest.json.
    """

    def __init__(self, path: str) -> None:
        self._file = open(path, "rb")
        try:
            self._tar = tarfile.open(fileobj=decompressed(self._file), mode="r:")
            self.members = {os.path.normpath(m.name): m for m in self._tar}
        except (tarfile.TarError, EOFError, OSError, lzma.LZMAError, zstd.ZstdError, ValueError) as error:
            self._file.close()
            raise InvalidParameter(f"Error processing tar file: {error}") from error

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._tar.close()
        self._file.close()

    def manifest(self) -> list[dict[str, Any]]:
        """manifest.json: Config, RepoTags, Layers of each image."""
        if "manifest.json" not in self.members:
            raise InvalidParameter("invalid archive: does not contain a manifest.json")
        found = self.document("manifest.json")
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            raise InvalidParameter("invalid manifest.json")
        return found

    def document(self, name: str) -> Any:
        """A JSON member."""
        try:
            return json.loads(self.read(name))
        except (ValueError, RecursionError) as error:
            raise InvalidParameter(f"{name}: {error}") from error

    def read(self, name: str) -> bytes:
        """A small member's bytes."""
        member = self._member(name)
        if member.size > LARGEST_DOCUMENT:
            raise InvalidParameter(f"{name} is too large: {member.size} bytes")
        file = self._tar.extractfile(member)
        return file.read() if file else b""

    def layer(self, name: str) -> IO[bytes]:
        """A layer, inflated."""
        file = self._tar.extractfile(self._member(name))
        if file is None:
            raise InvalidParameter(f"{name} is not a file")
        return decompressed(file)

    def _member(self, name: str) -> tarfile.TarInfo:
        """A member by name; old archives link equal layers to each other."""
        for _ in range(16):
            member = self.members.get(os.path.normpath(name))
            if member is None:
                raise InvalidParameter(f"open {name}: no such file or directory")
            if not member.issym():
                return member
            name = os.path.join(os.path.dirname(name), member.linkname)
        raise InvalidParameter(f"{name}: too many links")
