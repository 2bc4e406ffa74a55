"""GELF 1.1: JSON documents for Graylog, by UDP (compressed, in chunks) or TCP (each ended by a zero byte).

Source: Graylog's GELF specification, and Docker's documentation of its gelf driver.
"""

from __future__ import annotations

import gzip
import json
import os
import socket
import time
import zlib

from dockwright.supervisor.logs.drivers.base import Info, dial, severity

CHUNK, MOST_CHUNKS = 1420 - 12, 128
MAGIC = b"\x1e\x0f"
TRIES, DELAY = 3, 1


class Gelf:
    """One container's documents.

    Args:
        options: gelf-address, gelf-compression-*, gelf-tcp-*.

    Raises:
        OSError: the server cannot be reached, in Docker's words.
    """

    def __init__(self, options: dict[str, str], info: Info) -> None:
        self._network, _, self._address = options["gelf-address"].partition("://")
        self._kind = options.get("gelf-compression-type", "gzip")
        self._level = int(options.get("gelf-compression-level", "1"))
        self._tries = int(options.get("gelf-tcp-max-reconnect", TRIES))
        self._delay = int(options.get("gelf-tcp-reconnect-delay", DELAY))
        self._host = socket.gethostname()
        self._extra = {f"_{name}": value for name, value in sorted(self._fields(info).items())}
        try:
            self._sock = dial(self._network, self._address)
        except OSError as error:
            raise OSError(f"gelf: cannot connect to GELF endpoint: {self._address} {error}") from None

    def _fields(self, info: Info) -> dict[str, str]:
        return {
            **info.attrs, "command": info.command, "container_id": info.id, "container_name": info.name,
            "created": info.created, "image_id": info.image, "image_name": info.image_name, "tag": info.tag,
        }  # fmt: skip

    def log(self, stream: str, pieces: list[bytes], now: int) -> None:
        """One document for each line; empty ones are none."""
        for piece in pieces:
            if line := piece.removesuffix(b"\n"):
                document = {
                    "version": "1.1", "host": self._host, "short_message": line.decode(errors="replace"),
                    "timestamp": now // 1_000_000 / 1000, "level": severity(stream), **self._extra,
                }  # fmt: skip
                self._send(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode())

    def _send(self, document: bytes) -> None:
        if self._network == "tcp":
            return self._send_stream(document + b"\0")
        data = self._packed(document)
        try:
            for datagram in chunks(data):
                self._sock.send(datagram)
        except OSError:
            return None  # nobody listens there now; UDP promises nothing
        return None

    def _packed(self, document: bytes) -> bytes:
        if self._kind == "none":
            return document
        return gzip.compress(document, self._level) if self._kind == "gzip" else zlib.compress(document, self._level)

    def _send_stream(self, data: bytes) -> None:
        """Send all of it; a broken connection is made anew as often as the user has allowed, then the line is lost."""
        for attempt in range(self._tries + 1):
            try:
                if attempt:
                    time.sleep(self._delay)
                    self._sock = dial(self._network, self._address)
                return self._sock.sendall(data)
            except OSError:
                self._sock.close()
        return None

    def close(self) -> None:
        """Let go of the socket."""
        self._sock.close()


def chunks(data: bytes) -> list[bytes]:
    """Datagrams of at most 1420 bytes: the document itself if it fits, else numbered pieces of it; [] if it is too long."""
    if len(data) <= CHUNK + 12:
        return [data]
    count = -(-len(data) // CHUNK)
    if count > MOST_CHUNKS:
        return []
    head = MAGIC + os.urandom(8)
    return [head + bytes((number, count)) + data[number * CHUNK : (number + 1) * CHUNK] for number in range(count)]
