"""Percent-encoding of paths and queries, without urllib (which imports re).  Source: RFC 3986."""

from __future__ import annotations

from dockwright.client.documents import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def quote(text: str, safe: bytes = b"/:@") -> str:
    """`text` with everything percent-encoded but unreserved characters and `safe`."""
    raw = text.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in _PLAIN or byte in safe else f"%{byte:02X}" for byte in raw)


def encode(query: Mapping[str, object]) -> str:
    """A query string: True is 1; False, None and "" are left out; dicts become JSON; lists repeat their key."""
    return "&".join(f"{quote(key, b'')}={quote(value, b'')}" for key, value in _pairs(query))


def _pairs(query: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for key, value in sorted(query.items()):  # as Go sorts them
        if value is None or value is False or value == "":
            continue
        if isinstance(value, list | tuple):
            yield from ((key, str(item)) for item in value)
        elif isinstance(value, dict):
            yield key, dumps(value).decode()
        else:
            yield key, "1" if value is True else str(value)
