"""The json-file log: one JSON object a line, as Docker writes it.

    {"log":"text\\n","stream":"stdout","attrs":{...},"time":"2026-01-02T03:04:05.678901234Z"}

Whole lines of one read are escaped together: a few passes over all of them cost less than one over each. Imported by the
zygote: nothing heavy.
"""

from __future__ import annotations

from dockwright.base.times import rfc3339_fixed

_SPECIAL = bytes(code for code in range(32) if code != 10) + b'"\\<>&'
_ESCAPES = [("\\", "\\\\"), ('"', '\\"'), ("\r", "\\r")]  # the backslash first
_ESCAPES += [(chr(code), f"\\u{code:04x}") for code in _SPECIAL if chr(code) not in '"\\\r']
_SEPARATORS = [("\u2028", "\\u2028"), ("\u2029", "\\u2029")]


def escape(data: bytes) -> str:
    """The content of a JSON string as Docker writes it; what is not UTF-8 becomes U+FFFD."""
    return _escape_all_but_newlines(data).replace("\n", "\\n")


def _escape_all_but_newlines(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    if len(data.translate(None, _SPECIAL)) != len(data):
        for raw, shown in _ESCAPES:
            text = text.replace(raw, shown)
    if not text.isascii():
        for raw, shown in _SEPARATORS:
            text = text.replace(raw, shown)
    return text


class JsonLines:
    """The form of a json-file log.

    Args:
        attrs: added to each line, as JSON text ("" for none).
    """

    def __init__(self, attrs: str = "") -> None:
        self._attrs = f'"attrs":{attrs},' if attrs else ""
        self.overhead = 128 + len(attrs.encode())

    def _tail(self, stream: str, now: int) -> str:
        return f'","stream":"{stream}",{self._attrs}"time":"{rfc3339_fixed(now)}"}}\n'

    def batch(self, stream: str, pieces: list[bytes], now: int) -> bytes:
        """A line for each piece."""
        tail, data = self._tail(stream, now), b"".join(pieces)
        if data.count(b"\n") != len(pieces):  # there are parts of lines among them
            return "".join([f'{{"log":"{escape(piece)}{tail}' for piece in pieces]).encode()
        lines = _escape_all_but_newlines(data[:-1]).replace("\n", f'\\n{tail}{{"log":"')
        return f'{{"log":"{lines}\\n{tail}'.encode()
