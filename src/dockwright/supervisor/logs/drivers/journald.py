"""journald's native protocol: one datagram of fields for each line; what is too long for that goes as a sealed memfd.

Source: systemd's documentation "Native Journal Protocol"; systemd.journal-fields(7); Docker's documentation of its driver.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import socket

from dockwright.base.times import rfc3339
from dockwright.supervisor.logs.drivers.base import Info, severity
from dockwright.supervisor.logs.pieces import Parts

SOCKET = "/run/systemd/journal/socket"


class Journald:
    """One container's lines.

    Raises:
        OSError: there is no journald, in Docker's words.
    """

    def __init__(self, options: dict[str, str], info: Info, path: str = SOCKET) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._sock.connect(path)
        except OSError:
            self._sock.close()
            raise OSError("journald is not enabled on this host") from None
        self._fields = {
            "CONTAINER_ID": info.id[:12], "CONTAINER_ID_FULL": info.id, "CONTAINER_NAME": info.name,
            "CONTAINER_TAG": info.tag, "IMAGE_NAME": info.image_name, "SYSLOG_IDENTIFIER": info.tag,
            **{field_name(name): value for name, value in info.attrs.items()},
        }  # fmt: skip
        self._parts = {"stdout": Parts(), "stderr": Parts()}

    def log(self, stream: str, pieces: list[bytes], now: int) -> None:
        """One entry for each line, or part of one."""
        for piece in pieces:
            fields = {**self._fields, "PRIORITY": str(severity(stream)), "SYSLOG_TIMESTAMP": rfc3339(now)}
            if part := self._parts[stream].next(piece):
                ident, ordinal, last = part
                fields.update(CONTAINER_PARTIAL_ID=ident, CONTAINER_PARTIAL_ORDINAL=str(ordinal))
                fields.update(CONTAINER_PARTIAL_LAST=str(last).lower())
                if not last:
                    fields["CONTAINER_PARTIAL_MESSAGE"] = "true"
            self._send(entry({"MESSAGE": piece.removesuffix(b"\n"), **{k: v.encode() for k, v in fields.items()}}))

    def _send(self, data: bytes) -> None:
        try:
            self._sock.send(data)
        except OSError as error:
            if error.errno in (errno.EMSGSIZE, errno.ENOBUFS):
                self._send_file(data)
            # else journald is being started anew: the line is lost, as with Docker

    def _send_file(self, data: bytes) -> None:
        fd = os.memfd_create("journal-entry", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.write(fd, data)
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL)
            self._sock.sendmsg([b""], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
        finally:
            os.close(fd)

    def close(self) -> None:
        """Let go of the socket."""
        self._sock.close()


def entry(fields: dict[str, bytes]) -> bytes:
    """The datagram: `NAME=value`, or with a length where the value has more than one line."""
    out = bytearray()
    for name, value in fields.items():
        if b"\n" in value:
            out += name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
        else:
            out += name.encode() + b"=" + value + b"\n"
    return bytes(out)


def field_name(text: str) -> str:
    """A label's or variable's name as a field may be called: capitals, digits and underscores, no underscore first."""
    name = "".join(char if char.isascii() and char.isalnum() else "_" for char in text.upper())
    return name.lstrip("_")[:64]
