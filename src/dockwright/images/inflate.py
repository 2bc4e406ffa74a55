"""Streams of any compression, inflated as they are read, in constant memory.

The compression is told by the first bytes, never by a name or media type. A stream may have several members (pigz, estargz,
zstd:chunked); zeros after the last one are padding, anything else is an error, as gzip(1) has it.
"""

import sys
from collections.abc import Callable
from typing import Any

from dockwright.base.errors import InvalidParameter
from dockwright.tar.reader import CHUNK, Source

__all__ = ["CHUNK", "Inflater", "Prefixed", "Source", "compression", "opened"]
LARGEST_WINDOW = 256 << 20  # bytes an xz stream may make us hold; zstd's own limit is 128 MiB
_PACKED = 1 << 16  # compressed bytes taken at a time
GZIP, ZSTD, XZ, BZIP2 = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00", b"BZh"
SKIPPABLE = b"*M\x18"  # zstd frames that carry no data, after their first byte 0x50..0x5f


def _gzip() -> Any:
    from isal import igzip_lib

    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    return zstd.ZstdDecompressor()


def _xz() -> Any:
    import lzma

    return lzma.LZMADecompressor(memlimit=LARGEST_WINDOW)


def _bzip2() -> Any:
    import bz2

    return bz2.BZ2Decompressor()


_MAKERS = ((GZIP, _gzip, "gzip"), (ZSTD, _zstd, "zstd"), (XZ, _xz, "xz"), (BZIP2, _bzip2, "bzip2"))
LONGEST_MAGIC = 6


def compression(head: bytes) -> str:
    """The name of the compression that begins with `head`, "" for none."""
    return next((name for magic, _, name in _MAKERS if head.startswith(magic)), "")


def opened(source: Source) -> Source:
    """`source`, inflated if it is compressed."""
    head = b""
    while len(head) < LONGEST_MAGIC and (more := source.read(_PACKED)):
        head += more
    whole = Prefixed(head, source)
    for magic, make, name in _MAKERS:
        if head.startswith(magic):
            return Inflater(whole, make, name)
    return whole


class Prefixed:
    """A source some of whose first bytes were read already."""

    def __init__(self, head: bytes, source: Source) -> None:
        self._head, self._source = head, source

    def read(self, size: int) -> bytes:
        """What was read already, then the rest."""
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        return self._source.read(size)


class Inflater:
    """The inflated bytes of a compressed source.

    Raises:
        InvalidParameter: from `read`, when the stream is broken or cut off.
    """

    def __init__(self, source: Source, make: Callable[[], Any], name: str) -> None:
        self._source, self._make, self._name = source, make, name
        self._decoder = make()
        self._packed = b""
        self._ended = False

    def read(self, size: int) -> bytes:
        """At most `size` inflated bytes."""
        while not self._ended:
            if self._decoder.eof and not self._next_member():
                break
            if not self._packed and self._decoder.needs_input:
                self._packed = self._source.read(_PACKED)
                if not self._packed:
                    raise InvalidParameter("unexpected EOF")
            data = self._inflate(size)
            if data:
                return data
        return b""

    def _inflate(self, size: int) -> bytes:
        packed, self._packed = self._packed, b""
        try:
            return bytes(self._decoder.decompress(packed, size))
        except Exception as error:  # each library has an error class of its own, without a common base
            raise InvalidParameter(f"{self._name}: {error}") from error

    def _next_member(self) -> bool:
        """Begin the member behind the one that has ended; False at the end of all."""
        rest = self._decoder.unused_data
        while len(rest) < LONGEST_MAGIC and (more := self._source.read(_PACKED)):
            rest += more
        if compression(rest) == self._name or rest[1:4] == SKIPPABLE:
            self._decoder, self._packed = self._make(), rest
            return True
        self._ended = True
        while rest:
            if rest.strip(b"\0"):
                raise InvalidParameter(f"{self._name}: trailing garbage")
            rest = self._source.read(_PACKED)
        return False
