"""The json-file log: one JSON object a line, as Docker writes it.

    {"log":"text\\n","stream":"stdout","attrs":{...},"time":"2026-01-02T03:04:05.678901234Z"}

Whole lines of one read are escaped together, as bytes: memchr(3) finds what is there to be escaped, and replacing in bytes
costs a third of replacing in text. Imported by the zygote: nothing heavy.
"""

from __future__ import annotations

from dockwright.base.times import rfc3339_fixed

_SHORT = {ord("\\"): b"\\\\", ord('"'): b'\\"', ord("\r"): b"\\r"}  # the backslash first
_OTHERS = [code for code in range(32) if code not in (10, 13)] + [*b"<>&"]
_ESCAPES = {**_SHORT, **{code: b"\\u%04x" % code for code in _OTHERS}}
_SEPARATORS = (("\u2028".encode(), b"\\u2028"), ("\u2029".encode(), b"\\u2029"))
_OPENING = b'{"log":"'


def escape(data: bytes) -> bytes:
    """The content of a JSON string as Docker writes it; what is not UTF-8 becomes U+FFFD."""
    return _escape_all_but_newlines(data).replace(b"\n", b"\\n")


def _escape_all_but_newlines(data: bytes) -> bytes:
    plain = data.isascii()
    if not plain:
        data = data.decode("utf-8", "replace").encode()
    for code in [code for code in _ESCAPES if code in data]:
        data = data.replace(bytes((code,)), _ESCAPES[code])
    for raw, shown in () if plain else _SEPARATORS:
        data = data.replace(raw, shown)
    return data


class JsonLines:
    """The form of a json-file log.

    Args:
        attrs: added to each line, as JSON text ("" for none).
    """

    def __init__(self, attrs: str = "") -> None:
        self._attrs = f'"attrs":{attrs},' if attrs else ""
        self.overhead = 128 + len(attrs.encode())

    def _tail(self, stream: str, now: int) -> bytes:
        return f'","stream":"{stream}",{self._attrs}"time":"{rfc3339_fixed(now)}"}}\n'.encode()

    def batch(self, stream: str, pieces: list[bytes], now: int) -> bytes:
        """A line for each piece."""
        tail, data = self._tail(stream, now), b"".join(pieces)
        between = b"\\n" + tail + _OPENING
        escaped = _escape_all_but_newlines(data)
        lines = escaped.replace(b"\n", between)
        if len(lines) - len(escaped) != len(pieces) * (len(between) - 1):  # fewer newlines: there are parts of lines among them
            return b"".join([_OPENING + escape(piece) + tail for piece in pieces])
        return _OPENING + lines[: -len(_OPENING)]
