"""fluentd's forward protocol: one MessagePack entry [tag, time, record, option] for each line.

Source: Fluentd's Forward Protocol Specification v1; MessagePack specification.
"""

from __future__ import annotations

import base64
import os
import socket
import time
from collections.abc import Mapping

from dockwright.grammar.durations import parse_duration
from dockwright.supervisor.logs.drivers.base import Info, dial
from dockwright.supervisor.logs.drivers.values import boolean, fluentd_place
from dockwright.supervisor.logs.pieces import Parts

LONGEST_WAIT, GROWTH = 60.0, 1.5
FOREVER = 2**31 - 1


class Fluentd:
    """One container's entries.

    Args:
        options: fluentd-*.

    Raises:
        OSError: the server cannot be reached, and fluentd-async does not say that this does not matter yet.
    """

    def __init__(self, options: dict[str, str], info: Info) -> None:
        self._network, self._address = fluentd_place(options.get("fluentd-address", ""))
        self._wait = parse_duration(options.get("fluentd-retry-wait", "1s")) / 1e9
        self._tries = int(options.get("fluentd-max-retries", FOREVER))
        self._acknowledged = boolean(options.get("fluentd-request-ack", "false"))
        self._exact = boolean(options.get("fluentd-sub-second-precision", "false"))
        self._write = parse_duration(options.get("fluentd-write-timeout", "0s")) / 1e9 or None
        self._fresh = parse_duration(options.get("fluentd-async-reconnect-interval", "0s")) / 1e9
        self._tag = info.tag
        self._record = {"container_id": info.id, "container_name": f"/{info.name}", **info.attrs}
        self._parts = {"stdout": Parts(), "stderr": Parts()}
        self._since = 0.0
        later = boolean(options.get("fluentd-async", options.get("fluentd-async-connect", "false")))
        self._sock: socket.socket | None = None if later else self._connect()

    def _connect(self) -> socket.socket:
        sock = self._secure() if self._network == "tls" else dial(self._network, self._address)
        sock.settimeout(self._write)
        self._since = time.monotonic()
        return sock

    def _secure(self) -> socket.socket:
        import ssl

        return dial("tcp", self._address, ssl.create_default_context())

    def log(self, stream: str, pieces: list[bytes], now: int) -> None:
        """One entry for each line, or part of one."""
        for piece in pieces:
            record = {**self._record, "source": stream, "log": piece.removesuffix(b"\n").decode(errors="replace")}
            if part := self._parts[stream].next(piece):
                ident, ordinal, last = part
                record.update(
                    partial_message="true", partial_id=ident, partial_ordinal=str(ordinal), partial_last=str(last).lower()
                )
            self._send(record, now)

    def _send(self, record: Mapping[str, str], now: int) -> None:
        """Send an entry, again and again with growing pauses, until it is taken or the tries are used up."""
        chunk = base64.b64encode(os.urandom(16)).decode() if self._acknowledged else ""
        entry = message(self._tag, now, self._exact, record, chunk)
        wait = self._wait
        for attempt in range(self._tries + 1):
            if attempt:
                time.sleep(wait)
                wait = min(wait * GROWTH, LONGEST_WAIT)
            if self._sent(entry, chunk):
                return

    def _sent(self, entry: bytes, chunk: str) -> bool:
        if self._fresh and time.monotonic() - self._since > self._fresh:
            self.close()  # its name may mean another server by now
        try:
            if self._sock is None:
                self._sock = self._connect()
            self._sock.sendall(entry)
            if chunk and chunk.encode() not in self._sock.recv(1024):
                raise ConnectionError("another entry was acknowledged")
        except OSError:
            self.close()
            return False
        return True

    def close(self) -> None:
        """Let go of the connection."""
        if self._sock:
            self._sock.close()
            self._sock = None


def message(tag: str, now: int, exact: bool, record: Mapping[str, str], chunk: str) -> bytes:
    """One entry.

    Args:
        now: ns since the epoch. exact: with the fraction of the second (an EventTime). chunk: asks for an acknowledgement.
    """
    seconds, fraction = divmod(now, 1_000_000_000)
    event_time = b"\xd7\0" + seconds.to_bytes(4, "big") + fraction.to_bytes(4, "big")
    when = event_time if exact else b"\xd2" + seconds.to_bytes(4, "big")
    return b"\x94" + text(tag) + when + mapping(record) + mapping({"chunk": chunk} if chunk else {})


def text(value: str) -> bytes:
    """A MessagePack string."""
    data = value.encode(errors="replace")
    size = len(data)
    if size < 32:
        return bytes((0xA0 | size,)) + data
    if size < 256:
        return bytes((0xD9, size)) + data
    wide = size < 1 << 16
    return (b"\xda" if wide else b"\xdb") + size.to_bytes(2 if wide else 4, "big") + data


def mapping(values: Mapping[str, str]) -> bytes:
    """A MessagePack map of strings."""
    size = len(values)
    head = bytes((0x80 | size,)) if size < 16 else b"\xde" + size.to_bytes(2, "big")
    return head + b"".join(text(name) + text(value) for name, value in values.items())
