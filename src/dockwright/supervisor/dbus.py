"""The little of D-Bus that asking systemd takes: method calls over its private socket, which needs no bus to run.

Sources: D-Bus Specification 0.43, Message Format, Marshaling (Wire Format), Authentication Protocol (EXTERNAL).
"""

import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

CALL, RETURN, ERROR = 1, 2, 3
PATH, INTERFACE, MEMBER, ERROR_NAME, DESTINATION, SIGNATURE = 1, 2, 3, 4, 6, 8  # header fields
HEADER = "yyyyuua(yv)"
LIMIT = 1 << 20  # bytes of an answer
_NUMBERS = {"y": "<B", "b": "<I", "u": "<I", "t": "<Q"}
_ALIGNMENT = {"y": 1, "g": 1, "v": 1, "b": 4, "u": 4, "s": 4, "o": 4, "a": 4, "t": 8, "(": 8}


class BusError(Exception):
    """The other side refused a call.

    Attributes:
        name: such as org.freedesktop.systemd1.UnitExists.
    """

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text or name)
        self.name = name


def types(signature: str) -> Iterator[str]:
    """The complete types of a signature, one by one."""
    while signature:
        length = _length(signature)
        yield signature[:length]
        signature = signature[length:]


def _length(signature: str) -> int:
    """Of its first complete type."""
    if signature[0] == "a":
        return 1 + _length(signature[1:])
    if signature[0] != "(":
        return 1
    depth = 0
    for index, letter in enumerate(signature):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return index + 1
    raise ValueError(f"signature {signature} is broken")


def marshal(signature: str, *values: Any) -> bytes:
    """`values` in the little-endian wire format; a variant is a pair of signature and value."""
    out = bytearray()
    for kind, value in zip(types(signature), values, strict=True):
        _put(out, kind, value)
    return bytes(out)


def _put(out: bytearray, kind: str, value: Any) -> None:
    out += bytes(-len(out) % _ALIGNMENT[kind[0]])
    if kind in _NUMBERS:
        out += struct.pack(_NUMBERS[kind], value)
    elif kind in "sog":
        text = value.encode()
        out += struct.pack("<B" if kind == "g" else "<I", len(text)) + text + b"\0"
    elif kind == "v":
        _put(out, "g", value[0])
        _put(out, value[0], value[1])
    elif kind[0] == "(":
        for member, item in zip(types(kind[1:-1]), value, strict=True):
            _put(out, member, item)
    else:
        _put_array(out, kind[1:], value)


def _put_array(out: bytearray, kind: str, values: Any) -> None:
    """Its length comes first, and does not count the padding before the first element."""
    place = len(out)
    out += bytes(4)
    out += bytes(-len(out) % _ALIGNMENT[kind[0]])
    start = len(out)
    for value in values:
        _put(out, kind, value)
    struct.pack_into("<I", out, place, len(out) - start)


class Reader:
    """Values out of the wire format; a variant comes as its value alone."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, signature: str) -> list[Any]:
        """The values of all types of a signature."""
        return [self._take(kind) for kind in types(signature)]

    def _take(self, kind: str) -> Any:
        self._at += -self._at % _ALIGNMENT[kind[0]]
        if kind in _NUMBERS:
            return self._number(_NUMBERS[kind])
        if kind in "sog":
            length = self._number("<B" if kind == "g" else "<I")
            text = self._data[self._at : self._at + length]
            self._at += length + 1
            return text.decode()
        if kind == "v":
            return self._take(self._take("g"))
        if kind[0] == "(":
            return tuple(self.take(kind[1:-1]))
        end = self._number("<I")
        self._at += -self._at % _ALIGNMENT[kind[1]]
        end += self._at
        values = []
        while self._at < end:
            values.append(self._take(kind[1:]))
        return values

    def _number(self, form: str) -> int:
        (number,) = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return int(number)


class Connection:
    """A connection of our own to one D-Bus peer.

    Args:
        path: its socket. deadline: seconds for each answer.

    Raises:
        OSError: nobody listens, or it does not let us in.
    """

    def __init__(self, path: str, deadline: float = 10.0) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._serial = 0
        try:
            self._sock.settimeout(deadline)
            self._sock.connect(path)
            self._authenticate()
        except OSError:
            self._sock.close()
            raise

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def _authenticate(self) -> None:
        """BEGIN goes along: systemd 252 forgets a call that comes in one piece with it, until there is more to read."""
        uid = str(os.geteuid()).encode().hex().encode()
        self._sock.sendall(b"\0AUTH EXTERNAL " + uid + b"\r\nBEGIN\r\n")
        if not self._sock.recv(512).startswith(b"OK "):
            raise PermissionError("the D-Bus peer does not know us")

    def call(self, destination: str, path: str, interface: str, member: str, signature: str, *values: Any) -> list[Any]:
        """Call a method; answers what it returns.

        Raises:
            BusError: it was refused. OSError: the connection broke, or the answer is late (TimeoutError).
        """
        self._serial += 1
        fields = [
            (PATH, ("o", path)), (INTERFACE, ("s", interface)), (MEMBER, ("s", member)), (DESTINATION, ("s", destination)),
            *([(SIGNATURE, ("g", signature))] if signature else ()),
        ]  # fmt: skip
        body = marshal(signature, *values)
        head = marshal(HEADER, ord("l"), CALL, 0, 1, len(body), self._serial, fields)
        self._sock.sendall(head + bytes(-len(head) % 8) + body)
        while True:
            kind, found, answer = self._receive()
            if kind == ERROR:
                raise BusError(found.get(ERROR_NAME, ""), "".join(answer[:1]))
            if kind == RETURN:
                return answer  # there is but one call at a time; signals are passed over

    def _receive(self) -> tuple[int, dict[int, Any], list[Any]]:
        """One message: its type, header fields and values."""
        start = self._exactly(16)
        _, kind, _, _, length, _, fields = struct.unpack("<BBBBIII", start)
        head = self._exactly(fields + -fields % 8)
        body = self._exactly(length)
        found = dict(Reader(start + head).take(HEADER)[-1])
        return kind, found, Reader(body).take(found.get(SIGNATURE, ""))

    def _exactly(self, count: int) -> bytes:
        if count > LIMIT:
            raise OSError(f"a D-Bus message of {count} bytes")
        data = b""
        while len(data) < count:
            piece = self._sock.recv(count - len(data))
            if not piece:
                raise ConnectionResetError("the D-Bus peer has gone")
            data += piece
        return data
