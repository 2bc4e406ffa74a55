"""The host's servers: what its resolv.conf says now (resolv.conf(5)), not what it said when a container was started."""

from __future__ import annotations

import os
import time

MOST = 3  # servers asked, MAXNS of resolv.conf(5)
LOOK_EVERY = 1.0  # seconds between looks at the file


class HostServers:
    """The servers named in a resolv.conf, read again when the file has changed.

    They are asked from the host's network namespace, so 127.0.0.53 (systemd-resolved, with all it knows of VPNs) works.
    """

    def __init__(self, path: str = "/etc/resolv.conf") -> None:
        self._path = path
        self._looked = -LOOK_EVERY
        self._seen: tuple[int, int, int] | None = None
        self._servers: list[str] = []

    def current(self) -> list[str]:
        """Their addresses, at most three."""
        now = time.monotonic()
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            self._look()
        return self._servers

    def _look(self) -> None:
        try:
            status = os.stat(self._path)
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen != self._seen:
                with open(self._path, "rb") as file:
                    self._servers = servers_of(file.read())
                self._seen = seen
        except OSError:  # gone for a moment: what was known is asked
            self._seen = None


def servers_of(text: bytes) -> list[str]:
    """The first three nameserver lines."""
    words = [line.split() for line in text.splitlines()]
    found = [line[1].decode("ascii", "replace") for line in words if len(line) > 1 and line[0] == b"nameserver"]
    return found[:MOST]
