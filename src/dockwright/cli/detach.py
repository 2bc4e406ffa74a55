"""Detach keys: `ctrl-p,ctrl-q` typed in a terminal leaves the container running.  Texts are docker's."""

from __future__ import annotations

DEFAULT = "ctrl-p,ctrl-q"
ESCAPED = "Invalid detach keys ({}) provided"


def parse_keys(text: str) -> bytes:
    """The bytes of keys such as `ctrl-p,ctrl-q` or `x`.

    Raises:
        ValueError: an unknown key.
    """
    return bytes(_key(key) for key in text.split(","))


def _key(key: str) -> int:
    if len(key) == 1 and key.isascii():
        return ord(key)
    name = key.removeprefix("ctrl-")
    if name == key or len(name) != 1:
        raise ValueError(f"Unknown character: '{key}'")
    if "a" <= name <= "z":
        return ord(name) - ord("a") + 1
    if name in "@[\\]^_":
        return {"@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, "_": 31}[name]
    raise ValueError(f"Unknown character: '{key}'")


class Scanner:
    """Watches what is typed; the beginning of the keys is held back until it is clear what it is.

    Args:
        keys: from `parse_keys`.
    """

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._matched = 0

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What is to be sent on, and whether the keys are complete."""
        passed = b""
        for byte in data:
            if byte == self._keys[self._matched]:
                self._matched += 1
                if self._matched == len(self._keys):
                    self._matched = 0
                    return passed, True
                continue
            passed += self._keys[: self._matched]
            self._matched = 0
            if byte == self._keys[0] and len(self._keys) > 1:
                self._matched = 1
            else:
                passed += bytes((byte,))
        return passed, False
